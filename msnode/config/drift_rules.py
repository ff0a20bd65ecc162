"""The settings of drift: what recent studies are compared with, and how seldom that may err."""

from dataclasses import dataclass
from typing import Annotated

from msnode.config.constraints import Within, above_zero


@dataclass(frozen=True, slots=True)
class Drift:
    """Whether studies or results are other than they were (docs/drift.md)."""

    baseline: Annotated[int, Within(50, 100_000)] = 300
    """So many first patients are what later studies are compared with; then it is frozen."""
    window: Annotated[int, Within(30, 100_000)] = 100
    """After so many studies more they are compared: each block is looked at once."""
    false_alarms_per_year: Annotated[float, above_zero] = 0.5
    """So many alarms in a year where nothing has changed, on average, at the node's own rate."""
