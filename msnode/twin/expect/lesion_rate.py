"""The rate of new lesions: Gamma distributed, their number in a time Poisson distributed.

So the number that is to be expected is negative binomially distributed. A change of treatment
leaves a part ``kept`` of what was learned: lesions and time before it count by that part (a power
prior; Ibrahim and Chen, Stat Sci 2000;15:46). That opens the interval and draws it towards the
population: to start anew (0) would throw away that somebody has many lesions, to go on (1) that
the treatment may have ended it.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from msnode.twin.expect.priors import Priors
from msnode.twin.expect.scored_value import HIGH, LOW, Interval, Told
from msnode.twin.rules.activity import YEAR_DAYS, Compared


@dataclass(frozen=True, slots=True)
class Rate:
    """What is believed of a rate of new lesions a year: a Gamma distribution.

    Attributes:
        shape: of it; grows with each lesion seen.
        years: its inverse scale; grows with the time seen.
    """

    shape: float
    years: float

    @property
    def mean(self) -> float:
        """Lesions a year."""
        return self.shape / self.years

    def interval(self) -> Interval:
        """The 80 % interval of the rate itself, lesions a year."""
        from scipy.special import gammaincinv  # as below

        low, middle, high = (
            float(gammaincinv(self.shape, p)) / self.years for p in (LOW, 0.5, HIGH)
        )
        return Interval(low, middle, high)

    def up_to(self, number: int, years: float) -> float:
        """Probability of at most so many new lesions within a time."""
        if number < 0:
            return 0.0
        from scipy.special import (
            betainc,
        )  # takes a while; who only deletes beliefs has no use of it

        return float(betainc(self.shape, number + 1, self.years / (self.years + years)))

    def expected(self, years: float) -> Interval:
        """The 80 % interval of the number of new lesions within a time, whole numbers."""
        low, middle, high = (
            quantile(lambda number: self.up_to(number, years), p) for p in (LOW, 0.5, HIGH)
        )
        return Interval(low, middle, high)

    def judged(self, number: int, years: float) -> Told:
        """What this belief had said of a number of new lesions within a time."""
        odds = self.years / (self.years + years)
        log_probability = (
            math.lgamma(self.shape + number) - math.lgamma(self.shape) - math.lgamma(number + 1)
            + self.shape * math.log(odds) + number * math.log1p(-odds)
        )  # fmt: skip
        return Told(log_probability, self.up_to(number - 1, years), self.up_to(number, years))


def quantile(up_to: Callable[[int], float], probability: float) -> int:
    """The smallest whole number that is not exceeded with at least a probability."""
    high = 1
    while up_to(high) < probability:
        high *= 2
    low = -1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if up_to(middle) >= probability else (middle, high)
    return high


def prior(priors: Priors) -> Rate:
    """What is believed of somebody who was never compared."""
    shape, mean = priors.new_lesions.shape.value, priors.new_lesions.mean.value
    return Rate(shape, shape / mean)


def posterior(
    compared: Sequence[Compared], changes: Sequence[date], priors: Priors, on: date
) -> Rate:
    """What is believed of a patient on a day.

    Args:
        compared: intervals that do not overlap.
        changes: of treatment.
        priors: the population.
        on: the day; later changes do not count.
    """
    known = [day for day in changes if day <= on]
    belief = prior(priors)
    for one in compared:
        weight = _weight(one, known, priors.kept_at_change.value)
        years = (one.day - one.prior).days / YEAR_DAYS
        belief = Rate(belief.shape + weight * one.new, belief.years + weight * years)
    return belief


def _weight(one: Compared, changes: Sequence[date], kept: float) -> float:
    """How much of an interval is left after the changes of treatment since, or within it.

    Nobody knows which of its lesions came before a change within it: as if all came at one pace.
    """
    inside = sorted(day for day in changes if one.prior < day < one.day)
    ends = [one.prior, *inside, one.day]
    later = sum(day >= one.day for day in changes)
    parts = (
        (end - begin).days * kept ** (later + len(inside) - number)
        for number, (begin, end) in enumerate(pairwise(ends))
    )
    return sum(parts) / (one.day - one.prior).days


def disjoint(compared: Iterable[Compared]) -> list[Compared]:
    """Intervals that do not overlap, oldest first: those that cover most days, then the finest.

    A scan may have been compared with any earlier one; of overlapping intervals, the same lesions
    would count twice.
    """
    ordered = sorted(compared, key=lambda one: (one.day, one.prior, one.study_key))
    best: list[tuple[int, tuple[Compared, ...]]] = [(0, ())]
    for number, one in enumerate(ordered):
        before = bisect_right([other.day for other in ordered[:number]], one.prior)
        days, chosen = best[before]
        taken = days + (one.day - one.prior).days, (*chosen, one)
        best.append(max(best[-1], taken, key=lambda choice: (choice[0], len(choice[1]))))
    return list(best[-1][1])
