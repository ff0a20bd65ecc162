"""Frames of the saliency overlay: the slices that were classified, and where the model looked."""

from collections.abc import Iterator, Sequence

import numpy as np

from msnode.records.images import SourceFrame
from msnode.records.results import SliceFinding
from msnode.report import geometry, overlay_signs, wording
from msnode.report.canvas import Canvas
from msnode.report.case import Case
from msnode.report.geometry import Grid
from msnode.report.palette import TEXT, UInt8Array, blend, grey, steps, window

SMALLEST = 192
"""Fewest columns of a frame: text has to be legible on it."""


def places(case: Case) -> Sequence[tuple[SourceFrame, Grid]]:
    """The source image and the pixels of each slice, from feet to head."""
    indices = range(len(case.slices.affines))
    return [
        (case.slices.source(index), geometry.grid(case.slices, index, SMALLEST))
        for index in indices
    ]


def pictures(case: Case) -> Iterator[UInt8Array]:
    """The slices from feet to head, (rows, columns, 3) uint8."""
    slices, limits, signs = case.slices, window(case.slices), None
    ordered = sorted(case.finding.slices, key=lambda one: one.index)
    for found, (_, place) in zip(ordered, places(case), strict=True):
        affine = slices.affines[found.index]
        ground = geometry.resample(grey(slices.pixels[found.index, 0], limits), affine, place)
        heat = geometry.resample(steps(case.scores.saliency[found.index]), affine, place)
        picture = blend(ground, heat)
        if signs is None or signs.size != picture.size:
            signs = overlay_signs.signs(case, place)
        picture.paste(signs, mask=signs)
        _caption(Canvas(picture), case, found)
        yield np.asarray(picture)


def _caption(canvas: Canvas, case: Case, found: SliceFinding) -> None:
    """The frame's source image, or its place where there is none, and its probability."""
    columns, rows = canvas.image.size
    canvas.outlined((6, rows - 8), wording.name(case, found), 14, "ls")
    canvas.outlined((columns - 6, rows - 8), case.say.percent(found.probability), 14, "rs")
    canvas.bar((6, rows - 5, columns - 6, rows - 3), found.probability, TEXT)
