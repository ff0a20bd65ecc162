"""A forecast in intervals: the next twelve months, and courses if activity were another."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from scipy.special import pdtr

from msnode.records.sentences import Sentence, Text
from msnode.twin.expect import edss_scale
from msnode.twin.expect.forecast import Belief, Beliefs, Forecast
from msnode.twin.expect.lesion_rate import Rate, quantile
from msnode.twin.expect.line import Line, ends
from msnode.twin.expect.scored_value import HIGH, LOW, Interval
from msnode.twin.rules.activity import YEAR_DAYS

AHEAD = timedelta(days=365)
"""So far ahead looks what is expected."""
MOST_ML = 2000.0
"""More than a brain holds."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Of one quantity, 80 % intervals.

    Attributes:
        name: new lesions, load or EDSS.
        unit: of it.
        expected: at the end of the time (new lesions: within it), as it would be measured.
        prior: the same, if nothing were known of the patient.
        a_year: rate or growth a year.
        prior_a_year: the same, if nothing were known of the patient.
        is_prior: whether nothing is known of the patient, so that both are the same.
        used: keys of the studies, or identities of the events, that it rests on.
        years: from the first of them to the last.
        left_out: number of others that could not be used.
        missing: why nothing can be learned from what is there; "" where it can.
    """

    name: str
    unit: str
    expected: Interval
    prior: Interval
    a_year: Interval
    prior_a_year: Interval
    is_prior: bool
    used: tuple[str, ...]
    years: float
    left_out: int
    missing: Text


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of a patient.

    Attributes:
        on: the day it is told on.
        until: the day it is told of.
        changes: of treatment so far, each of which opened the intervals again.
        new_lesions: from ``on`` to ``until``.
        load: ml, on ``until``.
        edss: points, on ``until``.
    """

    on: date
    until: date
    changes: tuple[date, ...]
    new_lesions: Expectation
    load: Expectation
    edss: Expectation


@dataclass(frozen=True, slots=True)
class Band:
    """80 % intervals over time, as lesions, ml or points would be measured.

    Attributes:
        days: of the intervals.
        intervals: one a day.
    """

    days: tuple[date, ...]
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A course that the model draws; no statement on any treatment.

    Attributes:
        label: what is supposed.
        new_lesions: in all since the first day.
        load: ml; it grows in proportion to the new lesions.
        edss: points; the same in all courses, as the model does not link it to lesions.
    """

    label: Sentence
    new_lesions: Band
    load: Band
    edss: Band


def outlook(told: Forecast) -> Outlook:
    """What is expected within the next twelve months."""
    until = told.on + AHEAD
    years = AHEAD.days / YEAR_DAYS
    return Outlook(
        on=told.on,
        until=until,
        changes=told.changes,
        new_lesions=_expectation(
            "new lesions", "1", told.new_lesions, lambda one: one.expected(years), Rate.interval
        ),
        load=_expectation("load", "ml", told.load, lambda one: load_on(one, until), Line.growth),
        edss=_expectation("EDSS", "1", told.edss, lambda one: edss_on(one, until), Line.growth),
    )


def _expectation(
    name: str,
    unit: str,
    beliefs: Beliefs[Belief],
    ahead: Callable[[Belief], Interval],
    a_year: Callable[[Belief], Interval],
) -> Expectation:
    return Expectation(
        name=name,
        unit=unit,
        expected=ahead(beliefs.twin),
        prior=ahead(beliefs.prior),
        a_year=a_year(beliefs.twin),
        prior_a_year=a_year(beliefs.prior),
        is_prior=not beliefs.used,
        used=beliefs.used,
        years=round(beliefs.since, 2),
        left_out=beliefs.left_out,
        missing=beliefs.missing,
    )


def load_on(belief: Line, day: date) -> Interval:
    """The 80 % interval of a load that is measured on a day, ml."""
    return ends(belief.measured(day)).within(0.0, MOST_ML)


def edss_on(belief: Line, day: date) -> Interval:
    """The 80 % interval of an EDSS of a day."""
    return edss_scale.expected(belief.measured(day))


def what_if(told: Forecast, days: Iterable[date], rate: float | None = None) -> WhatIf:
    """The course that the model draws.

    Args:
        told: what is believed of the patient.
        days: none before ``told.on``.
        rate: new lesions a year that are supposed, 0 for none; None for those that are believed.
    """
    wanted = tuple(days)
    rates, load = told.new_lesions.twin, told.load.twin
    if rate is not None:
        factor = rate / rates.mean
        load = replace(
            load,
            slope=factor * load.slope,
            covariance=factor * load.covariance,
            slope_variance=factor**2 * load.slope_variance,
        )
    return WhatIf(
        label=_label(rate),
        new_lesions=Band(
            wanted,
            tuple(_new_lesions(rates, rate, (day - told.on).days / YEAR_DAYS) for day in wanted),
        ),
        load=Band(wanted, tuple(load_on(load, day) for day in wanted)),
        edss=Band(wanted, tuple(edss_on(told.edss.twin, day) for day in wanted)),
    )


def _label(rate: float | None) -> Sentence:
    if rate is None:
        return Sentence("if_as_believed")
    return Sentence("if_rate", rate=float(rate)) if rate else Sentence("if_stopped")


def _new_lesions(believed: Rate, rate: float | None, years: float) -> Interval:
    """Of the number since the first day; of a rate that is supposed, nobody is unsure."""
    if years <= 0 or rate == 0:
        return Interval(0, 0, 0)
    if rate is None:
        return believed.expected(years)
    mean = rate * years
    return Interval(*(quantile(lambda n: float(pdtr(n, mean)), p) for p in (LOW, 0.5, HIGH)))
