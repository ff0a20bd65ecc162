"""Repeats the papers' tables on the user's own data, with the published figures beside.

Every model is measured twice: by person, and on a split by slice, with images of one person on both
sides. The second leaks; it is there to show how much the leak alone adds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msnode.errors import ConfigError
from msnode.learn.evaluate import markdown
from msnode.learn.evaluate.figures_of_merit import short
from msnode.learn.evaluate.papers import PUBLISHED, Published
from msnode.learn.runs.directory import Outcome
from msnode.learn.runs.experiments import crossval, train
from msnode.learn.train.end_to_end import Progress
from msnode.learn.train.recipe import plan

MEASURES = ("accuracy", "sensitivity", "specificity", "precision", "f1", "auc")


@dataclass(frozen=True, slots=True)
class Model:
    """One row of a paper's table.

    Attributes:
        title: as shown in the table.
        preset: of the plan.
        changes: to the preset.
        published: its figures in the paper.
    """

    title: str
    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    published: tuple[Published, ...] = ()


def _half(name: str) -> dict[str, Any]:
    """The hybrid's preset for one of its halves."""
    return {"architecture": name, "arguments": {}, "two_stage": False}


HYBRID, SHALLOW, SWIN = "hybrid-section-5.5", "shallow-cnn", "swin"
TABLES: dict[str, tuple[Model, ...]] = {
    "hybrid": (
        Model("InceptionV3 alone", HYBRID, _half("inception")),
        Model("DenseNet121 alone", HYBRID, _half("densenet")),
        Model("hybrid without mix-up", HYBRID, {"mixup": 0.0}, PUBLISHED["hybrid"][1:]),
        Model("hybrid with mix-up", HYBRID, {}, PUBLISHED["hybrid"][:1]),
    ),
    "shallow": (
        Model("shallow CNN", SHALLOW, {}, PUBLISHED["shallow_cnn"]),
        Model("SVM", "svm", {}, PUBLISHED["svm"]),
        Model("decision tree", "decision-tree", {}, PUBLISHED["decision_tree"]),
    ),
    "swin": (Model("Swin-T", SWIN, {}, PUBLISHED["swin"]),),
}
"""By the name that ``msnode papers`` takes."""

SCHEMES = {"hybrid": "k-fold", "shallow": "k-fold", "swin": "leave-one-patient-out"}
"""Splits by person: the paper's own scheme, where it splits by person at all."""


def replicate(
    index: Path,
    out: Path,
    papers: Sequence[str],
    changes: Mapping[str, Any],
    progress: Progress,
) -> str:
    """Train every model of the papers and write their tables.

    Args:
        index: CSV as ``data.read`` takes it.
        out: gets a run directory for each model and split, and ``papers.md``; a killed run is
            resumed there.
        papers: names of ``TABLES``; empty means all.
        changes: to every plan, e.g. ``{"epochs": 3}``.
        progress: as for ``train``.

    Returns:
        The tables as Markdown.

    Raises:
        ConfigError: no such table, or the data cannot be used.
    """
    if unknown := set(papers) - set(TABLES):
        raise ConfigError(f"{', '.join(unknown)}: no such table; use one of {', '.join(TABLES)}")
    parts = [
        _paper(name, index, out, changes, progress) for name in TABLES if name in (papers or TABLES)
    ]
    text = "\n".join(parts)
    (out / "papers.md").write_text(text, encoding="utf-8")
    return text


def _paper(
    name: str, index: Path, out: Path, changes: Mapping[str, Any], progress: Progress
) -> str:
    """One paper's table, and its folds where the paper reports by fold."""
    scheme = SCHEMES[name]
    heads = ("model", "measure", f"{scheme}, by person", "naive, by person", "by slice (leaks)")
    lines = [f"## {name}", "", *markdown.header((*heads, "published"))]
    folds: list[str] = []
    for model in TABLES[name]:
        how = plan(model.preset, **{**model.changes, **changes})
        folder = out / "-".join([name, *model.title.split()])
        honest = crossval(index, folder / "by-person", how, scheme, progress=progress)
        leaking = train(index, folder / "by-slice", how, "leaking", progress=progress)
        lines += _rows(model, honest, leaking)
        folds += _folds(model.title, honest) if name == "swin" else []
    return "\n".join([*lines, "", *folds])


def _rows(model: Model, honest: Outcome, leaking: Outcome) -> Iterator[str]:
    """One line per measure; the published figures with their source."""
    for measure in MEASURES:
        printed = [
            f"{p.figures[measure]} ({p.source})" for p in model.published if measure in p.figures
        ]
        mine = honest.slices[measure], honest.naive[measure], leaking.slices[measure]
        yield markdown.row((model.title, measure, *map(str, mine), "; ".join(printed) or "-"))


def _folds(title: str, outcome: Outcome) -> Iterator[str]:
    """One line per fold; each fold is one person."""
    yield from (f"### {title} by fold", "")
    yield from markdown.header(("fold", "images", "accuracy", "F1", "AUC"))
    for fold, of in outcome.folds.items():
        figures = (short(of[name]) for name in ("accuracy", "f1", "auc"))
        yield markdown.row((fold, f"{of['images']:.0f}", *figures))
    yield ""
