"""The follow-up picture: the patient's course as a Secondary Capture, dark as a reading room is."""

import numpy as np
from PIL import Image, ImageOps
from pydicom.dataset import Dataset

from msnode.report import wording
from msnode.report.canvas import Canvas
from msnode.report.case import Case
from msnode.report.course_picture import SCALE, picture
from msnode.report.palette import BANNER, ON_BANNER, UInt8Array
from msnode.report.secondary_capture import capture

BAND, MARGIN = 50, 20
"""Units, at head and sides."""


def build(case: Case) -> Dataset:
    """The course of a patient of whom more than this scan is on record."""
    return capture(case, "course", draw(case))


def draw(case: Case) -> UInt8Array:
    """The course below its banner, (rows, 2400, 3) uint8 RGB; the paper's lightness turned over."""
    told = case.report.timeline
    assert told is not None  # noqa: S101 - `profiles` makes no picture of nothing
    lightness, *colour = picture(told, case.say).convert("YCbCr").split()
    dark = Image.merge("YCbCr", (ImageOps.invert(lightness), *colour)).convert("RGB")
    image = Image.new("RGB", (dark.width, dark.height + SCALE * BAND))
    image.paste(dark, (0, SCALE * BAND))
    canvas, right = Canvas(image, SCALE), dark.width / SCALE - MARGIN
    canvas.rectangle((0, 0, dark.width / SCALE, BAND - 1), BANNER)
    dates = " · ".join(wording.dates(case))
    taken = canvas.text((right, BAND / 2), dates, 14, ON_BANNER, anchor="rm")
    where = (MARGIN, BAND / 2)
    room = right - 2 * MARGIN - taken
    canvas.text(where, case.say("banner"), 22, ON_BANNER, bold=True, anchor="lm", width=room)
    return np.asarray(image)
