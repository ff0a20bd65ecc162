"""The pictures of slices on montage and page: the head alone, large, without and with saliency."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from msnode.records.results import SliceFinding
from msnode.report import geometry
from msnode.report.case import Case
from msnode.report.palette import blend, grey, steps, window

SIDE = 460
"""Pixels: of a head of 220 mm, a lesion of 3 mm has more than 6."""

AIR = 0.1
"""Of the window, below which there is no head."""

RIM = 2
"""Pixels of a slice that are left around the head."""


@dataclass(frozen=True, slots=True)
class View:
    """The square of the slices that is shown, the same for all.

    Attributes:
        row: first row, may be outside.
        column: first column, may be outside.
        side: rows and columns.
        limits: darkest and brightest value.
    """

    row: int
    column: int
    side: int
    limits: tuple[float, float]

    def cut(self, picture: Image.Image, resampling: Image.Resampling) -> Image.Image:
        """Its part of a slice's picture, enlarged."""
        box = (self.column, self.row, self.column + self.side, self.row + self.side)
        return picture.crop(box).resize((SIDE, SIDE), resampling)


def view(case: Case, shown: Sequence[SliceFinding]) -> View:
    """The smallest square with the heads of these slices."""
    limits = window(case.slices)
    planes = case.slices.pixels[[found.index for found in shown], 0]
    seen = planes.max(axis=0) > limits[0] + AIR * (limits[1] - limits[0])
    labels, count = ndimage.label(seen)
    if count:
        seen = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    places = np.argwhere(seen) if seen.any() else np.argwhere(np.ones_like(seen))
    low, high = places.min(axis=0), places.max(axis=0) + 1
    side = int((high - low).max()) + 2 * RIM
    row, column = ((low + high - side) // 2).tolist()
    return View(row, column, side, limits)


def pair(case: Case, index: int, of: View) -> tuple[Image.Image, Image.Image]:
    """A slice without and with its saliency, (SIDE, SIDE) RGB each."""
    ground = grey(case.slices.pixels[index, 0], of.limits)
    source = of.cut(ground, Image.Resampling.BICUBIC)
    heat = of.cut(steps(case.scores.saliency[index]), Image.Resampling.BILINEAR)
    return source.convert("RGB"), blend(source, heat)


def peak(case: Case, index: int, of: View) -> tuple[float, float] | None:
    """Where the saliency peaks, (x, y) as parts of the picture's side; None where it is empty."""
    saliency = case.scores.saliency[index]
    if saliency.max() <= 0:
        return None
    row, column = np.unravel_index(int(saliency.argmax()), saliency.shape)
    return (column + 0.5 - of.column) / of.side, (row + 0.5 - of.row) / of.side


def letters(case: Case, index: int) -> tuple[str, str, str, str]:
    """Which side of the patient is left, right, at the top and at the bottom of the picture."""
    right, down = geometry.sides(case.slices.affines[index])
    return geometry.opposite(right), right, geometry.opposite(down), down
