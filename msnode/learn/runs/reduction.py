"""Less than the papers' runs, where time is short; every reduction is said in the table."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from msnode.errors import ConfigError
from msnode.learn.data.index_csv import Row
from msnode.learn.train.recipe import PRESETS, Plan

LESS = ("epochs", "max_slices", "examples", "fusion_steps", "frozen")
"""Settings of a plan that make it shorter."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """What is left out; 0 leaves out nothing.

    Attributes:
        persons: of each label, at most.
        slices: of each scan, at most, evenly spread.
        epochs: at most.
        folds: of k-fold, in place of five.
    """

    persons: int = 0
    slices: int = 0
    epochs: int = 0
    folds: int = 0

    def __post_init__(self) -> None:
        for name in ("persons", "slices", "epochs", "folds"):
            if getattr(self, name) < 0:
                raise ConfigError(f"--{name} is {getattr(self, name)}; it must be 1 or more")

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """The rows of the persons who stay: of each label the first by pseudonym."""
        if not self.persons:
            return list(rows)
        by_label: defaultdict[str, set[str]] = defaultdict(set)
        for row in rows:
            by_label[row.label].add(row.person)
        kept = {one for people in by_label.values() for one in sorted(people)[: self.persons]}
        return [row for row in rows if row.person in kept]

    def plan(self, plan: Plan) -> Plan:
        """The plan with fewer epochs and slices."""
        epochs = min(plan.epochs, self.epochs or plan.epochs)
        return replace(plan, epochs=epochs, max_slices=self.slices or plan.max_slices)


def said(preset: str, plan: Plan, persons: tuple[int, int], folds: tuple[int, int]) -> str:
    """A sentence on what a run leaves out, "" where it is the preset's whole.

    Args:
        preset: of the paper.
        plan: that is run.
        persons: who are left, and who the index has.
        folds: of k-fold that are run, and the usual number.
    """
    parts = [*_counts(persons, folds), *_settings(preset, plan)]
    return f"reduced: {'; '.join(parts)}" if parts else ""


def _counts(persons: tuple[int, int], folds: tuple[int, int]) -> Iterator[str]:
    if persons[0] < persons[1]:
        yield f"{persons[0]} of {persons[1]} persons"
    if folds[0] != folds[1]:
        yield f"{folds[0]} folds in place of {folds[1]}"


def _settings(preset: str, plan: Plan) -> Iterator[str]:
    whole = Plan(**PRESETS[preset])
    for name in LESS:
        own, usual = getattr(plan, name), getattr(whole, name)
        if own == usual:
            continue
        if name == "max_slices":
            yield f"at most {own} slices of a scan"
        elif name == "frozen":
            yield "the backbones are left as they were pretrained"
        elif own < usual and (plan.two_stage or name == "epochs"):
            yield f"{name.replace('_', ' ')} {own} of {usual}"


def origin(plan: Plan) -> str:
    """Where the weights of a run start from."""
    files = [file.strip().rpartition("/")[2] for file in plan.weights.split(",")]
    return f"starts from {', '.join(files)}" if plan.weights else "starts from random weights"
