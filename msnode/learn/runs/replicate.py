"""Repeats the papers' tables on the user's own data, with the published figures beside.

Every model is measured twice: by person, and on a split by slice, with images of one person on both
sides. The second leaks; it is there to show how much the leak alone adds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msnode.errors import ConfigError
from msnode.learn.data.index_csv import Row, read, write
from msnode.learn.evaluate import markdown
from msnode.learn.evaluate.figures_of_merit import short
from msnode.learn.evaluate.papers import PUBLISHED, Published
from msnode.learn.runs import paper_costs, preconditions, reduction
from msnode.learn.runs.directory import Outcome
from msnode.learn.runs.experiments import crossval, train
from msnode.learn.runs.reduction import Reduction
from msnode.learn.train.cohort import open_cohort
from msnode.learn.train.end_to_end import Progress
from msnode.learn.train.recipe import Plan, plan

MEASURES = ("accuracy", "sensitivity", "specificity", "precision", "f1", "auc")
FOLDS = 5
"""Of k-fold."""
AS_THEY_ARE = {"filled": False, "locations": 0.0}
"""The papers learn from the label of the slice, and fill no lesions in."""


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
        Model("hybrid end to end", "hybrid-end-to-end"),
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


@dataclass(frozen=True, slots=True)
class Run:
    """A model of a paper, as it is going to be trained.

    Attributes:
        paper: name of ``TABLES``.
        model: row of the table.
        plan: that is trained.
        folds: by person; the split by slice comes on top.
        images: of all persons.
        seconds: that both splits may take.
        done: whether an earlier command finished both.
    """

    paper: str
    model: Model
    plan: Plan
    folds: int
    images: int
    seconds: float
    done: bool


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for.

    Attributes:
        papers: names of ``TABLES``; empty means all.
        only: titles of models; empty means all of the papers.
        changes: to every plan, e.g. ``{"batch": 8}``.
        less: what is left out.
    """

    papers: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    less: Reduction = Reduction()  # noqa: RUF009 - frozen

    def chosen(self) -> list[tuple[str, Model]]:
        """The models, by paper.

        Raises:
            ConfigError: no such table or model.
        """
        if unknown := set(self.papers) - set(TABLES):
            raise ConfigError(
                f"{', '.join(sorted(unknown))}: no such table; use one of {', '.join(TABLES)}"
            )
        asked = [(n, m) for n in TABLES if n in (self.papers or TABLES) for m in TABLES[n]]
        titles = [model.title for _, model in asked]
        if unknown := set(self.only) - set(titles):
            raise ConfigError(
                f"{', '.join(sorted(unknown))}: no such model; use one of {', '.join(titles)}"
            )
        return [(n, m) for n, m in asked if m.title in (self.only or titles)]

    def plan(self, model: Model) -> Plan:
        """The plan of a model."""
        settings = {**AS_THEY_ARE, **model.changes, **self.changes}
        return self.less.plan(plan(model.preset, **settings))


def replicate(
    index: Path,
    out: Path,
    order: Order,
    progress: Progress,
    announce: Callable[[Sequence[Run]], bool] = lambda _: True,
) -> str:
    """Train every model of the papers and write their tables.

    Args:
        index: CSV as ``data.read`` takes it.
        out: gets a run directory for each model and split, and ``papers.md``; a killed run is
            resumed there.
        order: which models, and how.
        progress: as for ``train``.
        announce: told what is going to be run and how long it may take; False ends it there.

    Returns:
        The tables as Markdown; "" where ``announce`` ended it.

    Raises:
        ConfigError: no such table or model, or the data cannot be used.
    """
    everyone = read(index)
    rows = order.less.rows(everyone)
    for name, model in order.chosen():
        preconditions.check(rows, order.plan(model), SCHEMES[name], order.less.folds or FOLDS)
    used = _reduced(rows, out, order.less) if len(rows) < len(everyone) else index
    runs = [_foreseen(used, out, name, model, order) for name, model in order.chosen()]
    if not announce(runs):
        return ""
    people = tuple(len({row.person for row in some}) for some in (rows, everyone))
    text = "\n".join(_tables(used, out, order, (people[0], people[1]), progress))
    (out / "papers.md").write_text(text, encoding="utf-8")
    return text


def _reduced(rows: Sequence[Row], out: Path, less: Reduction) -> Path:
    """An index of the persons who are left."""
    file = out / f"{less.persons}-persons.csv"
    write(file, rows)
    return file


def _foreseen(index: Path, out: Path, name: str, model: Model, order: Order) -> Run:
    """What a model's runs will take; prepares its images."""
    how, scheme = order.plan(model), SCHEMES[name]
    folder = _folder(out, name, model)
    cohort = open_cohort(index, how, folder / "prepared")
    honest = cohort.splits(scheme, order.less.folds or FOLDS, how.seed)
    leaking = cohort.splits("leaking", seed=how.seed)
    ends = (folder / split / "metrics.json" for split in ("by-person", "by-slice"))
    seconds = sum(paper_costs.of_split(how, split) for split in (*honest, *leaking))
    done = all(file.exists() for file in ends)
    return Run(name, model, how, len(honest), len(cohort.labels), seconds, done)


def _folder(out: Path, name: str, model: Model) -> Path:
    """Of a model's two runs."""
    return out / "-".join([name, *model.title.split()])


def _tables(
    index: Path, out: Path, order: Order, persons: tuple[int, int], progress: Progress
) -> Iterator[str]:
    """Each paper's table."""
    chosen = order.chosen()
    for name in dict.fromkeys(paper for paper, _ in chosen):
        models = [model for paper, model in chosen if paper == name]
        yield _paper(name, models, index, out, order, persons, progress)


def _paper(
    name: str,
    models: Sequence[Model],
    index: Path,
    out: Path,
    order: Order,
    persons: tuple[int, int],
    progress: Progress,
) -> str:
    """One paper's table, and its folds where the paper reports by fold."""
    scheme, count = SCHEMES[name], order.less.folds or FOLDS
    heads = ("model", "measure", f"{scheme}, by person", "naive, by person", "by slice (leaks)")
    lines: list[str] = markdown.header((*heads, "published"))
    folds: list[str] = []
    notes: list[str] = []
    for model in models:
        how, folder = order.plan(model), _folder(out, name, model)
        named = _named(progress, model.title)
        honest = crossval(index, folder / "by-person", how, scheme, count, progress=named)
        leaking = train(index, folder / "by-slice", how, "leaking", progress=named)
        lines += _rows(model, honest, leaking)
        folds += _folds(model.title, honest) if name == "swin" else []
        less = reduction.said(
            model.preset, how, persons, (count, FOLDS) if scheme == "k-fold" else (0, 0)
        )
        notes.append(f"- {model.title}: {'; '.join(filter(None, (less, *_changed(how, model))))}")
    if missing := [model.title for model in TABLES[name] if model not in models]:
        notes.append(f"- not run: {', '.join(missing)}")
    return "\n".join([f"## {name}", "", *notes, "", *lines, "", *folds])


def _named(progress: Progress, title: str) -> Progress:
    """Progress that says whose it is."""
    return lambda what, done, total: progress(f"{title}: {what}", done, total)


def _changed(how: Plan, model: Model) -> Iterator[str]:
    """What else is not as in the paper: the question, the start, other settings."""
    yield reduction.origin(how)
    if how.target == "lesions":
        yield "asks whether the slice shows lesions, which the paper did not ask"
    usual = plan(model.preset, **{**AS_THEY_ARE, **model.changes})
    usual = replace(usual, target=how.target, weights=how.weights)
    told = (*reduction.LESS, "target", "weights")
    for name in Plan.__slots__:
        if name not in told and getattr(how, name) != getattr(usual, name):
            yield f"{name} {getattr(how, name)} in place of {getattr(usual, name)}"


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
