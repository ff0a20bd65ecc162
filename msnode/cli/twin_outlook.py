"""What `msnode twin show` prints of what is to be expected."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from msnode.errors import MsnodeError
from msnode.manage.expected_course import courses
from msnode.report.course_picture import picture
from msnode.report.localised import Words
from msnode.twin.course_timeline import timeline
from msnode.twin.expect.forecast import Forecast
from msnode.twin.expect.outlook import Expectation, Outlook, WhatIf, outlook
from msnode.twin.expect.scored_value import Interval
from msnode.twin.patient_state import PatientState


def draw(found: PatientState, told: Forecast, png: Path) -> None:
    """Draw the course into a file.

    Raises:
        MsnodeError: there is nothing to draw.
    """
    shown = timeline(found.course, told)
    if not (shown.scans or shown.has_course):
        raise MsnodeError("there is nothing to draw: no scan with outlines, no dated event")
    picture(shown, Words("en")).save(png, "PNG")


def as_objects(told: Forecast, rate: float | None) -> dict[str, object]:
    """The same as JSON has it."""
    return {
        "expected": asdict(outlook(told)),
        "what_if": [asdict(one) for one in courses(told, rate)],
    }


def tables(told: Forecast, rate: float | None) -> Iterator[Table]:
    """Expectation and courses."""
    yield _expected(outlook(told))
    yield _courses(courses(told, rate))


def _expected(told: Outlook) -> Table:
    title = f"expected by {told.until}, in 80 of 100 such patients"
    table = Table(box=SIMPLE, pad_edge=False, title=title, title_justify="left")
    for name in ("what", "expected", "a year", "population alone", "a year", "rests on"):
        table.add_column(name, overflow="fold")
    for one in (told.new_lesions, told.load, told.edss):
        digits = 2 if one.name == "EDSS" else 1
        table.add_row(
            one.name,
            _span(one.expected, one.name),
            f"{one.a_year.low:.{digits}f} to {one.a_year.high:.{digits}f}",
            f"[dim]{_span(one.prior, one.name)}",
            f"[dim]{one.prior_a_year.low:.{digits}f} to {one.prior_a_year.high:.{digits}f}",
            _basis(one, len(told.changes)),
        )
    return table


def _span(interval: Interval, name: str) -> str:
    """An interval in the quantity's digits."""
    if name == "new lesions":
        return f"{interval.low:.0f} to {interval.high:.0f}"
    unit = " ml" if name == "load" else ""
    return f"{interval.low:.1f} to {interval.high:.1f}{unit}"


def _basis(one: Expectation, changes: int) -> str:
    """What it rests on."""
    if one.missing:
        return f"[yellow]population alone[/]: {one.missing}"
    if one.is_prior:
        return "[yellow]population alone[/]: nothing of it is on record"
    of_what = {"new lesions": "compared intervals", "load": "scans", "EDSS": "EDSS"}[one.name]
    left_out = f", {one.left_out} left out" if one.left_out else ""
    changed = f", {changes} change(s) of treatment" if changes else ""
    return f"{len(one.used)} {of_what} in {one.years:.1f} years{left_out}{changed}"


def _courses(found: Iterable[WhatIf]) -> Table:
    title = "courses that the model draws (80 %); no statement on any treatment"
    table = Table(box=SIMPLE, pad_edge=False, title=title, title_justify="left")
    for name in ("course", "by", "new lesions since", "load", "EDSS"):
        table.add_column(name, overflow="fold")
    for course in found:
        rows = zip(
            course.load.days, course.new_lesions.intervals, course.load.intervals,
            course.edss.intervals, strict=True,
        )  # fmt: skip
        for number, (day, new, load, edss) in enumerate(rows):
            label = "" if number else course.label
            spans = _span(new, "new lesions"), _span(load, "load"), _span(edss, "EDSS")
            table.add_row(label, str(day), *spans)
    return table
