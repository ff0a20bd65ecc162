"""What is believed of a patient: by the model, and by two naive forecasts beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Generic, TypeVar

from msnode.records.sentences import Text, joined
from msnode.twin.clinical.course import Course
from msnode.twin.expect import lesion_rate, line
from msnode.twin.expect.lesion_rate import Rate
from msnode.twin.expect.line import Line
from msnode.twin.expect.priors import LinePrior, LoadPrior, Priors
from msnode.twin.rules.activity import YEAR_DAYS, compared_studies

Belief = TypeVar("Belief", Rate, Line)

ONE_CHANGE = timedelta(days=90)
"""Treatments that begin or stop so soon after a change are part of it: one switch, not two."""


@dataclass(frozen=True, slots=True)
class Beliefs(Generic[Belief]):
    """Of one quantity.

    Attributes:
        twin: the model's, after all that is known of the patient.
        prior: the model's before it.
        population: naive: the mean of the population.
        last: naive: as it was last; None where there is nothing yet.
        used: keys of the studies, or identities of the events, that moved it, by day.
        since: years from the first of them to the last.
        left_out: number of others that could not be used.
        missing: why nothing can be learned from what is there; "" where it can.
    """

    twin: Belief
    prior: Belief
    population: Belief
    last: Belief | None
    used: tuple[str, ...]
    since: float
    left_out: int = 0
    missing: Text = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of a patient, as of a day.

    Attributes:
        on: the day.
        changes: of treatment, so far.
        new_lesions: their rate.
        load: ml.
        edss: points.
    """

    on: date
    changes: tuple[date, ...]
    new_lesions: Beliefs[Rate]
    load: Beliefs[Line]
    edss: Beliefs[Line]


def forecast(course: Course, priors: Priors, on: date, network: str | None = None) -> Forecast:
    """What is believed of a patient.

    Args:
        course: up to the day.
        priors: the population.
        on: the day.
        network: digest of the network whose loads are forecast; None for that of the newest scan.
    """
    changes = changes_of_treatment(course)
    return Forecast(
        on=on,
        changes=changes,
        new_lesions=_new_lesions(course, changes, priors, on),
        load=_load(course, changes, priors, on, network),
        edss=_edss(course, changes, priors, on),
    )


def changes_of_treatment(course: Course) -> tuple[date, ...]:
    """Days on which a treatment began or was stopped, oldest first; one switch is one day."""
    found: list[date] = []
    for event in course.of("treatment_begun", "treatment_stopped"):
        if event.about and (not found or event.about - found[-1] > ONE_CHANGE):
            found.append(event.about)
    return tuple(found)


def _new_lesions(
    course: Course, changes: Sequence[date], priors: Priors, on: date
) -> Beliefs[Rate]:
    compared = compared_studies(course)
    used = lesion_rate.disjoint(compared)
    population = lesion_rate.prior(priors)
    last = None
    if used:
        # half a lesion more (Jeffreys' prior), or one interval without any would say "never"
        years = (used[-1].day - used[-1].prior).days / YEAR_DAYS
        last = Rate(used[-1].new + 0.5, years)
    return Beliefs(
        twin=lesion_rate.posterior(used, changes, priors, on),
        prior=population,
        population=population,
        last=last,
        used=tuple(one.study_key for one in used),
        since=sum((one.day - one.prior).days for one in used) / YEAR_DAYS,
        left_out=len(compared) - len(used),
    )


def _load(
    course: Course, changes: Sequence[date], priors: Priors, on: date, network: str | None
) -> Beliefs[Line]:
    """Loads of one network only: another one outlines more or less, which is no growth."""
    scans = [one for one in course.imaging if one.day and one.lesion_ml is not None]
    wanted = network or next((one.network for one in reversed(scans)), None)
    mine = [one for one in scans if one.network == wanted]
    measures = [(one.day, one.lesion_ml) for one in mine if one.day and one.lesion_ml is not None]
    error = load_error(priors.load, [ml for _, ml in measures])
    return _lines(
        measures, [one.study_key for one in mine], changes, priors.load, error,
        priors.kept_at_change.value, on, left_out=len(scans) - len(mine),
    )  # fmt: skip


def load_error(prior: LoadPrior, loads: Sequence[float]) -> float:
    """Standard deviation of a measurement, ml, at a patient's mean load."""
    mean = sum(loads) / len(loads) if loads else prior.mean.value
    return float((prior.error.value**2 + (prior.error_part.value * mean) ** 2) ** 0.5)


def _edss(course: Course, changes: Sequence[date], priors: Priors, on: date) -> Beliefs[Line]:
    problems = course.contradicted("edss")
    scores = () if problems else course.edss()
    return _lines(
        [(one.day, one.value) for one in scores], [one.event for one in scores], changes,
        priors.edss, priors.edss.error.value, priors.kept_at_change.value, on,
        missing=joined(problems),
    )  # fmt: skip


def _lines(
    measures: Sequence[tuple[date, float]],
    used: Sequence[str],
    changes: Sequence[date],
    prior: LinePrior,
    error: float,
    kept: float,
    on: date,
    left_out: int = 0,
    missing: Text = "",
) -> Beliefs[Line]:
    """Of what grows along a line."""
    begun = line.start(prior, error, on)
    last = line.last_value(measures[-1][1], measures[-1][0], prior, error) if measures else None
    return Beliefs(
        twin=line.learned(begun, measures, changes, prior, kept).later(on),
        prior=begun,
        population=line.population(prior, error, on),
        last=last.later(on) if last else None,
        used=tuple(used),
        since=(measures[-1][0] - measures[0][0]).days / YEAR_DAYS if measures else 0.0,
        left_out=left_out,
        missing=missing,
    )
