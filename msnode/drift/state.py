"""What is known of drift."""

from dataclasses import dataclass
from typing import Literal

Part = Literal["input", "output"]
PARTS: tuple[Part, ...] = ("input", "output")
INPUT = (
    "width", "length", "coverage", "roundness", "fill", "symmetry", "structure", "dome", "halves",
    "brightness", "contrast", "distance_mm", "slices",
)  # fmt: skip
"""The nine values of the input gate, brightness and contrast of the tissue, and the slices."""
OUTPUT = ("probability", "slice_median", "slice_highest", "lesion_ml", "lesion_count")
VALUES: dict[Part, tuple[str, ...]] = {"input": INPUT, "output": OUTPUT}
SHARES: dict[Part, str] = {"input": "refused", "output": "undetermined"}
"""A part of the studies: not analysed; without a decision."""
MIX = "scanner"
"""Which scanners the studies come from; of the input."""
FEWEST = 30
"""With fewer of either sample nothing is said of a value."""


@dataclass(frozen=True, slots=True)
class ValueState:
    """What is known of one value.

    Attributes:
        name: as in `VALUES` and `SHARES`, or `MIX`.
        drifts: whether it is other than it was, beyond chance.
        psi: against the baseline; None of a share.
        chance: the smaller of the chances of its tests.
        base: median of the baseline, or the share; None of the scanners.
        now: likewise, of the last block.
        training_psi: against the training data; None where the bundle does not tell.
        training_chance: likewise.
        outside: part of the block beyond 1 and 99 % of the training data; None likewise.
    """

    name: str
    drifts: bool
    psi: float | None
    chance: float
    base: float | None
    now: float | None
    training_psi: float | None = None
    training_chance: float | None = None
    outside: float | None = None


@dataclass(frozen=True, slots=True)
class PartState:
    """What is known of input or output.

    Attributes:
        baseline: studies in the baseline; until it is frozen, those that it has so far.
        frozen_at: unix s; None while it is not.
        missing: studies that are missing until something can be said; 0: it can.
        studies: of the last block, of ``patients``.
        until: unix s, of the last of them.
        next_in: studies until the next block is whole.
        values: empty as long as nothing can be said.
        alpha: chance of any false alarm of the block.
        new_scanners: studies of the block by scanner, of those that the baseline does not know.
        by_scanner: PSI by value, of each known scanner that has enough in both.
    """

    part: Part
    baseline: int
    frozen_at: float | None
    missing: int
    studies: int = 0
    patients: int = 0
    until: float | None = None
    next_in: int = 0
    values: tuple[ValueState, ...] = ()
    alpha: float = 0.0
    new_scanners: tuple[tuple[str, int], ...] = ()
    by_scanner: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether anything can be said."""
        return bool(self.values)

    @property
    def drifting(self) -> tuple[str, ...]:
        """Names of what is other than it was."""
        return tuple(one.name for one in self.values if one.drifts)


@dataclass(frozen=True, slots=True)
class DriftState:
    """What is known of both.

    Attributes:
        per_day: studies a day, of late.
    """

    input: PartState
    output: PartState
    per_day: float

    @property
    def parts(self) -> tuple[PartState, PartState]:
        """Both."""
        return self.input, self.output
