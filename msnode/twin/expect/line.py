"""A quantity that grows along a line, one for each person, measured with an error.

Level and slope are normally distributed; the level strays from its line as a random walk. Each
measurement moves both (a Kalman filter, which for a walk of 0 is Bayesian regression). After a
change of treatment, the slope is what it was only in part: slope' = mean + kept (slope - mean) +
noise, so that the slopes of the population stay as they are spread.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import NormalDist

from msnode.twin.expect.priors import LinePrior
from msnode.twin.expect.scored_value import HIGH, LOW, Interval
from msnode.twin.rules.activity import YEAR_DAYS


@dataclass(frozen=True, slots=True)
class Line:
    """What is believed of a line on a day; ml or points, and years.

    Attributes:
        day: the day.
        level: mean of the level.
        slope: mean growth a year.
        level_variance: of the level.
        covariance: of level and slope.
        slope_variance: of the slope.
        walk: variance that the level gains in a year.
        error: standard deviation of a measurement.
    """

    day: date
    level: float
    slope: float
    level_variance: float
    covariance: float
    slope_variance: float
    walk: float
    error: float

    def later(self, day: date) -> "Line":
        """The same belief on a later day (or, for an earlier one, as it is)."""
        years = max((day - self.day).days, 0) / YEAR_DAYS
        return replace(
            self,
            day=max(day, self.day),
            level=self.level + years * self.slope,
            level_variance=self.level_variance
            + 2 * years * self.covariance
            + years**2 * self.slope_variance
            + years * self.walk,
            covariance=self.covariance + years * self.slope_variance,
        )

    def saw(self, value: float) -> "Line":
        """The belief after a measurement on its day."""
        total = self.level_variance + self.error**2
        gain, slope_gain = self.level_variance / total, self.covariance / total
        surprise = value - self.level
        return replace(
            self,
            level=self.level + gain * surprise,
            slope=self.slope + slope_gain * surprise,
            level_variance=(1 - gain) * self.level_variance,
            covariance=(1 - gain) * self.covariance,
            slope_variance=self.slope_variance - slope_gain * self.covariance,
        )

    def opened(self, prior: LinePrior, kept: float) -> "Line":
        """The belief after a change of treatment: the level stays, the slope may be another."""
        mean, variance = prior.slope.value, prior.slope_spread.value**2
        return replace(
            self,
            slope=mean + kept * (self.slope - mean),
            covariance=kept * self.covariance,
            slope_variance=kept**2 * self.slope_variance + (1 - kept**2) * variance,
        )

    def measured(self, day: date) -> NormalDist:
        """What a measurement of a day would be."""
        then = self.later(day)
        return NormalDist(then.level, (then.level_variance + then.error**2) ** 0.5)

    def growth(self) -> Interval:
        """The 80 % interval of the slope, a year."""
        return ends(NormalDist(self.slope, max(self.slope_variance, 1e-12) ** 0.5))


def ends(normal: NormalDist) -> Interval:
    """The 80 % interval of a normal distribution."""
    return Interval(*(normal.inv_cdf(p) for p in (LOW, 0.5, HIGH)))


def start(prior: LinePrior, error: float, day: date) -> Line:
    """What is believed of somebody who was never measured, by whose first measurement it begins."""
    return Line(
        day=day,
        level=prior.mean.value,
        slope=prior.slope.value,
        level_variance=prior.spread.value**2,
        covariance=0.0,
        slope_variance=prior.slope_spread.value**2,
        walk=prior.wander.value**2,
        error=error,
    )


def population(prior: LinePrior, error: float, day: date) -> Line:
    """The naive forecast that knows the population only: at any time its mean and spread."""
    belief = start(prior, error, day)
    return replace(belief, slope=0.0, slope_variance=0.0, walk=0.0)


def last_value(value: float, day: date, prior: LinePrior, error: float) -> Line:
    """The naive forecast that it stays at what was measured last.

    It is given what it may know: the error of a measurement, and how far people drift and stray.
    """
    belief = replace(start(prior, error, day), level=value, slope=0.0)
    return replace(belief, level_variance=error**2)


def learned(
    begun: Line,
    measures: Sequence[tuple[date, float]],
    changes: Iterable[date],
    prior: LinePrior,
    kept: float,
) -> Line:
    """The belief after measurements and changes of treatment.

    Args:
        begun: see `start`.
        measures: day and value, oldest first.
        changes: of treatment; only those since the first measurement matter.
        prior: the population.
        kept: part of the slope that a change leaves.
    """
    if not measures:
        return begun
    belief = replace(begun, day=measures[0][0])
    # of one day, what was measured comes before what was changed
    happened: list[tuple[date, float | None]] = [*measures, *((day, None) for day in changes)]
    for day, value in sorted(happened, key=lambda one: (one[0], one[1] is None, one[1] or 0.0)):
        if day >= belief.day:
            belief = belief.later(day)
            belief = belief.opened(prior, kept) if value is None else belief.saw(value)
    return belief
