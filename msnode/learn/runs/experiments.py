"""The learning commands: train, crossval, evaluate, baseline and the comparison with the papers."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from msnode.classify import Bundle, Manifest, load_bundle
from msnode.classify.decision import Calibration, StudyRule
from msnode.errors import ConfigError
from msnode.learn.data.index_csv import read
from msnode.learn.data.splits import Rows, Split
from msnode.learn.evaluate import controls, platt_scaling
from msnode.learn.evaluate.operating_point import Judgement
from msnode.learn.evaluate.paired import Scored
from msnode.learn.evaluate.seen_persons import acquainted
from msnode.learn.evaluate.subgroups import learned_from
from msnode.learn.runs import directory, fold, fold_results, make_bundle, preconditions
from msnode.learn.runs.directory import Outcome
from msnode.learn.runs.fold import Tested
from msnode.learn.train import end_to_end, loop
from msnode.learn.train.cohort import Cohort, contract_of, open_cohort
from msnode.learn.train.end_to_end import Progress
from msnode.learn.train.recipe import Plan
from msnode.records.images import Float64Array
from msnode.records.learned_persons import LearnedPersons, learned_persons
from msnode.records.population import Strata


def silent(what: str, done: int, total: int) -> None:
    """Show no progress."""


def train(
    index: Path, out: Path, plan: Plan, scheme: str = "holdout", progress: Progress = silent
) -> Outcome:
    """Train on one split, test on its test persons, and write a bundle unless the split leaks.

    Args:
        index: CSV as ``data.read`` takes it.
        out: the run directory; a killed run is resumed there. ``out/bundle`` gets the model.
        plan: what to train.
        scheme: ``holdout`` (75:10:15 persons), or ``leaking`` (by slice, for comparison only).
        progress: called with what is being done, steps done and in all.

    Raises:
        ConfigError: index, images, labels or plan are unusable; the message names the row.
    """
    cohort = _begun(index, out, plan, (scheme, 1), progress)
    split = cohort.splits(scheme, seed=plan.seed)[0]
    tested = fold.run(cohort, plan, split, out / "fold-1", progress)
    fold_results.write(out / "fold-1", tested)
    outcome = directory.finish(out, cohort, [tested])
    if tested.model is not None and scheme != "leaking":
        people = np.array(cohort.persons)
        persons = learned_persons(people[split.train], people[split.validation], bool(plan.start))
        strata = learned_from(cohort, split.train)
        _bundle(out / "bundle", plan, tested, outcome, strata, persons)
    return outcome


def crossval(
    index: Path,
    out: Path,
    plan: Plan,
    scheme: str = "k-fold",
    count: int = 5,
    progress: Progress = silent,
) -> Outcome:
    """Train and test every fold of a scheme; the figures are of all test persons together.

    Finished folds of a killed run are not trained again.

    Args:
        index: CSV.
        out: the run directory.
        plan: what to train.
        scheme: ``k-fold``, ``leave-one-patient-out`` or ``leave-one-site-out``.
        count: folds of ``k-fold``.
        progress: as for ``train``.
    """
    cohort = _begun(index, out, plan, (scheme, count), progress)
    splits = cohort.splits(scheme, count, plan.seed)
    tested = []
    for number, split in enumerate(splits, 1):
        progress(split.name, number - 1, len(splits))
        tested.append(_fold(cohort, plan, split, out / f"fold-{number}", progress))
    return directory.finish(out, cohort, tested)


def _fold(cohort: Cohort, plan: Plan, split: Split, folder: Path, progress: Progress) -> Tested:
    """A fold, from its result file if it was finished before."""
    if (tested := fold_results.read(folder)) is None:
        tested = fold.run(cohort, plan, split, folder, progress)
        fold_results.write(folder, tested)
    return replace(tested, model=None)


def evaluate(
    bundle: Path, index: Path, out: Path, plan: Plan, progress: Progress = silent
) -> Outcome:
    """Measure a finished bundle on an index (external validation).

    Persons that the bundle learned from are told, and measured apart from the others.

    Args:
        bundle: the model's folder.
        index: CSV of the external data.
        out: the run directory.
        plan: its ``positive`` and ``target`` say what counts as class 1.
        progress: as for ``train``.
    """
    loaded = load_bundle(bundle)
    name = f"external {loaded.manifest.digest[:12]}"
    directory.refuse_other(out, plan, index, name)
    cohort = _cohort(index, out, plan, progress, loaded)
    directory.start(out, plan, index, name)
    everyone, nobody = np.flatnonzero(cohort.of("role") != "train"), np.zeros(0, np.int64)
    task = cohort.task(Split("external", nobody, nobody, everyone))
    m = loaded.manifest
    logits = end_to_end.predict(loaded.model.to(loop.device()), task, everyone)
    probabilities = platt_scaling.sigmoid(m.calibration.slope * logits + m.calibration.bias)
    tested = Tested(
        "external",
        everyone,
        probabilities,
        _naive_out_of_fold(cohort, plan.seed)[everyone],
        Judgement(m.calibration, m.rule, 0.5, m.threshold),
        loaded.model,
        _twins(cohort, plan, loaded, everyone),
    )
    fold_results.write(out / "fold-1", tested)
    people = [cohort.persons[row] for row in everyone]
    return directory.finish(out, cohort, [tested], acquainted(m.persons, people))


def _twins(cohort: Cohort, plan: Plan, bundle: Bundle, rows: Rows) -> Scored | None:
    """Calibrated logits of slices and twins, if the data have masks and the plan needs them."""
    if not controls.possible(cohort, plan, bundle.model):
        return None
    pairs = controls.scored(cohort, bundle.model, rows, plan.seed)
    return pairs.scaled(bundle.manifest.calibration.slope, bundle.manifest.calibration.bias)


def baseline(
    index: Path,
    out: Path,
    plan: Plan,
    scheme: str = "k-fold",
    count: int = 5,
    progress: Progress = silent,
) -> Outcome:
    """The naive classifier alone, on the splits of a scheme."""
    name = f"naive {scheme}"
    directory.refuse_other(out, plan, index, name)
    preconditions.check(read(index), plan, scheme, count)
    cohort = _cohort(index, out, plan, progress)
    if len(np.unique(cohort.labels)) < 2:
        raise ConfigError(f"{index}: all images are of one class; there is nothing to compare")
    directory.start(out, plan, index, name)
    tested = []
    for split in cohort.splits(scheme, count, plan.seed):
        scores = fold.naive_probabilities(cohort, split)
        plain = Judgement(Calibration(), StudyRule(), 0.5, 0.5)
        tested.append(Tested(split.name, split.test, scores, scores, plain))
    return directory.finish(out, cohort, tested)


def _naive_out_of_fold(cohort: Cohort, seed: int) -> Float64Array:
    """Naive probabilities of every image, from models of other persons' images."""
    scores = np.full(len(cohort.labels), 0.5)
    if len(set(cohort.persons)) < 3 or len(np.unique(cohort.labels)) < 2:
        return scores
    for split in cohort.splits("k-fold", min(5, len(set(cohort.persons))), seed):
        scores[split.test] = fold.naive_probabilities(cohort, split)
    return scores


def _begun(
    index: Path, out: Path, plan: Plan, scheme: tuple[str, int], progress: Progress
) -> Cohort:
    """The data of a run; its folder is made when nothing speaks against the run any more."""
    name = f"{scheme[0]} {scheme[1]}" if scheme[0] == "k-fold" else scheme[0]
    directory.refuse_other(out, plan, index, name)
    preconditions.check(read(index), plan, *scheme)
    cohort = _cohort(index, out, plan, progress)
    directory.start(out, plan, index, name)
    return cohort


def _cohort(
    index: Path, out: Path, plan: Plan, progress: Progress, bundle: Bundle | None = None
) -> Cohort:
    """The data; prepared images are cached in the run directory's parent, for all runs there."""
    contract = bundle.contract if bundle else contract_of(plan)
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        progress("preparing", done, done)

    return open_cohort(index, plan, out.parent / "prepared", contract, step, bundle is not None)


def _bundle(
    folder: Path,
    plan: Plan,
    tested: Tested,
    outcome: Outcome,
    strata: Strata,
    persons: LearnedPersons,
) -> Manifest:
    """Write the trained model with its measured figures."""
    if tested.model is None:
        raise ConfigError(f"{plan.architecture} is for comparison only; it has no bundle")
    tables = {
        "Per image": outcome.slices,
        "Per study": outcome.studies,
        "Naive classifier, per image": outcome.naive,
        "Against lesion-filled twins, position held fixed": outcome.matched,
    }
    card = make_bundle.card(plan, tables, outcome.warnings)
    where = f"the test persons of this run's {tested.fold}"
    return make_bundle.write(
        folder,
        plan,
        tested.model,
        tested.judgement,
        outcome.studies,
        where,
        card,
        strata,
        persons,
    )
