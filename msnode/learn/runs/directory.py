"""The run directory: configuration, environment, predictions, metrics and pictures."""

import csv
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msnode.errors import ConfigError
from msnode.learn.data import examples
from msnode.learn.data.index_csv import read
from msnode.learn.evaluate import (
    figures_of_merit,
    markdown,
    paired,
    papers,
    plots,
    subgroups,
)
from msnode.learn.evaluate.figures_of_merit import Figure
from msnode.learn.evaluate.operating_point import TOP
from msnode.learn.evaluate.seen_persons import Acquainted
from msnode.learn.runs import measures
from msnode.learn.runs.fold import Tested
from msnode.learn.train.cohort import Cohort
from msnode.learn.train.recipe import Plan, plain
from msnode.records.images import Float64Array
from msnode.store.files import replacing

PACKAGES = ("msnode", "torch", "torchvision", "numpy", "scipy", "scikit-learn")


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
        acquainted: of a finished bundle, what it has of the persons; else None.
        apart: figures per image and per study by ``unseen`` and ``seen`` persons, where a finished
            bundle is measured on some that it knows; else empty.
    """

    folder: Path
    slices: dict[str, Figure]
    studies: dict[str, Figure]
    naive: dict[str, Figure]
    folds: dict[str, dict[str, float]]
    matched: dict[str, Figure]
    warnings: tuple[str, ...]
    acquainted: Acquainted | None = None
    apart: dict[str, dict[str, dict[str, Figure]]] = field(default_factory=dict)


def refuse_other(folder: Path, plan: Plan, index: Path, scheme: str) -> None:
    """Refuse a folder that holds another run; makes nothing.

    Raises:
        ConfigError: the directory holds a run with another configuration, or of other data: its
            models may have learned from those who are tested now.
    """
    file = folder / "config.json"
    config = _as_json(_config(plan, index, scheme))
    if file.exists() and json.loads(file.read_text(encoding="utf-8")) != config:
        raise ConfigError(
            f"{folder}: holds a run with another configuration or of other data; give another"
            " folder, or repeat that run's settings on its data to resume it"
        )


def start(folder: Path, plan: Plan, index: Path, scheme: str) -> None:
    """Make a run directory, or resume one with the same configuration and data.

    Raises:
        ConfigError: as ``refuse_other``.
    """
    refuse_other(folder, plan, index, scheme)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", _config(plan, index, scheme))
    write_json(folder / "environment.json", environment())


def _config(plan: Plan, index: Path, scheme: str) -> dict[str, Any]:
    """What makes one run another."""
    data = examples.digest(read(index))
    return {"plan": plain(plan), "index": index.name, "data": data, "scheme": scheme}


def environment() -> dict[str, Any]:
    """What the figures may depend on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        **{name: version(name) for name in PACKAGES},
    }


def finish(
    folder: Path, cohort: Cohort, tested: Sequence[Tested], known: Acquainted | None = None
) -> Outcome:
    """Measure the test persons of all folds together, and write everything down.

    Args:
        folder: the run directory.
        cohort: the data.
        tested: every fold.
        known: what a finished bundle has of the persons; None where persons were split.
    """
    rows = np.concatenate([t.rows for t in tested])
    scores = np.concatenate([t.probabilities for t in tested])
    naive = np.concatenate([t.naive for t in tested])
    called = np.concatenate([t.probabilities - t.judgement.threshold for t in tested]) + 0.5
    labels, persons = cohort.labels[rows], [cohort.persons[row] for row in rows]
    slices = measures.measured(labels, scores, called, persons)
    simple = figures_of_merit.measure(labels, naive, persons)
    if len(np.unique(labels)) < 2:  # nobody taught the naive classifier what to look for
        simple = figures_of_merit.undefined(figures_of_merit.ONE_CLASS)
    studies, study_warnings = measures.studies(cohort, tested)
    folds = {t.fold: measures.of_fold(cohort.labels[t.rows], t) for t in tested}
    tables, fallen = subgroups.by_stratum(cohort, rows, scores, called)
    close = measures.naive_warning(slices["auc"], simple["auc"], measures.several_scanners(cohort))
    told = known.warnings if known else ()
    accuracies = {name: figures["accuracy"] for name, figures in folds.items()}
    alone = subgroups.fallen_folds(cohort, {t.fold: t.rows for t in tested}, accuracies)
    warnings = (*told, *close, *study_warnings, *fallen, *alone)
    pairs = [t.twins for t in tested if t.twins is not None]
    fixed = paired.figures(paired.together(pairs), TOP) if pairs else {}
    apart = measures.apart(cohort, tested, known)
    outcome = Outcome(folder, slices, studies, simple, folds, fixed, warnings, known, apart)
    _write(outcome, tables)
    _predictions(folder / "predictions.csv", cohort, rows, scores, naive)
    plots.curves(folder, labels, scores, naive)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    comparison = papers.table(
        config["plan"]["architecture"], slices, simple, f"split {config['scheme']}"
    )
    report = "\n".join([comparison, *_persons_told(outcome)])
    (folder / "papers.md").write_text(report, encoding="utf-8")
    return outcome


def _persons_told(outcome: Outcome) -> Iterator[str]:
    """Whether a bundle knew the persons, for papers.md."""
    if outcome.acquainted is not None:
        yield from (f"**{text}**\n" for text in outcome.acquainted.warnings)
    if outcome.apart:
        yield from markdown.header(("measure, per image", *(f"{n} persons" for n in outcome.apart)))
        for measure in outcome.slices:
            cells = (str(part["slices"][measure]) for part in outcome.apart.values())
            yield markdown.row((measure, *cells))


def _write(outcome: Outcome, tables: dict[str, dict[str, Any]]) -> None:
    """metrics.json and metrics.csv."""
    parts = {"slices": outcome.slices, "studies": outcome.studies, "naive": outcome.naive}
    parts |= {"matched": outcome.matched} if outcome.matched else {}
    content: dict[str, Any] = {name: figures_of_merit.plain(part) for name, part in parts.items()}
    folds = {name: figures_of_merit.plain_numbers(of) for name, of in outcome.folds.items()}
    strata = {
        column: {value: figures_of_merit.plain_numbers(of) for value, of in values.items()}
        for column, values in tables.items()
    }
    if outcome.acquainted is not None:
        content["persons"] = {
            "known": outcome.acquainted.of is not None,
            **(outcome.acquainted.counts or {}),
            **{
                name: {of: figures_of_merit.plain(figures) for of, figures in part.items()}
                for name, part in (("of_" + k, v) for k, v in outcome.apart.items())
            },
        }
    extra = {"folds": folds, "strata": strata, "warnings": outcome.warnings}
    write_json(outcome.folder / "metrics.json", content | extra)
    with (outcome.folder / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["of", "measure", "value", "low", "high"])
        for name, part in parts.items():
            for measure, figure in part.items():
                numbers = figure.value, figure.low, figure.high
                writer.writerow([name, measure, *("" if np.isnan(n) else n for n in numbers)])


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
