"""The part of the page that shows lesions: pictures, numbers by region, those that matter."""

from collections.abc import Sequence
from itertools import accumulate

from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from msnode.records.lesions import REGIONS, Lesion
from msnode.report import contours, lesion_load, lesion_tiles, lesion_wording
from msnode.report.case import Case, image_label
from msnode.report.lesion_groups import changes, drawn, matter, places
from msnode.report.palette import LESION
from msnode.report.pdf_layout import (
    FAINT,
    GREY,
    HEIGHT,
    INK,
    MARGIN,
    TEXT,
    WIDTH,
    colour,
    heading,
    letters,
)

LISTED = 8
"""Lesions of the table, of those that matter."""

ROW = 10.5
GAP = 5.0
CAPTIONS = 42.0
"""Points that the pictures take beside themselves."""

LARGEST = (TEXT - 3 * GAP) / 4
"""Side of a picture, points."""

USUAL = 112.0
"""Unless the text needs more room."""

SPLIT = 0.54
"""Part of the page's width that the numbers by region take."""


def headline(canvas: Canvas, case: Case) -> float:
    """What changed, how many lesions there are, what the classifier says; returns the y below."""
    found, y = case.outlined, HEIGHT - 72
    compared = found.comparison.status == "compared"
    words = lesion_wording.changed_short(case) if compared else lesion_wording.count_short(case)
    canvas.setFillColor(GREY)
    canvas.setFont("Inter-Regular", 10)
    canvas.drawString(MARGIN, y, case.say("lesions_title"))
    canvas.drawRightString(WIDTH - MARGIN, y, case.say("pattern"))
    canvas.setFillColor(INK)
    canvas.setFont("Inter-SemiBold", 24)
    canvas.drawString(MARGIN, y - 26, words)
    canvas.setFont("Inter-SemiBold", 10)
    canvas.drawRightString(WIDTH - MARGIN, y - 16, lesion_wording.pattern_short(case))
    return y - 42


def height(case: Case) -> float:
    """What `tables` takes of the page, points."""
    regions = ROW * len(_by_region(case)) + 22
    listed = ROW * (len(_listed(case)) + 1) + 24 if _listed(case) else 0.0
    return max(regions, lesion_load.height(case)) + listed


def pictures(canvas: Canvas, case: Case, y: float, size: float) -> float:
    """Four pictures in a row, of two scans in pairs; returns the y below."""
    shown = lesion_tiles.stack(case)
    chosen = lesion_tiles.chosen(case)
    tiles: list[tuple[str, Image.Image]] = []
    for index in chosen:
        if shown.prior is not None:
            earlier = lesion_tiles.prior(shown, index)
            tiles.append((lesion_tiles.date(case, earlier=True), earlier))
        words = lesion_tiles.label(case, index)
        if shown.prior is not None:
            words = f"{case.say('scan_now')} · {words}"
        tiles.append((words, lesion_tiles.now(shown, index)))
    step = (TEXT - size) / 3
    for number, (words, picture) in enumerate(tiles[:4]):
        x = MARGIN + number * step
        canvas.drawImage(ImageReader(picture), x, y - size, size, size)
        letters(canvas, shown.letters, x, y - size, size)
        canvas.setFillColor(INK)
        canvas.setFont("Inter-Regular", 8)
        canvas.drawString(x, y - size - 10, words)
    _legend(canvas, case, y - size - 24)
    return y - size - CAPTIONS


def _legend(canvas: Canvas, case: Case, y: float) -> None:
    """What the outlines mean."""
    x = MARGIN
    canvas.setFont("Inter-Regular", 7.5)
    for name in drawn(case):
        sample = contours.swatch(name, (52, 32), lesion_tiles.LINE, (24, 30, 39))
        canvas.drawImage(ImageReader(sample), x, y - 2, 15, 9)
        words = lesion_tiles.legend(case, name)
        canvas.setFillColor(GREY)
        canvas.drawString(x + 19, y, words)
        x += 19 + canvas.stringWidth(words, "Inter-Regular", 7.5) + 12
    canvas.setFont("Inter-Regular", 7)
    canvas.drawString(MARGIN, y - 10, case.say("legend"))


def tables(canvas: Canvas, case: Case, y: float) -> float:
    """Numbers by region beside the volume over time, then the lesions; returns the y below."""
    rows = _by_region(case)
    _rows(canvas, rows, y, MARGIN, SPLIT * TEXT if lesion_load.height(case) else TEXT)
    left = MARGIN + SPLIT * TEXT + 18
    lesion_load.draw(canvas, case, (left, y), WIDTH - MARGIN - left)
    y -= max(ROW * len(rows) + 22, lesion_load.height(case))
    listed = _listed(case)
    if not listed:
        return y
    total = len(case.outlined.lesions)
    title = "most_important" if changes(case.outlined) else "largest"
    heading(canvas, case.say(title, shown=len(listed), count=total), y)
    return _list(canvas, case, listed, y - 12)


def _by_region(case: Case) -> list[lesion_wording.Row]:
    """The table of `lesion_wording.table`, regions downwards."""
    found = case.outlined
    regions = [one for one in REGIONS if one != "unknown" or found.count(one)]
    rows = lesion_wording.table(case, regions)
    names = rows[0][1]
    head = [name for name, _ in rows[1:]]
    turned = [(name, [values[i] for _, values in rows[1:]]) for i, name in enumerate(names)]
    return [(case.say("column_region"), head), *turned]


def _rows(
    canvas: Canvas, rows: Sequence[lesion_wording.Row], y: float, left: float, width: float
) -> None:
    """Rows under a head, numbers at the right; the last row is the total."""
    edges = [left + edge for edge in _right_edges(canvas, rows, width)]
    for number, (name, values) in enumerate(rows):
        baseline = y - 10 - ROW * number
        bold = number == len(rows) - 1
        canvas.setFont("Inter-SemiBold" if bold else "Inter-Regular", 8)
        canvas.setFillColor(INK if number else GREY)
        canvas.drawString(left, baseline, name)
        for edge, value in zip(edges, values, strict=True):
            canvas.drawRightString(edge, baseline, value)
        _rule(canvas, left, baseline - 2.6, width)


def _right_edges(canvas: Canvas, rows: Sequence[lesion_wording.Row], width: float) -> list[float]:
    """Of the columns of numbers: each as wide as its widest word, the rest of the room shared."""
    columns = [[name for name, _ in rows], *zip(*(values for _, values in rows), strict=True)]
    first, *wide = (
        max(canvas.stringWidth(cell, "Inter-SemiBold", 8) for cell in column) for column in columns
    )
    gap = (width - first - sum(wide)) / len(wide)
    return [first + edge + gap * number for number, edge in enumerate(accumulate(wide), 1)]


def _rule(canvas: Canvas, left: float, y: float, width: float) -> None:
    canvas.setStrokeColor(FAINT)
    canvas.setLineWidth(0.4)
    canvas.line(left, y, left + width, y)


def _listed(case: Case) -> tuple[Lesion, ...]:
    return matter(case.outlined)[:LISTED]


COLUMNS = (0.0, 0.09, 0.28, 0.56, 0.72, 0.80)
"""Left edges of lesion, change, region and image; right edges of volume and diameter between."""


def _list(canvas: Canvas, case: Case, listed: Sequence[Lesion], y: float) -> float:
    """A line a lesion; returns the y below."""
    say = case.say
    what, where = changes(case.outlined), places(case, listed)
    head = ("column_lesion", "column_change", "column_region", "column_mm3", "column_mm")
    lines = [(*map(say, head), say("column_image"))]
    for one in listed:
        change = say(f"lesion_{what[one.number]}") if one.number in what else "–"
        sizes = (f"{one.mm3:.0f}", say.number(one.diameter_mm))
        place = lesion_wording.place(case, one)
        lines.append(
            (str(one.number), change, place, *sizes, image_label(case, where[one.number].source))
        )
    for number, cells in enumerate(lines):
        baseline = y - 10 - ROW * number
        canvas.setFont("Inter-Regular", 8)
        canvas.setFillColor(INK if number else GREY)
        for column, (cell, at) in enumerate(zip(cells, COLUMNS, strict=True)):
            put = canvas.drawRightString if column in (3, 4) else canvas.drawString
            put(MARGIN + TEXT * at, baseline, cell)
        if number and what.get(listed[number - 1].number) in ("new", "enlarging"):
            canvas.setFillColor(colour(LESION[what[listed[number - 1].number]]))
            canvas.circle(MARGIN + TEXT * COLUMNS[1] - 7, baseline + 2.7, 2.4, stroke=0, fill=1)
        _rule(canvas, MARGIN, baseline - 2.6, TEXT)
    return y - ROW * len(lines) - 12
