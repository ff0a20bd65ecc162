"""Patients of whom the truth is known: drawn from the population that the priors speak of."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from msnode.twin.clinical.course import Course, Imaging
from msnode.twin.clinical.events import Event
from msnode.twin.expect.edss_scale import STEPS
from msnode.twin.expect.forecast import load_error
from msnode.twin.expect.priors import load_priors

PRIORS = load_priors()
FIRST = date(2015, 1, 1)


@dataclass(frozen=True)
class Patient:
    """The record, up to each visit, and the truth at the last one.

    Attributes:
        course: the whole of it.
        rate: true rate of new lesions since the last change of treatment.
        slope: true growth of the load, ml a year, likewise.
    """

    course: Course
    rate: float
    slope: float

    def before(self, day: date) -> Course:
        """What was on record before a day."""
        events = tuple(e for e in self.course.events if e.day and e.day < day)
        imaging = tuple(s for s in self.course.imaging if s.day and s.day < day)
        return Course(events, imaging, ())


def patient(dice: np.random.Generator, visits: int, change_at: int | None = None) -> Patient:
    """A patient with a scan and an EDSS at each visit, half a year to two years apart.

    Args:
        dice: where all comes from.
        visits: number of them.
        change_at: number of the visit at which a treatment begins.
    """
    new, load, edss = PRIORS.new_lesions, PRIORS.load, PRIORS.edss
    kept = PRIORS.kept_at_change.value
    scale = new.mean.value / new.shape.value
    rate = dice.gamma(new.shape.value, scale)
    levels = np.array([dice.normal(p.mean.value, p.spread.value) for p in (load, edss)])
    slopes = np.array([dice.normal(p.slope.value, p.slope_spread.value) for p in (load, edss)])
    error = load_error(load, [max(levels[0], 0.0)])
    day = FIRST
    prior: date | None = None
    events: list[Event] = []
    imaging: list[Imaging] = []
    for visit in range(visits):
        if prior is not None:
            years = int(dice.integers(180, 730)) / 365.25
            day = prior + timedelta(days=round(years * 365.25))
            walk = np.array([load.wander.value, edss.wander.value]) * years**0.5
            levels = levels + slopes * years + walk * dice.normal(size=2)
        count = int(dice.poisson(rate * (day - prior).days / 365.25)) if prior else None
        ml = float(levels[0] + error * dice.normal())
        imaging.append(Imaging(f"{visit:016x}", day, prior, 3, ml, count, 0, "n"))
        score = levels[1] + edss.error.value * dice.normal()
        step = min(STEPS, key=lambda one: abs(one - score))
        events.append(Event("edss", day, f"{step:.1f}"))
        if visit == change_at:
            events.append(Event("treatment_begun", day, "x"))
            if dice.random() >= kept:
                rate = dice.gamma(new.shape.value, scale)
            spread = np.array([load.slope_spread.value, edss.slope_spread.value])
            mean = np.array([load.slope.value, edss.slope.value])
            noise = (1 - kept**2) ** 0.5 * spread * dice.normal(size=2)
            slopes = mean + kept * (slopes - mean) + noise
        prior = day
    return Patient(Course(tuple(events), tuple(imaging), ()), float(rate), float(slopes[0]))
