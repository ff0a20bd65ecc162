"""A patient's course and what is expected of it, as it is drawn."""

from collections.abc import Iterator
from datetime import date

from msnode.records.timeline import Ahead, ScanPoint, Timeline, TreatmentSpan
from msnode.twin.clinical.course import Course
from msnode.twin.expect.forecast import Forecast
from msnode.twin.expect.outlook import AHEAD, Band, what_if

STEPS = 6
"""Places at which a band is drawn."""


def timeline(course: Course, told: Forecast) -> Timeline:
    """What is drawn of a patient on the day of a forecast.

    Expected is shown only where something is known of the patient himself: a band that is the
    population's would be taken for his.
    """
    days = [told.on + AHEAD * step / STEPS for step in range(STEPS + 1)]
    ahead = what_if(told, days)
    rate = told.new_lesions
    vague = course.vague_relapses(date.min, date.max)
    return Timeline(
        on=told.on,
        scans=tuple(_scans(course)),
        edss=tuple((one.day, one.value) for one in course.edss())
        if not course.contradicted("edss")
        else (),
        relapses=tuple(sorted(one.span for one in (*course.relapses(), *vague))),
        reviewed=course.reviewed(),
        treatments=tuple(_treatments(course)),
        load_ahead=_ahead(ahead.load) if told.load.used else (),
        edss_ahead=_ahead(ahead.edss) if told.edss.used else (),
        new_ahead=_ahead(ahead.new_lesions)[-1] if rate.used else None,
    )


def _ahead(band: Band) -> tuple[Ahead, ...]:
    pairs = zip(band.days, band.intervals, strict=True)
    return tuple(Ahead(day, one.low, one.middle, one.high) for day, one in pairs)


def _scans(course: Course) -> Iterator[ScanPoint]:
    shown = [one for one in course.imaging if one.day is not None and one.lesion_ml is not None]
    for one in shown:
        if one.day is not None and one.lesion_ml is not None:
            same = one.network == shown[-1].network
            yield ScanPoint(
                one.day, one.lesion_ml, one.regions, same, one.prior, one.new, one.enlarging
            )


def _treatments(course: Course) -> Iterator[TreatmentSpan]:
    """Each begin with the next stop of that name; a stop without a begin has none."""
    running: dict[str, TreatmentSpan] = {}
    for event in course.of("treatment_begun", "treatment_stopped"):
        name = event.value.casefold()
        if event.kind == "treatment_begun":
            exact = event.last is None
            running.setdefault(name, TreatmentSpan(event.value, event.about, None, exact))
        else:
            begun = running.pop(name, TreatmentSpan(event.value, None, None))
            exact = begun.is_exact and event.last is None
            yield TreatmentSpan(begun.name, begun.begin, event.about, exact)
    yield from running.values()
