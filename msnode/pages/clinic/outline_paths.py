"""Outlines of lesions as closed lines along the edges of their voxels: just what was outlined."""

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.report.lesion_groups import GONE

Point = tuple[int, int]
Line = list[Point]
Drawn = dict[str, Any]
Paths = dict[int, list[Drawn]]
"""By slice: of each lesion its number, group and lines ((x, y) from the corner of the image)."""


def lines(mask: NDArray[np.bool_]) -> list[Line]:
    """The edges of a mask, each a closed line, corners only.

    Args:
        mask: (rows, columns).

    Returns:
        Points (x, y); the corner of the first pixel is (0, 0), and the mask lies on the right.
    """
    ends = _edges(np.pad(mask, 1))
    found: list[Line] = []
    while ends:
        start = next(iter(ends))
        line, here = [start], _next(ends, start)
        while here != start:
            line.append(here)
            here = _next(ends, here)
        found.append(_corners(line))
    return found


def paths(numbers: NDArray[np.uint16], groups: dict[int, str]) -> Paths:
    """The outlines of numbered lesions, slice by slice.

    Args:
        numbers: (columns, rows, slices), 0 where there is none.
        groups: by number; those that are in none are left out.
    """
    found: Paths = defaultdict(list)
    for number, area in enumerate(ndimage.find_objects(numbers), 1):
        if area is None or number not in groups:
            continue
        mine = numbers[area] == number
        left, top, first = (one.start for one in area)
        for index in np.flatnonzero(mine.any(axis=(0, 1))).tolist():
            moved = [[(x + left, y + top) for x, y in line] for line in lines(mine[:, :, index].T)]
            found[first + index].append({"n": number, "g": groups[number], "p": moved})
    return dict(found)


def seen_best(numbers: NDArray[np.uint16]) -> dict[int, tuple[int, float, float]]:
    """Of each lesion the slice that shows most of it, and its middle there (column, row)."""
    found = {}
    for number, area in enumerate(ndimage.find_objects(numbers), 1):
        if area is None:
            continue
        mine = numbers[area] == number
        index = int(mine.sum(axis=(0, 1)).argmax())
        column, row = np.argwhere(mine[:, :, index]).mean(axis=0).tolist()
        place = (area[2].start + index, column + area[0].start, row + area[1].start)
        found[number] = place
    return found


def gone_numbers(
    prior_numbers: NDArray[np.uint16], changes: NDArray[np.uint8]
) -> NDArray[np.uint16]:
    """The earlier lesions that are not seen any more, by their own numbers."""
    return np.where(changes == GONE, prior_numbers, 0).astype(np.uint16)


def _edges(padded: NDArray[np.bool_]) -> dict[Point, list[Point]]:
    """Where each directed edge between a pixel inside and one outside leads to, by its start."""
    inner = padded[1:-1, 1:-1]
    beside = {
        (0, 0, 1, 0): padded[:-2, 1:-1], (1, 0, 1, 1): padded[1:-1, 2:],
        (1, 1, 0, 1): padded[2:, 1:-1], (0, 1, 0, 0): padded[1:-1, :-2],
    }  # fmt: skip
    ends: dict[Point, list[Point]] = defaultdict(list)
    for (x, y, to_x, to_y), other in beside.items():
        for row, column in np.argwhere(inner & ~other).tolist():
            ends[column + x, row + y].append((column + to_x, row + to_y))
    return ends


def _next(ends: dict[Point, list[Point]], start: Point) -> Point:
    """Take an edge away; returns its end."""
    end = ends[start].pop()
    if not ends[start]:
        del ends[start]
    return end


def _corners(line: Line) -> Line:
    """Without the points at which it goes straight on."""
    count = len(line)
    return [
        line[i] for i in range(count) if not _straight(line[i - 1], line[i], line[(i + 1) % count])
    ]


def _straight(before: Point, here: Point, after: Point) -> bool:
    return before[0] == here[0] == after[0] or before[1] == here[1] == after[1]
