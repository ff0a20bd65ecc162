"""Binary morphology of all slices of a volume at once, by shifting them.

The same to the last pixel as scipy's operators slice by slice, and some ten times faster.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Planes = NDArray[np.bool_]
"""(slices, rows, cols) bool."""
Widths = Sequence[int]
"""A structuring element: how far it reaches to both sides, in the row of its middle, in those next
to it, and so on."""

CROSS = np.pad(ndimage.generate_binary_structure(2, 1)[None], ((1, 1), (0, 0), (0, 0)))
"""Neighbours in the same slice that share an edge."""
TINY_MM = 1e-6
"""Distances that differ by less are the same: taken off a radius that is no longer within."""


def disc(radius: float, spacing: Sequence[float] = (1.0, 1.0)) -> Widths:
    """What lies within a radius.

    Args:
        radius: in the unit of ``spacing``.
        spacing: of rows and of columns.
    """
    rows, cols = spacing
    reach = int(radius / rows)
    return [int(_beside(radius, row * rows) / cols) for row in range(reach + 1)]


def _beside(radius: float, away: float) -> float:
    """How far a disc reaches so far from its middle; a rounded ``away`` may be beyond its edge."""
    return math.sqrt(max(radius**2 - away**2, 0.0))


def dilated(planes: Planes, element: Widths) -> Planes:
    """What the element covers whose middle lies on any True pixel."""
    reach, (_, rows, cols) = len(element) - 1, planes.shape
    grown = np.zeros((len(planes), rows + 2 * reach, cols), np.bool_)
    wide, width = planes.copy(), 0
    for row in range(reach, -1, -1):  # the narrowest first, from which the wider ones are made
        while width < min(element[row], cols - 1):
            width += 1
            wide[:, :, width:] |= planes[:, :, :-width]
            wide[:, :, :-width] |= planes[:, :, width:]
        for start in (reach - row, reach + row):
            grown[:, start : start + rows] |= wide
    return grown[:, reach : reach + rows]


def eroded(planes: Planes, element: Widths, *, beyond: bool = False) -> Planes:
    """Where the element covers True pixels only.

    Args:
        planes: that are eroded.
        element: symmetric.
        beyond: what lies beyond the edges of a slice.
    """
    if beyond:
        return ~dilated(~planes, element)
    rows, cols = len(element) - 1, max(element)
    padded = np.pad(planes, ((0, 0), (rows, rows), (cols, cols)))
    smaller = ~dilated(~padded, element)
    return smaller[:, rows : rows + planes.shape[1], cols : cols + planes.shape[2]]


def eroded_by_ball(planes: Planes, radius: float, spacing: Sequence[float]) -> Planes:
    """Where no False lies within a radius, in this slice or another; beyond the edges is none.

    Args:
        planes: that are eroded.
        radius: in the unit of ``spacing``.
        spacing: of slices, rows and columns.
    """
    apart, *within = spacing
    deep = np.ones_like(planes)
    for step in range(min(int(radius / apart), len(planes) - 1) + 1):
        element = disc(_beside(radius, step * apart), within)
        part = eroded(planes, element, beyond=True)
        deep[step:] &= part[: len(part) - step]
        deep[: len(deep) - step] &= part[step:]
    return deep


def filled(planes: Planes) -> Planes:
    """Without holes: what is not connected with the edge of its slice is True."""
    parts, count = ndimage.label(~planes, CROSS)
    is_outside = np.zeros(count + 1, np.bool_)
    for edge in (parts[:, 0], parts[:, -1], parts[:, :, 0], parts[:, :, -1]):
        is_outside[np.unique(edge)] = True
    is_outside[0] = False
    return ~is_outside[parts]
