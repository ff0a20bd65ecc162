"""What every montage has: its size, the banner, the warnings at its foot, the dates."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from msnode.report import lesion_wording, wording
from msnode.report.canvas import Canvas, font, wrap
from msnode.report.case import Case
from msnode.report.palette import BACKGROUND, BANNER, FAINT, ON_BANNER, TEXT, Colour, UInt8Array

SIZE = 1024
"""Units; `SCALE` pixels each."""

SCALE = 2
MARGIN = 28
RIGHT = SIZE - MARGIN
GAP = 16

SMALL = (13, 12, 11, 10)
"""Sizes of the last lines: the first in which nothing is cut off."""


def blank(case: Case) -> Canvas:
    """An empty picture with its banner."""
    canvas = Canvas(Image.new("RGB", (SCALE * SIZE, SCALE * SIZE), BACKGROUND), SCALE)
    _banner(canvas, case)
    return canvas


def finished(canvas: Canvas, case: Case) -> UInt8Array:
    """The picture with what stands at its foot, (2048, 2048, 3) uint8 RGB."""
    _footer(canvas, case)
    _last_line(canvas, case)
    return np.asarray(canvas.image)


def _banner(canvas: Canvas, case: Case) -> None:
    """Cannot be missed: nobody has verified this."""
    canvas.rectangle((0, 0, SIZE, 47), BANNER)
    canvas.rectangle((0, SIZE - 6, SIZE, SIZE), BANNER)
    taken = canvas.text((RIGHT, 24), case.say("research"), 16, ON_BANNER, anchor="rm")
    room = RIGHT - MARGIN - taken - GAP
    canvas.text((MARGIN, 24), case.say("banner"), 23, ON_BANNER, bold=True, anchor="lm", width=room)


def _footer(canvas: Canvas, case: Case) -> None:
    """What to be warned of, how good the model is, why this series."""
    analysed = case.report.finding is not None
    undecided = [case.say("undecided", why=doubt) for doubt in wording.doubts(case)]
    checks = (lesion_wording.doubtful, lesion_wording.disagreement)
    doubted = [check(case) for check in checks] if case.has_outlines else []
    told = lesion_wording.remarks(case) if case.has_outlines else []
    lines = [
        (" · ".join(filter(None, [*doubted, *undecided, *wording.warnings(case)])), BANNER),
        (" ".join(told), TEXT),
        (case.say("limits"), TEXT),
        (_performance(case) if analysed else "", FAINT),
        (wording.notice(case), FAINT),
    ]
    y, end, width = 886.0, 996.0, RIGHT - MARGIN
    size = next((s for s in SMALL if y + _height(lines, s, width) <= end), SMALL[-1])
    if analysed:  # worth saying, but also said in the reports
        more = (case.say.label("series_used", wording.series(case)), FAINT)
        lines += [more] if y + _height([*lines, more], size, width) <= end else []
    for line, colour in lines:
        most = int((end - y) / (1.4 * size) + 0.01)
        if line and most > 0:
            y = canvas.paragraph((MARGIN, y), line, size, width, most, colour)


def _performance(case: Case) -> str:
    """Below lesions, whose figures they are: the classifier's."""
    told = wording.performance(case)
    return case.say.label("pattern", told) if told and case.has_outlines else told


def _last_line(canvas: Canvas, case: Case) -> None:
    """Whose study of when, and when it was processed; the two dates are not to be confused."""
    identity = wording.identity(case) if case.describe.identity_on_pictures else ""
    canvas.text((MARGIN, 1012), identity, 13, TEXT, anchor="ls", width=560)
    dates = " · ".join(wording.dates(case))
    canvas.text((RIGHT, 1012), dates, 13, FAINT, anchor="rs")


def _height(lines: Sequence[tuple[str, Colour]], size: int, width: float) -> float:
    """What paragraphs take, pixels."""
    return sum(1.4 * size * len(wrap(line, font(size), width, 99)) for line, _ in lines if line)
