"""Which lesions are shown together, which of them matter, and where each is seen best."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.records.images import SourceFrame
from msnode.records.lesions import CHANGES, Change, Comparison, Lesion, LesionFinding, LesionMaps
from msnode.report.case import Case

Group = Literal["new", "enlarging", "rest", "lesion"]
GROUPS: tuple[Group, ...] = ("new", "enlarging", "rest", "lesion")
"""With an earlier scan the first three, without one only the last."""

MOST = 10
"""Lesions that are reported one by one."""

GONE = 1 + CHANGES.index("gone")
"""In change maps."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lesion is seen best.

    Attributes:
        slice: index into `Slices.frames`.
        source: that frame.
        column: of a voxel of the lesion near its middle, centre-based; likewise ``row``.
    """

    slice: int
    source: SourceFrame
    column: int
    row: int


def changes(finding: LesionFinding) -> dict[int, Change]:
    """What became of each lesion of this scan, by its number; {} without a comparison."""
    if finding.comparison.status != "compared":
        return {}
    return {one.number: one.change for one in finding.comparison.changes if one.number}


def group(past: Comparison, number: int) -> Group:
    """The group of a lesion, by what became of it."""
    if past.status != "compared":
        return "lesion"
    change = next((one.change for one in past.changes if one.number == number), None)
    return change if change in ("new", "enlarging") else "rest"


def grouped(finding: LesionFinding, maps: LesionMaps) -> NDArray[np.uint8]:
    """(columns, rows, slices) uint8: 1 + the index in `GROUPS`, 0 where there is no lesion."""
    table = np.zeros(1 + max((one.number for one in finding.lesions), default=0), np.uint8)
    for one in finding.lesions:
        table[one.number] = 1 + GROUPS.index(group(finding.comparison, one.number))
    return table[maps.numbers]


def segments(case: Case) -> tuple[Group, ...]:
    """The groups that have a lesion, in the order of their segments."""
    found = {group(case.outlined.comparison, one.number) for one in case.outlined.lesions}
    return tuple(one for one in GROUPS if one in found)


def drawn(case: Case) -> tuple[str, ...]:
    """What the pictures show, for their legends: the groups, and lesions that are gone."""
    changed = case.maps.changes
    gone = changed is not None and bool((changed == GONE).any())
    return (*segments(case), *(["gone"] if gone else []))


def matter(finding: LesionFinding) -> tuple[Lesion, ...]:
    """At most `MOST`: the new ones first, then the enlarging ones, then the largest."""
    ranked = sorted(
        finding.lesions,
        key=lambda one: (GROUPS.index(group(finding.comparison, one.number)), one.number),
    )
    return tuple(ranked[:MOST])


def places(case: Case, lesions: Iterable[Lesion]) -> dict[int, Place]:
    """Of lesions by number: the slice that shows most of each, and its middle there."""
    numbers = case.maps.numbers
    areas = ndimage.find_objects(numbers)
    return {one.number: _place(case, numbers, areas[one.number - 1], one) for one in lesions}


def _place(
    case: Case, numbers: NDArray[np.uint16], area: tuple[slice, ...], lesion: Lesion
) -> Place:
    mine = numbers[area] == lesion.number
    index = int(mine.sum(axis=(0, 1)).argmax())
    inside = np.argwhere(mine[:, :, index])
    away = np.linalg.norm(inside - inside.mean(axis=0), axis=1)
    column, row = (inside[int(away.argmin())] + [area[0].start, area[1].start]).tolist()
    index += area[2].start
    return Place(index, case.slices.frames[index], column, row)
