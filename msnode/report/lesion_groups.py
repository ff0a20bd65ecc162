"""Which lesions are shown together, which of them matter, and where each is seen best."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from msnode.records.images import SourceFrame
from msnode.records.lesions import CHANGES, Change, Lesion, LesionFinding, LesionMaps
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


def group(finding: LesionFinding, number: int) -> Group:
    """The group of a lesion."""
    if finding.comparison.status != "compared":
        return "lesion"
    change = changes(finding).get(number)
    return change if change in ("new", "enlarging") else "rest"


def grouped(finding: LesionFinding, maps: LesionMaps) -> NDArray[np.uint8]:
    """(columns, rows, slices) uint8: 1 + the index in `GROUPS`, 0 where there is no lesion."""
    table = np.zeros(1 + max((one.number for one in finding.lesions), default=0), np.uint8)
    for one in finding.lesions:
        table[one.number] = 1 + GROUPS.index(group(finding, one.number))
    return table[maps.numbers]


def segments(case: Case) -> tuple[Group, ...]:
    """The groups that have a lesion, in the order of their segments."""
    found = {group(case.outlined, one.number) for one in case.outlined.lesions}
    return tuple(one for one in GROUPS if one in found)


def matter(finding: LesionFinding) -> tuple[Lesion, ...]:
    """At most `MOST`: the new ones first, then the enlarging ones, then the largest."""
    ranked = sorted(
        finding.lesions, key=lambda one: (GROUPS.index(group(finding, one.number)), one.number)
    )
    return tuple(ranked[:MOST])


def place(case: Case, lesion: Lesion) -> Place:
    """The slice that shows most of a lesion, and its middle there."""
    mine = case.maps.numbers == lesion.number
    index = int(mine.sum(axis=(0, 1)).argmax())
    places = np.argwhere(mine[:, :, index])
    away = np.linalg.norm(places - places.mean(axis=0), axis=1)
    column, row = places[int(away.argmin())].tolist()
    return Place(index, case.slices.frames[index], column, row)
