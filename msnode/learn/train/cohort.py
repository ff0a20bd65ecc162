"""An index with its prepared images: everything one experiment needs to know of its data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msnode.classify import build
from msnode.errors import ConfigError
from msnode.learn.data import splits
from msnode.learn.data.examples import Examples, load, thinned
from msnode.learn.data.index_csv import Row, read
from msnode.learn.data.splits import Labels, Rows, Split
from msnode.learn.synth.composition import LESION_PIXELS
from msnode.learn.train import classical
from msnode.learn.train.end_to_end import Task
from msnode.learn.train.recipe import Plan
from msnode.prepare import SMEAR
from msnode.records.images import InputContract


@dataclass(frozen=True)
class Cohort:
    """Images with what is known of each.

    Attributes:
        rows: of the index.
        examples: the prepared images.
        labels: (n,) 0 or 1.
    """

    rows: Sequence[Row]
    examples: Examples
    labels: Labels

    def of(self, name: str) -> NDArray[np.str_]:
        """(n,) a column of the index, one value per image."""
        values = np.array([str(getattr(row, name) or "") for row in self.rows])
        return values[self.examples.rows]

    @property
    def persons(self) -> list[str]:
        """(n,) the person of each image."""
        return [str(person) for person in self.of("person")]

    def task(self, split: Split) -> Task:
        """What a network is to learn from a split."""
        e = self.examples
        return Task(e.pixels, self.labels, e.lesions, e.masked, split.train, split.validation)

    def splits(self, scheme: str, folds: int = 5, seed: int = 0) -> list[Split]:
        """The splits of a scheme; rows with the role ``train`` are learned from in each.

        Raises:
            ConfigError: no such scheme, or nobody to test.
        """
        extra = self.of("role") == "train"
        chosen = np.flatnonzero(~extra)
        if not len(chosen):
            raise ConfigError("every row has the role train; nobody is left to be tested")
        found = self._split(scheme, folds, seed, chosen)
        return [
            splits.with_extra(split, chosen, np.flatnonzero(extra), self.persons) for split in found
        ]

    def _split(self, scheme: str, folds: int, seed: int, chosen: Rows) -> list[Split]:
        """The splits of some rows, which are numbered by their place in ``chosen``."""
        persons, classes, sites = (
            [str(value) for value in self.of(name)[chosen]] for name in ("person", "label", "site")
        )
        return splits.by_scheme(scheme, persons, classes, sites, folds, seed)


def open_cohort(
    index: Path,
    plan: Plan,
    cache: Path | None = None,
    contract: InputContract | None = None,
    progress: Callable[[int], None] = lambda _: None,
    one_class: bool = False,
) -> Cohort:
    """Read an index and prepare its images as the plan's classifier wants them.

    Args:
        index: CSV as ``data.read`` takes it.
        plan: for the images' size and what counts as class 1.
        cache: folder that keeps the prepared images.
        contract: for the images, if not the plan's.
        progress: called with 1 after each row.
        one_class: whether class 1 may be absent, e.g. where only healthy people are measured.

    Raises:
        ConfigError: the index, an image, or a label is unusable; names the rows.
    """
    rows = read(index)
    check_labels(rows, plan, one_class)
    wanted = contract or contract_of(plan)
    examples = thinned(load(rows, wanted, cache, progress), plan.max_slices)
    return Cohort(rows, examples, _labels(rows, examples, plan))


def contract_of(plan: Plan) -> InputContract:
    """The images that a plan's classifier takes; the classical baselines take the shallow CNN's."""
    name = "shallow_cnn" if plan.architecture in classical.KINDS else plan.architecture
    arguments = {} if plan.architecture in classical.KINDS else plan.arguments
    contract = build(name, arguments).contract
    if plan.tile_px:
        return replace(contract, sequences=(SMEAR,), tile_px=plan.tile_px)
    return (
        replace(contract, slab_mm=(plan.slab_mm[0], plan.slab_mm[1])) if plan.slab_mm else contract
    )


def check_labels(rows: Sequence[Row], plan: Plan, one_class: bool = False) -> None:
    """Refuse rows of which it cannot be said what class they are, images unseen.

    Args:
        rows: of the index.
        plan: its ``target`` and ``positive`` say what counts as class 1.
        one_class: whether class 1 may be absent.

    Raises:
        ConfigError: masks are missing, or labels are; names lines and labels.
    """
    if plan.target == "lesions":
        bare = [str(row.number) for row in rows if row.lesions is None]
        if bare:
            raise ConfigError(
                f"target is lesions, but column lesions is empty in lines {', '.join(bare[:20])}"
            )
        return
    names = sorted({row.label for row in rows})
    spelt = {*names, plan.positive}
    if len({name.casefold() for name in spelt}) < len(spelt):
        raise ConfigError(
            f"column label holds {', '.join(names)}, positive is {plan.positive}: a label is spelt"
            " in more than one way"
        )
    if plan.positive not in names and not one_class:
        raise ConfigError(
            f"no row has the label {plan.positive!r}; the index holds {', '.join(names)}:"
            " set positive to one of them"
        )


def _labels(rows: Sequence[Row], examples: Examples, plan: Plan) -> Labels:
    """Class of every image, by the row's label or by its lesions."""
    if plan.target == "lesions":
        scale = (examples.lesions.shape[-1] / 224) ** 2
        amount = examples.lesions.flatten(1).sum(1).numpy()
        return (amount >= max(1, LESION_PIXELS * scale)).astype(np.int64)
    per_row = np.array([row.label == plan.positive for row in rows], np.int64)
    return per_row[examples.rows]
