"""Ablation: what each part of the lesion-supervised recipe adds, measured by a run without it."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msnode.errors import ConfigError
from msnode.learn.data import examples
from msnode.learn.data.index_csv import Row, read, write
from msnode.learn.evaluate import markdown, paired
from msnode.learn.evaluate.figures_of_merit import Figure
from msnode.learn.evaluate.operating_point import TOP
from msnode.learn.runs import directory, fold_results, preconditions
from msnode.learn.runs.experiments import evaluate
from msnode.learn.runs.final_model import train_on_everyone
from msnode.learn.train.cohort import open_cohort
from msnode.learn.train.end_to_end import Progress
from msnode.learn.train.recipe import Plan, plan

MEASURES = (
    "slice_auc_against_filled_twin",
    "slice_auc_against_lesion_free",
    "slice_above_its_twin",
    "position_only_auc_against_lesion_free",
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table.

    Attributes:
        changes: to the plan.
        roles: of the index's rows that are learned from.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    roles: tuple[str, ...] = ("",)


VARIANTS: dict[str, Variant] = {
    "recipe": Variant(),
    "no-locations": Variant({"locations": 0.0}),
    "no-pseudo-controls": Variant({"pseudo_controls": 0.0}),
    "no-moved-lesions": Variant({"moved": 0.0}),
    "no-mixup": Variant({"mixup": 0.0}),
    "with-synthetic": Variant(roles=("", "train")),
    "synthetic-alone": Variant(roles=("train",)),
}
"""By name. Those with synthetic scans need rows of the role ``train``."""

OF_FUSION = {"mixup"}
"""Settings without effect on the extractors; variants of these alone reuse the recipe's."""


def ablate(
    index: Path,
    test: Path,
    out: Path,
    names: Sequence[str],
    preset: str,
    changes: Mapping[str, Any],
    progress: Progress,
) -> str:
    """Train every variant on all persons of one index and measure it on another's.

    All variants take about as many steps as the recipe does on the rows without a role.

    Args:
        index: CSV of the persons to learn from, with lesion masks.
        test: CSV of other persons, with lesion masks.
        out: gets a folder for each variant, and ``ablation.md``; a killed run is resumed there.
        names: of ``VARIANTS``; empty means all that the index has rows for.
        preset: of the plan, for lesions in two stages.
        changes: to the plan of every variant.
        progress: as for ``train``.

    Returns:
        The table as Markdown, of every variant in ``out`` that is finished.

    Raises:
        ConfigError: no such variant, a person in both indexes, or the data cannot be used.
    """
    rows, tested = read(index), read(test)
    _check(rows, tested, names)
    base = plan(preset, **changes)
    preconditions.check(rows, base, "everyone")
    directory.start(out, base, index, f"ablation, measured on {examples.digest(tested)}")
    for name in names or _possible(rows):
        _variant(name, rows, test, out, base, progress)
    text = table(out)
    (out / "ablation.md").write_text(text, encoding="utf-8")
    return text


def _check(rows: Sequence[Row], tested: Sequence[Row], names: Sequence[str]) -> None:
    """Refuse a run that would measure nothing, or measure on persons of the training set."""
    if unknown := set(names) - set(VARIANTS):
        raise ConfigError(
            f"{', '.join(sorted(unknown))}: no such variant; use one of {', '.join(VARIANTS)}"
        )
    if shared := {row.person for row in rows} & {row.person for row in tested}:
        raise ConfigError(f"{', '.join(sorted(shared))}: in both indexes; split them by person")
    if all(row.role for row in rows):
        raise ConfigError("every row has the role train; the recipe needs rows without a role")
    if lacking := set(names) - set(_possible(rows)):
        raise ConfigError(
            f"{', '.join(sorted(lacking))}: needs rows of the role train; make them with"
            " msnode data synthesize"
        )


def _possible(rows: Sequence[Row]) -> list[str]:
    """The variants that an index has rows for."""
    roles = {row.role for row in rows}
    return [name for name, variant in VARIANTS.items() if set(variant.roles) <= roles]


def _variant(
    name: str, rows: Sequence[Row], test: Path, out: Path, base: Plan, progress: Progress
) -> None:
    """Train and measure one variant, unless that is done."""
    folder, variant = out / name, VARIANTS[name]
    if (folder / "test" / "metrics.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    first, chosen = (_index(rows, roles, folder) for roles in (("",), variant.roles))
    prepared = folder / "prepared"
    slices = [len(open_cohort(part, base, prepared).labels) for part in (first, chosen)]
    epochs = max(1, round(base.epochs * slices[0] / slices[1]))
    own = replace(base, epochs=epochs, **variant.changes)
    finished = (out / "recipe/train/bundle").exists()
    if finished and variant.changes and set(variant.changes) <= OF_FUSION:
        shutil.copytree(out / "recipe/train/fold-1", folder / "train/fold-1", dirs_exist_ok=True)
    train_on_everyone(chosen, folder / "train", own, progress=progress)
    evaluate(folder / "train/bundle", test, folder / "test", own, progress)


def _index(rows: Sequence[Row], roles: Sequence[str], folder: Path) -> Path:
    """The rows of some roles as an index of their own."""
    chosen = [row for row in rows if row.role in roles]
    file = folder / f"{'-'.join(role or 'own' for role in roles)}.csv"
    write(file, chosen)
    return file


def table(out: Path) -> str:
    """The figures of every finished variant, as Markdown."""
    names = ("variant", "against filled twin", "against lesion-free", "above its twin")
    lines = [markdown.row((name, *map(str, figures))) for name, figures in _finished(out)]
    return "\n".join([*markdown.header((*names, "position alone")), *lines, ""])


def _finished(out: Path) -> Iterator[tuple[str, list[Figure]]]:
    """Name and figures of the finished variants."""
    for name in VARIANTS:
        if (out / name / "test" / "metrics.json").exists():
            found = paired.figures(fold_results.raw_twins(out / name / "test"), TOP)
            yield name, [found[measure] for measure in MEASURES]
