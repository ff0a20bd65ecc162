"""Outlines of lesions: thin lines just outside, in colours and strokes that a grey print keeps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from msnode.records.distances import away
from msnode.report.lesion_groups import GONE, GROUPS
from msnode.report.palette import LESION, Colour

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Stroke:
    """How an outline is drawn.

    Attributes:
        width: in lines of the thinnest outline.
        double: with a second line around it, a line's width away.
    """

    width: int
    double: bool = False


STROKES: dict[str, Stroke] = {
    "rest": Stroke(1),
    "lesion": Stroke(1),
    "gone": Stroke(1),
    "enlarging": Stroke(1, double=True),
    "new": Stroke(2),
}
"""The later ones are drawn over the earlier."""


def masks(groups: NDArray[np.uint8], gone: Mask | None = None) -> dict[str, Mask]:
    """The lesions of one plane by group, those that are gone among them; no empty masks.

    Args:
        groups: (rows, columns) as `lesion_groups.grouped`.
        gone: (rows, columns), lesions of the earlier scan that are not seen any more.
    """
    found: dict[str, Mask] = {name: groups == n for n, name in enumerate(GROUPS, 1)}
    found |= {} if gone is None else {"gone": gone}
    return {name: mask for name, mask in found.items() if mask.any()}


def draw(picture: Image.Image, lesions: dict[str, Mask], line: int) -> None:
    """Draw around lesions, leaving all of them visible.

    Args:
        picture: RGB.
        lesions: (rows, columns) of the picture by group.
        line: width of the thinnest outline, pixels.
    """
    if not lesions:
        return
    pixels = np.array(picture)
    every = np.logical_or.reduce(list(lesions.values()))
    for name, stroke in STROKES.items():
        if name in lesions and lesions[name].any():  # a distance to nothing is not defined
            pixels[around(lesions[name], stroke, line) & ~every] = LESION[name]
    picture.paste(Image.fromarray(pixels))


def around(mask: Mask, stroke: Stroke, line: int) -> Mask:
    """The pixels of an outline outside of a mask."""
    width = line * stroke.width
    far = away(mask, 3 * width + 1) - 0.5
    ring: Mask = (far > 0) & (far < width)
    if stroke.double:
        ring |= (far > 2 * width) & (far < 3 * width)
    return ring


def smooth(mask: Mask, size: tuple[int, int], box: tuple[float, float, float, float]) -> Mask:
    """A part of a mask enlarged, with round instead of stepped edges.

    Args:
        mask: (rows, columns).
        size: columns and rows wanted.
        box: left, top, right, bottom in pixels of the mask.
    """
    grey = Image.fromarray((255 * mask).astype(np.uint8))
    return np.asarray(grey.resize(size, Image.Resampling.BILINEAR, box)) > 127


def swatch(name: str, size: tuple[int, int], line: int, ground: Colour) -> Image.Image:
    """A sample of an outline for a legend."""
    columns, rows = size
    picture = Image.new("RGB", size, ground)
    mask = np.zeros((rows, columns), bool)
    mask[rows // 3 : rows - rows // 3, columns // 5 : columns - columns // 5] = True
    draw(picture, {name: mask}, line)
    return picture


def gone(changes: NDArray[np.uint8] | None) -> Mask | None:
    """Where lesions of the earlier scan are not seen any more; None without a comparison."""
    return None if changes is None else changes == GONE
