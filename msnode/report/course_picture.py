"""A patient's course on one axis of time, drawn dark on white, legible in grey."""

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from msnode.records.timeline import Timeline
from msnode.report import course_rows
from msnode.report.canvas import Canvas
from msnode.report.course_axis import LEFT, RIGHT, WIDTH, Axis
from msnode.report.localised import Words
from msnode.report.paper import BAND, FAINT, GREY, INK, WHITE

SCALE = 2
TOP, GAP, LINE = 54.0, 18.0, 18.0
"""Units above the rows, between them, and a line of the notes."""


@dataclass(frozen=True, slots=True)
class Row:
    """A part of the picture, its title, and its height in units."""

    title: str
    height: float
    part: type[course_rows.Part]


def picture(told: Timeline, say: Words) -> Image.Image:
    """The course.

    Args:
        told: what is on record, and what is expected.
        say: phrases of a language.

    Returns:
        RGB, 2400 pixels wide, as high as there is something to draw.
    """
    axis = Axis.of(told)
    rows, notes = list(_rows(told, say, axis)), list(_notes(told, say))
    bottom = TOP + sum(row.height + GAP for row in rows)
    height = bottom + 30 + LINE * len(notes) + 12
    image = Image.new("RGB", (round(WIDTH * SCALE), round(height * SCALE)), WHITE)
    canvas = Canvas(image, SCALE)
    canvas.text((20, 14), say("course_title"), 19, INK, bold=True)
    _ground(canvas, axis, say, bottom)
    y = TOP
    for row in rows:
        canvas.text((20, y), row.title, 14, INK, bold=True, width=LEFT - 40)
        row.part(canvas, axis, told, say).draw(y)
        y += row.height + GAP
    _years(canvas, axis, y)
    for number, note in enumerate(notes):
        canvas.text((20, y + 34 + LINE * number), note, 12, GREY, width=WIDTH - 40)
    return image


def _rows(told: Timeline, say: Words, axis: Axis) -> Iterator[Row]:
    """What there is something to draw of."""
    if told.scans:
        yield Row(say("course_load"), 210, course_rows.Load)
    if any(one.new is not None for one in told.scans):
        yield Row(say("course_new"), 46, course_rows.New)
    if told.edss:
        yield Row(say("course_edss"), 130, course_rows.Edss)
    if told.relapses or told.reviewed:
        yield Row(say("course_relapses"), 24, course_rows.Relapses)
    if told.treatments:
        height = course_rows.height_of_treatments(axis, told)
        yield Row(say("course_treatment"), height, course_rows.Treatments)


def _ground(canvas: Canvas, axis: Axis, say: Words, bottom: float) -> None:
    """The day it is drawn on, what lies behind it, and the years."""
    now = axis.x(axis.on)
    canvas.rectangle((now, TOP - 8, WIDTH - RIGHT, bottom), BAND)
    for day in axis.ticks():
        canvas.line((axis.x(day), TOP - 8, axis.x(day), bottom), FAINT)
    canvas.line((now, TOP - 16, now, bottom), INK)
    canvas.text((now - 5, TOP - 24), axis.on.isoformat(), 12, INK, anchor="ra")
    canvas.text((now + 5, TOP - 24), say("course_expected"), 12, GREY)


def _years(canvas: Canvas, axis: Axis, y: float) -> None:
    canvas.line((LEFT, y, WIDTH - RIGHT, y), INK)
    for day in axis.ticks():
        canvas.line((axis.x(day), y, axis.x(day), y + 5), INK)
        canvas.text((axis.x(day), y + 8), axis.words(day), 12, INK, anchor="ma")


def _notes(told: Timeline, say: Words) -> Iterator[str]:
    """How to read it: of what is drawn only."""
    if told.load_ahead or told.edss_ahead or told.new_ahead:
        yield say("course_band")
    if any(one.new is not None for one in told.scans):
        yield say("course_missed")
    if any(not one.same_network for one in told.scans):
        yield say("course_other")
    if any(not one.regions for one in told.scans):
        yield say("course_regions_missing")
    if told.relapses or told.reviewed:
        yield say("course_reviewed")
    rough = any(first != last for first, last in told.relapses)
    if rough or not all(one.is_exact for one in told.treatments):
        yield say("course_about")
    yield f"{say('banner')} · {say('research')}"
