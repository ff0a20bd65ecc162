"""Train, cross-validate and release the network that outlines lesions."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from msnode.errors import ConfigError
from msnode.learn.data import splits
from msnode.learn.data.index_csv import read
from msnode.learn.evaluate import figures_of_merit, lesion_calibration, markdown, overlap
from msnode.learn.evaluate.figures_of_merit import Figure
from msnode.learn.evaluate.overlap import Agreement, Examined
from msnode.learn.evaluate.seen_persons import Acquainted
from msnode.learn.runs import directory, preconditions
from msnode.learn.runs.outline_measures import best_threshold, examined, maps, naive_threshold
from msnode.learn.train import label_maps, outlining
from msnode.learn.train.end_to_end import Progress
from msnode.learn.train.label_maps import Labelled
from msnode.learn.train.loop import Schedule
from msnode.learn.train.recipe import Plan
from msnode.lesions import lesion_bundle
from msnode.lesions.lesion_bundle import Manifest, Rating
from msnode.lesions.unet import Unet
from msnode.records.learned_persons import LearnedPersons, learned_persons
from msnode.store.files import decode

MEANINGS = {
    "dice": "voxel Dice",
    "f1": "lesion F1",
    "recall": "lesions found",
    "precision": "found lesions that are some",
    "false": "false lesions a person",
    "volume_spearman": "volume, Spearman",
    "volume_bias": "volume, bias",
    "ventricles": "ventricles, Dice",
    "stripped": "voxel Dice without skull",
    "healed_ml": "ml found in the same scans with their lesions filled in",
    "ece": "expected calibration error of a found lesion's probability",
    "ece_raw": "the same, as the network gives it",
    "naive": "naive: voxel Dice of a threshold on the brain's brightness",
}


@dataclass(frozen=True, slots=True)
class Outlined:
    """What a run measured.

    Attributes:
        folder: the run directory.
        figures: means over the test persons.
        persons: a row each.
        threshold: of the probability, the mean of the folds'.
        rating: of found lesions, from those of all test persons.
        acquainted: what a finished bundle that was measured has of them; None of a run's own.
        unseen: the figures of persons whom that bundle has not seen; None where it is all or none.
    """

    folder: Path
    figures: dict[str, Figure]
    persons: tuple[Agreement, ...]
    threshold: float
    rating: Rating
    acquainted: Acquainted | None = None
    unseen: dict[str, Figure] | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """A finished fold.

    Attributes:
        threshold: chosen on its training persons.
        persons: its test persons.
    """

    threshold: float
    persons: tuple[Examined, ...]


def train(index: Path, out: Path, plan: Plan, progress: Progress) -> Outlined:
    """Train on 75 % of the persons, test the others, and write the model as a bundle.

    Raises:
        ConfigError: index, volumes or plan are unusable.
    """
    volumes = _begun(index, out, plan, "holdout", ("holdout", 1), progress)
    people = [v.row.person for v in volumes if v.row.role != "train"]
    split = splits.holdout(people, ["lesions"] * len(people), seed=plan.seed)
    test = {people[row] for row in (*split.validation, *split.test)}
    fold = _fold(volumes, test, plan, out / "fold-1", progress)
    outcome = _finish(out, [fold])
    taught = [v for v in volumes if v.row.person not in test]
    persons = learned_persons((v.row.person for v in taught), others=bool(plan.start))
    model = _trained(taught, plan, out / "fold-1", progress)
    _release(out, model, outcome, fold.threshold, persons)
    return outcome


def crossval(
    index: Path, out: Path, plan: Plan, scheme: str, count: int, progress: Progress
) -> Outlined:
    """Train and test every fold; finished folds of a killed run are not trained again.

    Raises:
        ConfigError: index, volumes or plan are unusable.
    """
    volumes = _begun(index, out, plan, f"{scheme} {count}", (scheme, count), progress)
    folds = [
        _fold(volumes, test, plan, out / f"fold-{number}", progress)
        for number, test in enumerate(_tested(volumes, scheme, count, plan.seed), 1)
    ]
    return _finish(out, folds)


def everyone(
    index: Path, out: Path, plan: Plan, measured: Path | None, progress: Progress
) -> Manifest:
    """Train on every person and write a bundle, with the figures of a cross-validation.

    Raises:
        ConfigError: index, volumes, plan or ``measured`` are unusable.
    """
    found = _measured(measured) if measured else None
    volumes = _begun(index, out, plan, "everyone", ("everyone", 1), progress)
    model = _trained(volumes, plan, out / "fold-1", progress)
    threshold = found.threshold if found else best_threshold(maps(model, volumes), volumes)
    persons = learned_persons((v.row.person for v in volumes), others=bool(plan.start))
    return _release(out, model, found, threshold, persons)


def _release(
    out: Path, model: Unet, found: Outlined | None, threshold: float, persons: LearnedPersons
) -> Manifest:
    """Write the bundle."""
    figures = figures_of_merit.plain(found.figures) if found else {}
    manifest = Manifest(
        "lesions",
        "0.1.0",
        threshold=threshold,
        rating=found.rating if found else Rating(),
        measured_on=_measured_on(found),
        figures=figures,
        persons=persons,
    )
    return lesion_bundle.save(out / "bundle", model, manifest, card(found))


def _measured_on(found: Outlined | None) -> str:
    if found is None:
        return "nobody"
    return f"{len(found.persons)} persons, by models of this recipe that had not learned from them"


def _begun(
    index: Path, out: Path, plan: Plan, name: str, scheme: tuple[str, int], progress: Progress
) -> tuple[Labelled, ...]:
    """The data of a run; its folder is made when nothing speaks against the run any more."""
    rows = read(index)
    directory.refuse_other(out, plan, index, name)
    preconditions.check(rows, plan, *scheme)
    done = iter(range(1, len(rows) + 1))
    found = label_maps.load(rows, lambda _: progress("reading volumes", next(done), len(rows)))
    directory.start(out, plan, index, name)
    return found


def _tested(volumes: Sequence[Labelled], scheme: str, count: int, seed: int) -> list[set[str]]:
    """Who is left out of every fold; of them, those with the role ``train`` are not tested."""
    persons = [v.row.person for v in volumes if v.row.role != "train"]
    if scheme == "k-fold":
        found = splits.k_fold(persons, ["lesions"] * len(persons), count, seed)
    elif scheme == "leave-one-patient-out":
        found = splits.leave_one_patient_out(persons, ["lesions"] * len(persons), seed)
    else:
        sites = sorted({v.row.site for v in volumes if v.row.role != "train"})
        return [{v.row.person for v in volumes if v.row.site == site} for site in sites]
    return [{persons[row] for row in split.test} for split in found]


def _fold(
    volumes: Sequence[Labelled], test: set[str], plan: Plan, folder: Path, progress: Progress
) -> Fold:
    """Train without some persons and measure on them."""
    file = folder / "persons.json"
    if file.exists():
        return decode(file.read_bytes(), Fold)
    taught = [v for v in volumes if v.row.person not in test]
    model = _trained(taught, plan, folder, progress)
    own = [v for v in taught if v.row.role != "train"] or taught
    threshold = best_threshold(maps(model, own), own)
    brightness = naive_threshold(own)
    tested = [v for v in volumes if v.row.person in test and v.row.role != "train"]
    rows = tuple(examined(model, v, threshold, brightness) for v in tested)
    directory.write_json(file, asdict(Fold(threshold, rows)))
    return Fold(threshold, rows)


def _trained(volumes: Sequence[Labelled], plan: Plan, folder: Path, progress: Progress) -> Unet:
    folder.mkdir(parents=True, exist_ok=True)
    schedule = Schedule(plan.steps, plan.lr, plan.weight_decay, seed=plan.seed, every=50)

    def report(step: int, _loss: float, _model: object) -> bool:
        progress(f"training {folder.name}", step, plan.steps)
        return False

    checkpoint = folder / outlining.CHECKPOINT
    return outlining.fit(volumes, schedule, plan.batch, checkpoint, report, plan.start)


def _finish(out: Path, folds: Sequence[Fold]) -> Outlined:
    """Measure the test persons of all folds together, and write everything down."""
    persons = tuple(one for fold in folds for one in fold.persons)
    rows, figures = judged(persons, lesion_calibration.by_others(persons))
    threshold = float(np.mean([fold.threshold for fold in folds]))
    outcome = Outlined(out, figures, rows, threshold, lesion_calibration.rating(persons))
    write_metrics(outcome)
    return outcome


def judged(
    persons: Sequence[Examined], ratings: Sequence[Rating]
) -> tuple[tuple[Agreement, ...], dict[str, Figure]]:
    """A row a person and the figures of all, each by a rating of its own."""
    rows = tuple(one.agreement(of) for one, of in zip(persons, ratings, strict=True))
    return rows, overlap.figures(rows) | lesion_calibration.figures(persons, ratings)


def write_metrics(outcome: Outlined, more: Mapping[str, object] | None = None) -> None:
    """``metrics.json``; more is written below."""
    told = {
        "figures": figures_of_merit.plain(outcome.figures),
        "threshold": outcome.threshold,
        "persons": [asdict(row) for row in outcome.persons],
    }
    directory.write_json(outcome.folder / "metrics.json", told | dict(more or {}))


def _measured(run: Path) -> Outlined:
    """What a finished cross-validation found."""
    if not (run / "metrics.json").exists():
        raise ConfigError(f"{run}: the run has not finished; repeat its command first")
    folds = [decode(file.read_bytes(), Fold) for file in sorted(run.glob("fold-*/persons.json"))]
    return _finish(run, folds)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def card(found: Outlined | None) -> str:
    """The measured figures in words and tables."""
    if found is None:
        return "# Lesions\n\nNot measured: trained on everyone, without a cross-validation.\n"
    head = markdown.header(("measure", "value (95 % interval over persons)"))
    lines = [f"| {MEANINGS[name]} | {figure} |" for name, figure in found.figures.items()]
    columns = ("person", "Dice", "F1", "false", "drawn ml", "found ml", "ventricles", "naive Dice")
    rows = [
        f"| {r.person} | {r.dice:.3f} | {r.f1:.3f} | {r.false} | {r.ml:.1f} | {r.found_ml:.1f} |"
        f" {_cell(r.ventricles)} | {_cell(r.naive)} |"
        for r in found.persons
    ]
    parts = ["# Lesions", "", f"Measured on {_measured_on(found)}.", "", *head, *lines]
    return "\n".join([*parts, "", *markdown.header(columns), *rows, ""])
