"""An interval, and what a forecast had said of the value that came: the same for all quantities."""

import math
from dataclasses import dataclass

LOW, HIGH = 0.1, 0.9
"""The ends of an 80 % interval, as probabilities."""
LEAST = -20.0
"""No log score is less: one value that was held for impossible must not outweigh all others."""

TINY = 1e-300
"""A probability whose logarithm can still be taken."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An 80 % interval.

    Attributes:
        low: its lower end.
        middle: the median.
        high: its upper end.
    """

    low: float
    middle: float
    high: float

    def within(self, least: float, most: float = math.inf) -> "Interval":
        """What of it lies on a scale."""
        return Interval(*(min(max(one, least), most) for one in (self.low, self.middle, self.high)))


@dataclass(frozen=True, slots=True)
class Told:
    """What a forecast had said of the value that came.

    Attributes:
        log_density: natural logarithm of its probability, or density.
        below: probability that it had given to less.
        up_to: probability that it had given to the value or less; as ``below`` for what is no
            whole number or step.
    """

    log_density: float
    below: float
    up_to: float

    @property
    def log_score(self) -> float:
        """More is better."""
        return max(self.log_density, LEAST)

    @property
    def covered(self) -> float:
        """Whether the value lay within the 80 % interval, from 0 to 1; 0.8 in the mean if it fits.

        A whole number at the end of the interval counts by the part of its probability that the
        80 % need, as whole numbers cannot hold exactly 80 % (Czado et al., Biometrics
        2009;65:1254: the randomised probability integral transform, here its mean).
        """
        width = self.up_to - self.below
        if width <= 0:
            return float(LOW <= self.below <= HIGH)
        return max(0.0, min(self.up_to, HIGH) - max(self.below, LOW)) / width
