"""The volume of all lesions over time, with its measurement error, on an axis of true time."""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from reportlab.pdfgen.canvas import Canvas

from msnode.records.dicom_date import day_of
from msnode.report import lesion_wording
from msnode.report.case import Case
from msnode.report.pdf_layout import FAINT, GREY, INK, MARGIN, WIDTH, heading

MOST = 6
"""Earlier studies shown: the latest."""

HEIGHT = 92.0
CHART = 46.0
"""Height of the whole and of the axes, points."""


@dataclass(frozen=True, slots=True)
class Point:
    """A study's volume."""

    day: date
    ml: float


def points(case: Case) -> list[Point]:
    """The latest studies that this network outlined, and this one; none where it is alone."""
    now = day_of(str(case.header.study.get("StudyDate", "")))
    if not case.has_outlines or now is None:
        return []
    model = case.outlined.model
    found = [
        Point(one.study_date, one.lesion_ml)
        for one in case.report.priors
        if one.lesion_ml is not None and one.lesion_digest == model.digest and one.study_date < now
    ]
    return [*found[-MOST:], Point(now, case.outlined.ml)] if found else []


def height(case: Case) -> float:
    """What `draw` takes of the page, points."""
    return HEIGHT if points(case) else 0.0


def notes(case: Case) -> list[str]:
    """What the bars mean, and which studies are missing."""
    error, model = case.outlined.comparison.ml_error, case.outlined.model
    told = []
    if error is not None:
        told.append(case.say("load_error", error=lesion_wording.ml(case, error)))
    if any(one.lesion_digest not in ("", model.digest) for one in case.report.priors):
        told.append(case.say("load_other"))
    return told


def draw(canvas: Canvas, case: Case, at: tuple[float, float], width: float) -> None:
    """Draw it with its top left corner at a place."""
    found, (left, top) = points(case), at
    if not found:
        return
    _title(canvas, case, left, top)
    error = case.outlined.comparison.ml_error or 0.0
    most = 1.25 * max(one.ml + error for one in found)
    days = max((found[-1].day - found[0].day).days, 1)
    bottom = top - 20 - CHART
    canvas.setStrokeColor(FAINT)
    canvas.setLineWidth(0.5)
    canvas.line(left, bottom, left + width, bottom)
    inset = 22.0
    places = [
        (
            left + inset + (width - 2 * inset) * (one.day - found[0].day).days / days,
            bottom + CHART * one.ml / most,
        )
        for one in found
    ]
    _line(canvas, places)
    for one, (x, y) in zip(found, places, strict=True):
        _bar(canvas, x, y, CHART * error / most)
        canvas.setFillColor(INK)
        canvas.setFont("Inter-SemiBold", 7)
        canvas.drawCentredString(x, y + CHART * error / most + 4, lesion_wording.ml(case, one.ml))
    _dates(canvas, found, places, bottom - 8)


def _title(canvas: Canvas, case: Case, left: float, top: float) -> None:
    heading(canvas, f"{case.say('load')} (ml)", top, left)
    canvas.setFillColor(GREY)
    canvas.setFont("Inter-Regular", 6.5)
    for number, note in enumerate(notes(case)):
        canvas.drawRightString(WIDTH - MARGIN, top - 20 - CHART - 17 - 8 * number, note)


def _line(canvas: Canvas, places: list[tuple[float, float]]) -> None:
    canvas.setStrokeColor(GREY)
    canvas.setLineWidth(0.8)
    for (x, y), (to_x, to_y) in pairwise(places):
        canvas.line(x, y, to_x, to_y)


def _bar(canvas: Canvas, x: float, y: float, error: float) -> None:
    """A volume, and by what it may be off."""
    canvas.setStrokeColor(INK)
    canvas.setLineWidth(0.9)
    if error:
        canvas.line(x, y - error, x, y + error)
        for end in (y - error, y + error):
            canvas.line(x - 2.5, end, x + 2.5, end)
    canvas.setFillColor(INK)
    canvas.circle(x, y, 2.2, stroke=0, fill=1)


def _dates(canvas: Canvas, found: list[Point], places: list[tuple[float, float]], y: float) -> None:
    """First and last date, and those between that have room."""
    canvas.setFillColor(GREY)
    canvas.setFont("Inter-Regular", 6.5)
    ends = {0, len(found) - 1}
    last = places[-1][0]
    free = places[0][0] + 42
    for number, (one, (x, _)) in enumerate(zip(found, places, strict=True)):
        if number in ends or free < x < last - 42:
            canvas.drawCentredString(x, y, one.day.isoformat())
            free = x + 42
