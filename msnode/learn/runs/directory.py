"""The run directory: configuration, environment, predictions, metrics and pictures."""

import csv
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msnode.classify.decision import StudyRule, sigmoid
from msnode.errors import ConfigError
from msnode.learn.data import examples
from msnode.learn.data.index_csv import read
from msnode.learn.data.splits import Labels
from msnode.learn.evaluate import figures_of_merit, paired, papers, plots, subgroups
from msnode.learn.evaluate.figures_of_merit import Figure
from msnode.learn.evaluate.operating_point import TOP
from msnode.learn.evaluate.platt_scaling import mean_top
from msnode.learn.runs.fold import Tested
from msnode.learn.train.cohort import Cohort
from msnode.learn.train.recipe import Plan, plain
from msnode.records.images import Float64Array
from msnode.store.files import replacing

PACKAGES = ("msnode", "torch", "torchvision", "numpy", "scipy", "scikit-learn")
CLOSE = 0.05
"""An AUC less than this above the naive classifier's earns a warning."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run measured.

    Attributes:
        folder: the run directory.
        slices: figures per image.
        studies: figures per study (index row).
        naive: the naive classifier's figures per image, on the same split.
        folds: by fold: number of images, AUC, accuracy and F1.
        matched: figures with the position held fixed, for models of lesions; else empty.
        warnings: what the reader must know.
    """

    folder: Path
    slices: dict[str, Figure]
    studies: dict[str, Figure]
    naive: dict[str, Figure]
    folds: dict[str, dict[str, float]]
    matched: dict[str, Figure]
    warnings: tuple[str, ...]


def start(folder: Path, plan: Plan, index: Path, scheme: str) -> None:
    """Make a run directory, or resume one with the same configuration and data.

    Raises:
        ConfigError: the directory holds a run with another configuration, or of other data: its
            models may have learned from those who are tested now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = examples.digest(read(index))
    config = {"plan": plain(plan), "index": index.name, "data": data, "scheme": scheme}
    file = folder / "config.json"
    if file.exists() and json.loads(file.read_text(encoding="utf-8")) != _as_json(config):
        raise ConfigError(
            f"{folder}: holds a run with another configuration or of other data; give another"
            " folder, or repeat that run's settings on its data to resume it"
        )
    write_json(file, config)
    write_json(folder / "environment.json", environment())


def environment() -> dict[str, Any]:
    """What the figures may depend on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        **{name: version(name) for name in PACKAGES},
    }


def finish(folder: Path, cohort: Cohort, tested: Sequence[Tested]) -> Outcome:
    """Measure the test persons of all folds together, and write everything down."""
    rows = np.concatenate([t.rows for t in tested])
    scores = np.concatenate([t.probabilities for t in tested])
    naive = np.concatenate([t.naive for t in tested])
    called = np.concatenate([t.probabilities - t.judgement.threshold for t in tested]) + 0.5
    labels, persons = cohort.labels[rows], [cohort.persons[row] for row in rows]
    slices = _measured(labels, scores, called, persons)
    simple = figures_of_merit.measure(labels, naive, persons)
    studies, study_warnings = _studies(cohort, tested)
    folds = {t.fold: _of_fold(cohort.labels[t.rows], t) for t in tested}
    tables, fallen = subgroups.by_stratum(cohort, rows, scores, called)
    accuracies = {name: figures["accuracy"] for name, figures in folds.items()}
    alone = subgroups.fallen_folds(cohort, {t.fold: t.rows for t in tested}, accuracies)
    naively = _naive_warning(slices["auc"], simple["auc"])
    warnings = (*naively, *study_warnings, *fallen, *alone)
    pairs = [t.twins for t in tested if t.twins is not None]
    fixed = paired.figures(paired.together(pairs), TOP) if pairs else {}
    outcome = Outcome(folder, slices, studies, simple, folds, fixed, warnings)
    _write(outcome, tables)
    _predictions(folder / "predictions.csv", cohort, rows, scores, naive)
    plots.curves(folder, labels, scores, naive)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    comparison = papers.table(
        config["plan"]["architecture"], slices, simple, f"split {config['scheme']}"
    )
    (folder / "papers.md").write_text(comparison, encoding="utf-8")
    return outcome


def _measured(
    labels: Labels, scores: Float64Array, called: Float64Array, persons: Sequence[str]
) -> dict[str, Figure]:
    """Ranking and calibration by the probability, decisions by each fold's own threshold."""
    decided = figures_of_merit.measure(labels, np.clip(called, 0, 1), persons)
    ranked = figures_of_merit.measure(labels, scores, persons)
    names = ("accuracy", "sensitivity", "specificity", "precision", "f1")
    return ranked | {name: decided[name] for name in names}


def _of_fold(labels: Labels, tested: Tested) -> dict[str, float]:
    """Figures of one fold; nan where its persons are all of one class."""
    scores, threshold = tested.probabilities, tested.judgement.threshold
    return {
        "images": len(labels),
        "auc": figures_of_merit.auc(labels, scores),
        "accuracy": figures_of_merit.accuracy(labels, scores, threshold),
        "f1": figures_of_merit.f1(labels, scores, threshold),
    }


def _studies(cohort: Cohort, tested: Sequence[Tested]) -> tuple[dict[str, Figure], tuple[str, ...]]:
    """Figures per study, by every fold's own rule and threshold."""
    labels, scores, called, persons = [], [], [], []
    for t in tested:
        of_study = cohort.examples.rows[t.rows]
        for study in np.unique(of_study):
            mine = of_study == study
            probability = _study(t.probabilities[mine], t.judgement.rule)
            scores.append(probability)
            called.append(probability - t.judgement.study_threshold + 0.5)
            labels.append(int(cohort.labels[t.rows][mine].max()))
            persons.append(cohort.rows[study].person)
    truths = np.array(labels, np.int64)
    if len(np.unique(truths)) < 2:
        note = "all studies are of one class: figures per study say nothing of the other"
        return _measured(truths, np.array(scores), np.array(called), persons), (note,)
    return _measured(truths, np.array(scores), np.array(called), persons), ()


def _study(probabilities: Float64Array, rule: StudyRule) -> float:
    """Probability of a study from its slices', as the service computes it."""
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    top = mean_top(np.log(clipped / (1 - clipped)), rule.top)
    return float(sigmoid(np.array(rule.slope * top + rule.bias)))


def _naive_warning(model: Figure, naive: Figure) -> tuple[str, ...]:
    """A sentence where the naive classifier comes close."""
    if not model.value - naive.value < CLOSE:
        return ()
    return (
        f"the naive classifier (background, resolution, histogram, position) reaches an AUC of"
        f" {naive.value:.3f}, the model {model.value:.3f}: it may have learned the scanner",
    )


def _write(outcome: Outcome, tables: dict[str, dict[str, Any]]) -> None:
    """metrics.json and metrics.csv."""
    parts = {"slices": outcome.slices, "studies": outcome.studies, "naive": outcome.naive}
    parts |= {"matched": outcome.matched} if outcome.matched else {}
    content = {name: figures_of_merit.plain(part) for name, part in parts.items()}
    extra = {"folds": outcome.folds, "strata": tables, "warnings": outcome.warnings}
    write_json(outcome.folder / "metrics.json", content | extra)
    with (outcome.folder / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["of", "measure", "value", "low", "high"])
        for name, part in parts.items():
            for measure, figure in part.items():
                writer.writerow([name, measure, figure.value, figure.low, figure.high])


def _predictions(
    file: Path, cohort: Cohort, rows: np.ndarray, scores: Float64Array, naive: Float64Array
) -> None:
    """Write one line per test image."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["line", "person", "height_mm", "label", "probability", "naive"])
        for row, score, simple in zip(rows, scores, naive, strict=True):
            source = cohort.rows[cohort.examples.rows[row]]
            height = f"{cohort.examples.heights_mm[row]:.1f}"
            numbers = (cohort.labels[row], f"{score:.6f}", f"{simple:.6f}")
            writer.writerow([source.number, source.person, height, *numbers])


def write_json(file: Path, content: Any) -> None:
    """Write indented JSON; nan and infinity become null."""
    text = json.dumps(_as_json(content), indent=2, ensure_ascii=False)
    with replacing(file) as out:
        out.write((text + "\n").encode())


def _as_json(value: Any) -> Any:
    """Tuples as lists, nan as null."""
    if isinstance(value, dict):
        return {str(k): _as_json(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_as_json(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
