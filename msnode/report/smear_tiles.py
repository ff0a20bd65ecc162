"""The tiles of a blood smear on the montage: in colour, the most suspicious ones."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from msnode.records.results import SliceFinding
from msnode.report import wording
from msnode.report.canvas import Canvas
from msnode.report.case import Case
from msnode.report.montage_frame import GAP, MARGIN, SCALE
from msnode.report.palette import DECISION, TEXT

MOST = 8
"""Two rows of four."""
SIDE, TALL, TOP = 230, 282, 216
"""A tile, a row with what stands above and below it, and where the first one begins."""


def draw(canvas: Canvas, case: Case, chosen: Sequence[SliceFinding]) -> None:
    """Each tile with its number above and its probability below."""
    for number, found in enumerate(chosen):
        row, column = divmod(number, MOST // 2)
        left, top = MARGIN + column * (SIDE + GAP), TOP + row * TALL
        canvas.text((left, top), wording.name(case, found), 14, TEXT, bold=True, width=SIDE)
        canvas.paste(picture(case, found.index), (left, top + 20))
        foot = top + 20 + SIDE + 6
        colour = DECISION[case.finding.decision]
        canvas.bar((left, foot, left + SIDE - 62, foot + 10), found.probability, colour)
        percent = case.say.percent(found.probability)
        canvas.text((left + SIDE, foot + 5), percent, 17, TEXT, bold=True, anchor="rm")


def picture(case: Case, index: int) -> Image.Image:
    """A tile in colour, SIDE units wide."""
    pixels = case.slices.pixels[index].transpose(1, 2, 0)
    image = Image.fromarray(np.uint8(np.clip(pixels, 0, 1) * 255 + 0.5))
    return image.resize((SIDE * SCALE, SIDE * SCALE), Image.Resampling.BICUBIC)
