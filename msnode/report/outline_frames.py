"""Frames of the outline overlay: every image of the series, its lesions outlined."""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from msnode.records.images import SourceFrame
from msnode.report import contours, geometry, lesion_tiles, overlay_signs
from msnode.report.canvas import Canvas, font
from msnode.report.case import Case, image_label
from msnode.report.geometry import Grid
from msnode.report.lesion_groups import drawn, grouped
from msnode.report.palette import LESION, UInt8Array, grey

SMALLEST = 256
"""Fewest columns of a frame: thin lines have to stay thin beside small lesions."""

FOOT = 16
"""Rows of the legend."""

SHORT = {"rest": "short_rest", "gone": "short_gone", "lesion": "legend_lesion"}
"""Phrases of the legend, where a frame has no room for the usual ones."""


def places(case: Case) -> Sequence[tuple[SourceFrame, Grid]]:
    """The images of the series, in their order, and the pixels drawn upon."""
    return [
        (one, geometry.enlarged(Grid(one.affine, one.rows, one.columns), SMALLEST))
        for one in case.slices.frames
    ]


def pictures(case: Case) -> Iterator[UInt8Array]:
    """The images, (rows, columns, 3) uint8."""
    maps = case.maps
    groups, gone = grouped(case.outlined, maps), contours.gone(maps.changes)
    limits = lesion_tiles.window(maps.flair.transpose(2, 1, 0))
    signs: Image.Image | None = None
    for index, (source, place) in enumerate(places(case)):
        size = (place.columns, place.rows)
        ground = grey(maps.flair[:, :, index].T, limits)
        picture = ground.resize(size, Image.Resampling.BICUBIC).convert("RGB")
        lesions = contours.masks(
            groups[:, :, index].T, None if gone is None else gone[:, :, index].T
        )
        contours.draw(picture, {name: _enlarged(one, size) for name, one in lesions.items()}, 1)
        if signs is None or signs.size != size:
            signs = overlay_signs.signs(case, place, FOOT)
            _legend(Canvas(signs), case)
        picture.paste(signs, mask=signs)
        _caption(Canvas(picture), case, index, source)
        yield np.asarray(picture)


def _enlarged(mask: contours.Mask, size: tuple[int, int]) -> contours.Mask:
    """A mask on the picture's pixels: each voxel stays the block that it is."""
    if mask.shape == size[::-1]:
        return mask
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))


def _legend(canvas: Canvas, case: Case) -> None:
    """The groups that there are, in the colours and strokes of their outlines."""
    columns, rows = canvas.image.size
    names = drawn(case)
    words = [case.say(SHORT.get(name, f"lesion_{name}")) for name in names]
    room = columns - 12 - 22 * len(names)
    size = next((s for s in (12, 11, 10, 9, 8) if _width(words, s) <= room), 8)
    x, y = 6.0, rows - 30.0
    for name, word in zip(names, words, strict=True):
        sample = contours.swatch(name, (12, 9), 1, (0, 0, 0))
        canvas.paste(sample.convert("RGBA"), (x, y - 4))
        x += 15 + canvas.outlined((x + 15, y), word, size, "lm", LESION[name]) + 7


def _width(words: list[str], size: int) -> float:
    return sum(font(size, bold=True).getlength(word) for word in words)


def _caption(canvas: Canvas, case: Case, index: int, source: SourceFrame) -> None:
    """The frame's source image, or its place where it has no number."""
    rows = canvas.image.size[1]
    place = case.say("slice_of", number=index + 1, count=len(case.slices.frames))
    canvas.outlined((6, rows - 8), image_label(case, source) or place, 14, "ls")
