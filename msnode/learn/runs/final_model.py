"""Trains the final model on every person, for the bundle that is released.

Nobody is left to measure that model, so it takes calibration, study rule, operating point and
figures from a run of the same recipe whose test persons were not learned from.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from msnode.classify import Calibration, Manifest, StudyRule
from msnode.errors import ConfigError
from msnode.learn.data.index_csv import read
from msnode.learn.evaluate import paired
from msnode.learn.evaluate.figures_of_merit import Figure, measure
from msnode.learn.evaluate.operating_point import TOP, Judgement, judge, with_twins
from msnode.learn.evaluate.paired import Scored
from msnode.learn.evaluate.platt_scaling import sigmoid
from msnode.learn.evaluate.subgroups import learned_from
from msnode.learn.runs import directory, fold, fold_results, make_bundle, preconditions
from msnode.learn.train.cohort import open_cohort
from msnode.learn.train.end_to_end import Progress
from msnode.learn.train.recipe import Plan
from msnode.records.images import Float64Array
from msnode.records.learned_persons import learned_persons


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Figures from persons that the measured model was not trained on.

    Attributes:
        judgement: by all of them; for the bundle.
        slices: lesion-bearing slices against their filled copies and the lesion-free slices.
        studies: scans against their lesion-filled twins.
        matched: figures with the position held fixed.
        scans: (persons,) probability of every scan.
        twins: (persons,) of every lesion-filled twin.
        persons: who they are.
    """

    judgement: Judgement
    slices: dict[str, Figure]
    studies: dict[str, Figure]
    matched: dict[str, Figure]
    scans: Float64Array
    twins: Float64Array
    persons: tuple[str, ...] = ()


_NOBODY = np.zeros(0)
UNMEASURED = HeldBack(
    Judgement(Calibration(), StudyRule(TOP), 0.5, 0.5), {}, {}, {}, _NOBODY, _NOBODY
)
"""For a model without a run that held persons back."""


def held_back(raw: Scored, sensitivity: float, threshold: float = 0.5) -> HeldBack:
    """Judge and measure; each person is calibrated on the others, so that no figure is flattered.

    Args:
        raw: logits of three persons or more.
        sensitivity: wanted; sets the judgement's thresholds.
        threshold: from which slices and studies count as called.
    """
    parts = [_by_others(raw, person, sensitivity) for person in np.unique(raw.persons)]
    scaled = paired.together([part[0] for part in parts])
    scans, twins = (np.concatenate(column) for column in zip(*(p[1:] for p in parts), strict=True))
    evidence, names = with_twins(scaled), np.unique(raw.persons)
    rows = evidence.slices
    owners = list(np.concatenate([scaled.persons, scaled.persons])[rows])
    truths = np.repeat([1, 0], len(names))
    both = np.concatenate([scans, twins])
    return HeldBack(
        judge(with_twins(raw), sensitivity),
        measure(evidence.labels[rows], sigmoid(evidence.logits[rows]), owners, threshold),
        measure(truths, both, [*names, *names], threshold),
        paired.figures(raw, TOP),
        scans,
        twins,
        tuple(str(name) for name in names),
    )


def _by_others(
    raw: Scored, person: str, sensitivity: float
) -> tuple[Scored, Float64Array, Float64Array]:
    """One person's calibrated logits, and the probabilities of scan and twin."""
    verdict = judge(with_twins(raw.take(raw.persons != person)), sensitivity)
    scale, rule = verdict.calibration, verdict.rule
    mine = raw.take(raw.persons == person).scaled(scale.slope, scale.bias)
    scan, twin = paired.studies(mine, TOP)
    return mine, sigmoid(rule.slope * scan + rule.bias), sigmoid(rule.slope * twin + rule.bias)


def _measured(run: Path, plan: Plan) -> HeldBack:
    """What a finished run says.

    Raises:
        ConfigError: it has not finished, or tested fewer than three persons.
    """
    if not (run / "metrics.json").exists():
        raise ConfigError(f"{run}: the run has not finished; repeat its command first")
    raw = fold_results.raw_twins(run)
    if (count := len(np.unique(raw.persons))) < 3:
        raise ConfigError(f"{run}: tested {count} persons; calibration needs three or more")
    return held_back(raw, plan.sensitivity)


def train_on_everyone(
    index: Path,
    out: Path,
    plan: Plan,
    measured: Path | None = None,
    progress: Progress = lambda *_: None,
) -> Manifest:
    """Train on every person of an index and write a bundle.

    Args:
        index: CSV as ``data.read`` takes it.
        out: the run directory; a killed run is resumed there. ``out/bundle`` gets the model.
        plan: what to train.
        measured: finished run of the same recipe, of lesions, with persons held back; without
            it the bundle is not calibrated and has no figures.
        progress: called with what is being done, steps done and in all.

    Raises:
        ConfigError: index, images, labels, plan or ``measured`` are unusable.
    """
    found = _measured(measured, plan) if measured else UNMEASURED
    directory.refuse_other(out, plan, index, "everyone")
    preconditions.check(read(index), plan, "everyone")
    cohort = open_cohort(
        index, plan, out.parent / "prepared", progress=lambda n: progress("preparing", n, n)
    )
    directory.start(out, plan, index, "everyone")
    model = fold.everyone(cohort, plan, out / "fold-1", progress)
    tables = {
        "Per slice": found.slices,
        "Per study, against lesion-filled twins": found.studies,
        "Slices against lesion-filled twins, position held fixed": found.matched,
    }
    where = "nobody"
    if measured:
        where = f"test persons of the run {measured.name}, whose models had not seen them"
    return make_bundle.write(
        out / "bundle",
        plan,
        model,
        found.judgement,
        found.studies,
        where,
        make_bundle.card(plan, tables, [f"Trained on every person; the figures are of {where}."]),
        learned_from(cohort, np.arange(len(cohort.labels))),
        learned_persons(cohort.persons, found.persons, bool(plan.start)),
    )
