"""The EDSS as it is given: steps from 0 to 10, where the line behind it is a number of any size."""

import math
from itertools import pairwise
from statistics import NormalDist

from msnode.twin.expect.scored_value import HIGH, LOW, TINY, Interval, Told

STEPS = (0.0, *(half / 2 for half in range(2, 21)))
"""There is no 0.5 (Kurtzke 1983)."""
EDGES = (-math.inf, *((low + high) / 2 for low, high in pairwise(STEPS)), math.inf)
"""What lies between two of them is given as one step: what is beyond the scale as its end."""


def up_to(normal: NormalDist, number: int) -> float:
    """Probability of a step, or a lower one; of none below the first."""
    edge = EDGES[number + 1]
    return 1.0 if edge == math.inf else 0.0 if edge == -math.inf else normal.cdf(edge)


def expected(normal: NormalDist) -> Interval:
    """The 80 % interval, in steps of the scale."""
    found = (
        next(step for number, step in enumerate(STEPS) if up_to(normal, number) >= p)
        for p in (LOW, 0.5, HIGH)
    )
    return Interval(*found)


def judged(normal: NormalDist, value: float) -> Told:
    """What a forecast had said of an EDSS."""
    number = min(range(len(STEPS)), key=lambda one: abs(STEPS[one] - value))
    below, most = up_to(normal, number - 1), up_to(normal, number)
    return Told(math.log(max(most - below, TINY)), below, most)
