"""The montage of a study in which lesions were outlined: earlier and now side by side."""

from PIL import Image

from msnode.records.lesions import REGIONS
from msnode.report import contours, lesion_tiles, lesion_wording, wording
from msnode.report.canvas import Canvas
from msnode.report.case import Case
from msnode.report.lesion_groups import drawn
from msnode.report.lesion_tiles import Stack
from msnode.report.montage_frame import GAP, MARGIN, RIGHT, SCALE, blank, finished
from msnode.report.palette import BACKGROUND, DECISION, FAINT, LESION, PANEL, RULE, TEXT, UInt8Array
from msnode.report.tiles import SIDE

TILE = SIDE / SCALE
TOP = 216
ROW = 268
"""Height of a row of tiles with its captions."""

INSIDE = 3
"""Between the two tiles of a pair."""

LEGEND = 762


def draw(case: Case) -> UInt8Array:
    """Draw the picture from top to bottom."""
    canvas = blank(case)
    _headline(canvas, case)
    _particulars(canvas, case)
    canvas.line((MARGIN, 204, RIGHT, 204), RULE)
    shown = lesion_tiles.stack(case)
    if shown.prior is None:
        _slices(canvas, case, shown)
    else:
        _pairs(canvas, case, shown)
    _legend(canvas, case)
    _table(canvas, case)
    return finished(canvas, case)


def _headline(canvas: Canvas, case: Case) -> None:
    """What changed or, without a comparison, how many lesions there are; then the sentences."""
    found = case.outlined
    canvas.text((MARGIN, 62), case.say("lesions_title"), 16, FAINT)
    if found.comparison.status == "compared":
        words = lesion_wording.changed_short(case)
        colour = LESION["new"] if found.comparison.count("new") else TEXT
    else:
        words, colour = lesion_wording.count_short(case), TEXT
    size = canvas.fitting(words, (36, 32, 28, 24), 560)
    canvas.text((MARGIN - 1, 82), words, size, colour, bold=True, width=570)
    y = 128.0
    for line in [lesion_wording.count(case), *lesion_wording.comparison(case)[:1]]:
        y = canvas.paragraph((MARGIN, y), line, 12, 560, 2, TEXT)


def _particulars(canvas: Canvas, case: Case) -> None:
    """What the classifier says, how soon to read, from which series."""
    choice = wording.used(case)
    rows = [
        (case.say("priority"), wording.priority(case), TEXT),
        (case.say("pattern"), lesion_wording.pattern_short(case), DECISION[case.finding.decision]),
        (case.say("series_used"), wording.named(case, choice) if choice else "–", TEXT),
    ]
    y, left = 62.0, 628.0
    for label, value, colour in rows:
        canvas.text((left, y), label, 13, FAINT, width=RIGHT - left)
        size = canvas.fitting(value, (16, 15, 14, 13), RIGHT - left)
        canvas.text((left, y + 17), value, size, colour, width=RIGHT - left)
        y += 46


def _pairs(canvas: Canvas, case: Case, shown: Stack) -> None:
    """Two scans side by side, two pairs a row."""
    wide = 2 * TILE + INSIDE
    for number, index in enumerate(lesion_tiles.chosen(case)):
        left = MARGIN + (number % 2) * (RIGHT - MARGIN - wide)
        top = TOP + ROW * (number // 2)
        canvas.text(
            (left, top), lesion_tiles.date(case, earlier=True), 14, FAINT, bold=True, width=TILE
        )
        right = left + TILE + INSIDE
        canvas.text(
            (right, top),
            lesion_tiles.date(case, earlier=False),
            14,
            TEXT,
            bold=True,
            width=TILE - 74,
        )
        canvas.text((right + TILE, top), lesion_tiles.label(case, index), 13, FAINT, anchor="ra")
        _tile(canvas, shown, lesion_tiles.prior(shown, index), left, top + 22)
        _tile(canvas, shown, lesion_tiles.now(shown, index), right, top + 22)
        _numbers(canvas, case, shown, index, right, top + 22)


def _slices(canvas: Canvas, case: Case, shown: Stack) -> None:
    """This scan alone, four slices a row."""
    for number, index in enumerate(lesion_tiles.chosen(case)):
        left = MARGIN + (number % 4) * (TILE + GAP)
        top = TOP + ROW * (number // 4)
        canvas.text((left, top), lesion_tiles.label(case, index), 14, TEXT, bold=True, width=TILE)
        _tile(canvas, shown, lesion_tiles.now(shown, index), left, top + 22)
        _numbers(canvas, case, shown, index, left, top + 22)


def _tile(canvas: Canvas, shown: Stack, picture: Image.Image, left: float, top: float) -> None:
    """A picture, and which side of the patient is where."""
    canvas.paste(picture, (left, top))
    middle, edge = TILE / 2, TILE - 5
    places = ((5, middle, "lm"), (edge, middle, "rm"), (middle, 5, "mt"), (middle, edge, "ms"))
    for letter, (x, y, anchor) in zip(shown.letters, places, strict=True):
        canvas.outlined((left + x, top + y), letter, 12, anchor)


def _numbers(canvas: Canvas, case: Case, shown: Stack, index: int, left: float, top: float) -> None:
    """The numbers of the lesions that the SR and the page name."""
    for lesion, x, y in lesion_tiles.named(case, shown, index):
        at = (left + TILE * x + 5, top + TILE * y)
        canvas.outlined(at, str(lesion.number), 12, "lm")


def _legend(canvas: Canvas, case: Case) -> None:
    """What the outlines mean, by colour and stroke."""
    x = float(MARGIN)
    for name in drawn(case):
        size = (26 * SCALE, 16 * SCALE)
        canvas.paste(contours.swatch(name, size, lesion_tiles.LINE, BACKGROUND), (x, LEGEND - 8))
        words = lesion_tiles.legend(case, name)
        x += 32 + canvas.text((x + 30, LEGEND), words, 13, TEXT, anchor="lm") + 18
    room = RIGHT - x
    note = case.say("legend")
    points = canvas.fitting(note, (12, 11, 10, 9), room)
    canvas.text((RIGHT, LEGEND), note, points, FAINT, anchor="rm", width=room)


def _table(canvas: Canvas, case: Case) -> None:
    """Numbers and volumes by region, and what is new there."""
    found, top = case.outlined, 780
    regions = [one for one in REGIONS if one != "unknown" or found.count(one)]
    rows = lesion_wording.table(case, regions)
    canvas.rectangle((MARGIN, top, RIGHT, top + 2 + 19 * len(rows)), PANEL)
    width = (RIGHT - MARGIN - 130) / len(rows[0][1])
    for line, (name, values) in enumerate(rows):
        y = top + 11 + 19 * line
        canvas.text((MARGIN + 10, y), name, 13, FAINT, anchor="lm", width=120)
        for column, value in enumerate(values):
            x = MARGIN + 120 + (column + 1) * width
            colour = FAINT if not line or value == "0" else TEXT
            bold = bool(line) and column == len(values) - 1
            size = canvas.fitting(value, (13, 12, 11, 10), width - 8)
            canvas.text((x, y), value, size, colour, bold=bold, anchor="rm", width=width)
