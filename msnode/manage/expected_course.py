"""What is expected of a patient: the forecast of a state, and courses that the model draws."""

from calendar import monthrange
from datetime import date

from msnode.twin.expect.forecast import Forecast, forecast
from msnode.twin.expect.outlook import WhatIf, what_if
from msnode.twin.expect.priors import Priors
from msnode.twin.patient_state import PatientState

AHEAD_YEARS = (1, 2, 3, 5)
"""Of the courses."""


def forecast_of(found: PatientState, priors: Priors) -> Forecast:
    """What is believed of a patient in this state."""
    return forecast(found.course, priors, found.on)


def courses(told: Forecast, rate: float | None) -> list[WhatIf]:
    """Activity as it is believed to be, stopped, and at another rate if one is asked for."""
    days = [_anniversary(told.on, years) for years in AHEAD_YEARS]
    rates = [None, 0.0, *([rate] if rate else [])]
    return [what_if(told, days, one) for one in rates]


def _anniversary(day: date, years: int) -> date:
    """The same day of a later year; of 29 February, which few have, the day before March."""
    last = min(day.day, monthrange(day.year + years, day.month)[1])
    return day.replace(year=day.year + years, day=last)
