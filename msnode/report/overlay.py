"""The overlay: every slice with its saliency, in the place of the slice, so that both scroll."""

from collections.abc import Iterator

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from msnode.records import Scores, SliceFinding, Slices
from msnode.report import base, geometry
from msnode.report.canvas import Canvas
from msnode.report.capture import capture
from msnode.report.case import Case, image_label
from msnode.report.palette import BANNER, ON_BANNER, TEXT, UInt8Array, blend, grey, window

SMALLEST = 384
"""Fewest columns of a frame: text has to be legible on it."""


def build(case: Case) -> Iterator[tuple[str, Dataset]]:
    """One Secondary Capture a slice, with the slice's geometry."""
    first: Dataset | None = None
    for number, (found, pixels) in enumerate(frames(case), start=1):
        if first is None:
            dataset = first = capture(case, "overlay", pixels, [found.source])
        else:
            dataset = base.another(first, case, "overlay", number)
            dataset.SourceImageSequence = [base.source(found.source)]
            dataset.PixelData = pixels.tobytes()
        _place(dataset, case, found, pixels.shape[1])
        yield f"overlay-{number:04}", dataset


def frames(case: Case) -> Iterator[tuple[SliceFinding, UInt8Array]]:
    """The slices from feet to head as (rows, columns, 3) uint8."""
    slices, scores = case.slices, case.scores
    limits, factor, signs = window(slices), scale(slices), None
    for found in sorted(case.finding.slices, key=lambda one: one.index):
        picture = slice_picture(slices, scores, found.index, factor, limits)[1]
        signs = signs or _signs(case, picture.size)
        picture.paste(signs, mask=signs.getchannel("A"))
        _caption(Canvas(picture), case, found)
        yield found, np.asarray(picture)


def _signs(case: Case, size: tuple[int, int]) -> Image.Image:
    """What stands on every frame: that nobody has verified it, and which side is which."""
    columns, rows = size
    canvas = Canvas(Image.new("RGBA", size))
    canvas.draw.rectangle((0, 0, columns, 19), BANNER)
    notice = f"{case.say('banner_short')} · {case.say('research')}"
    canvas.text((columns / 2, 10), notice, 13, ON_BANNER, bold=True, anchor="mm", width=columns)
    canvas.outlined((6, rows / 2), "R", 17, "lm")
    canvas.outlined((columns - 6, rows / 2), "L", 17, "rm")
    return canvas.image


def _caption(canvas: Canvas, case: Case, found: SliceFinding) -> None:
    """The frame's source image and its probability."""
    columns, rows = canvas.image.size
    canvas.outlined((6, rows - 8), image_label(case, found.source), 14, "ls")
    canvas.outlined((columns - 6, rows - 8), case.say.percent(found.probability), 14, "rs")
    canvas.bar((6, rows - 5, columns - 6, rows - 3), found.probability, TEXT)


def scale(slices: Slices) -> float:
    """By how much slices are enlarged."""
    return max(float(np.ceil(SMALLEST / slices.pixels.shape[3])), 1.0)


def slice_picture(
    slices: Slices, scores: Scores, index: int, factor: float, limits: tuple[float, float]
) -> tuple[Image.Image, Image.Image]:
    """A slice without and with its saliency, enlarged by a factor, RGB."""
    rows, columns = slices.pixels.shape[2:]
    size = (max(round(columns * factor), 1), max(round(rows * factor), 1))
    source = grey(slices.pixels[index, 0], limits, size)
    return source, blend(source, scores.saliency[index])


def _place(dataset: Dataset, case: Case, found: SliceFinding, columns: int) -> None:
    """The slice's place in the patient, where the source names its frame of reference.

    The attributes extend the SC IOD (PS3.4 B.4.1 Standard Extended SOP Class); viewers use them
    to scroll the overlay with the source.
    """
    dataset.PatientOrientation = ["L", "P"]
    if "FrameOfReferenceUID" not in case.header:
        return
    dataset.FrameOfReferenceUID = case.header.FrameOfReferenceUID
    dataset.PositionReferenceIndicator = ""
    affine = case.slices.affines[found.index]
    factor = columns / case.slices.pixels.shape[3]
    geometry.plane(dataset, geometry.enlarged(affine, factor), case.slices.thickness_mm)
