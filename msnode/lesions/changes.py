"""What became of each lesion, judged on the grid half-way between two scans.

A change needs two witnesses: the network, which outlines each scan by itself, and the brightness.
What the network saw once only, although it is as bright in both scans, has not changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.lesions.halfway import CUBE_MM
from msnode.records.images import Float32Array, Float64Array
from msnode.records.lesions import Change, Lesion, LesionChange

CLEARLY = 3.0
"""Standard deviations by which a new lesion is brighter than its place was."""
SURELY = 2.0
"""Likewise each cube by which a lesion grew; many of them together are surer than one."""
MATCHED = 0.1
"""Part of a lesion that must lie on one of the other scan for the two to be the same."""
SEEN = 0.25
"""Mean probability from which the network saw a lesion, even if it did not outline it."""
GROWN, GROWN_MM3 = 0.25, 25.0
"""Of its former volume, and at least, by which a lesion must grow to be enlarging."""
NEAR_MM = 5.0
"""So near must a lesion be to have come of one on which it does not lie: registrations err less."""
SHOWN = 0.5
"""Part of a lesion's place that both scans must show."""
CUBE_MM3 = float(np.prod(CUBE_MM))

Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Side:
    """One scan's lesions on the grid half-way, beside the other scan.

    Attributes:
        lesions: those of which both scans show the place.
        numbers: (x, y, z) of the lesion that a cube is of, 0 elsewhere.
        overlap: by number, the part of a lesion that lies on lesions of the other scan.
        seen: by number, the mean probability of a lesion there in the other scan.
        brighter: by number, how much brighter its place is than in the other scan, in standard
            deviations.
    """

    lesions: tuple[Lesion, ...]
    numbers: Numbers
    overlap: Float64Array
    seen: Float64Array
    brighter: Float64Array

    @property
    def mm3(self) -> float:
        """Volume of the lesions."""
        return sum(one.mm3 for one in self.lesions)

    def is_alone(self, lesion: Lesion) -> bool:
        """Whether the other scan shows no lesion there."""
        n = lesion.number
        return bool(self.overlap[n] < MATCHED and self.seen[n] < SEEN)

    def is_clear(self, lesion: Lesion) -> bool:
        """Whether the place is clearly brighter than in the other scan."""
        return bool(self.brighter[lesion.number] >= CLEARLY)


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of the lesions of two scans.

    Attributes:
        changes: of the later scan's lesions.
        gone: lesions of the earlier scan.
        heirs: number in the earlier scan of each lesion of the later one that was there before.
    """

    changes: tuple[LesionChange, ...]
    gone: tuple[Lesion, ...]
    heirs: dict[int, int]


def side(
    lesions: tuple[Lesion, ...],
    numbers: Numbers,
    others: Numbers,
    probability: Float32Array,
    brighter: Float32Array,
    field: NDArray[np.bool_],
) -> Side:
    """Hold one scan's lesions against the other scan.

    Args:
        lesions: of the scan.
        numbers: (x, y, z) of its lesions on the grid half-way.
        others: likewise of the other scan's.
        probability: (x, y, z) of a lesion in the other scan.
        brighter: (x, y, z) than in the other scan, in standard deviations.
        field: (x, y, z) bool, what both scans show.
    """
    count = max((one.number for one in lesions), default=0) + 1
    where = numbers > 0
    places = numbers[where]
    size = np.maximum(np.bincount(places, minlength=count), 1)

    def mean(values: NDArray[Any]) -> Float64Array:
        return np.bincount(places, values[where], count) / size

    shown = mean(field)
    near = ndimage.maximum_filter(others > 0, 3)
    return Side(
        tuple(one for one in lesions if shown[one.number] >= SHOWN),
        numbers, mean(near), mean(probability), mean(brighter),
    )  # fmt: skip


def judge(before: Side, now: Side, brighter: Float32Array) -> Judged:
    """Say what became of each lesion.

    Args:
        before: the earlier scan.
        now: the later scan.
        brighter: (x, y, z) the later scan is, in standard deviations.
    """
    # of all: those that the other scan does not show are outlined, too
    count = int(now.numbers.max(initial=0)) + 1
    successor = _successor(before, now)
    was = np.bincount(successor.ravel(), _mm3(before).ravel(), count)
    grown = (now.numbers > 0) & (before.numbers == 0) & (brighter >= SURELY)
    lost = (successor > 0) & (now.numbers == 0) & (brighter <= -SURELY)
    more = np.bincount(now.numbers[grown], minlength=count) * CUBE_MM3
    less = np.bincount(successor[lost], minlength=count) * CUBE_MM3
    changes = (
        _change(one, now, float(was[one.number]), float((more - less)[one.number]))
        for one in now.lesions
    )
    gone = (one for one in before.lesions if before.is_alone(one) and before.is_clear(one))
    return Judged(tuple(changes), tuple(gone), dict(heirs(before.numbers, successor)))


def _successor(before: Side, now: Side) -> Numbers:
    """(x, y, z) the later lesion that each cube of an earlier one has become part of; 0 for none.

    It is the nearest one, of an earlier lesion on which a later one lies. Others, that the later
    scan shows too faintly to be outlined, have become part of what is near them, if anything is.
    """
    there = [one.number for one in before.lesions if not before.is_alone(one)]
    lying = [number for number in there if before.overlap[number] >= MATCHED]
    mine, matched = np.isin(before.numbers, there), np.isin(before.numbers, lying)
    known = np.isin(now.numbers, [one.number for one in now.lesions if not now.is_alone(one)])
    if not known.any():
        return np.zeros_like(now.numbers)
    away, nearest = ndimage.distance_transform_edt(~known, CUBE_MM.tolist(), return_indices=True)
    belongs = matched | (mine & (away <= NEAR_MM))
    successor: Numbers = np.where(belongs, now.numbers[tuple(nearest)], 0)
    return successor


def _mm3(before: Side) -> Float64Array:
    """(x, y, z) volume that a cube stands for: a lesion's cubes have its own volume in all."""
    count = max((one.number for one in before.lesions), default=0) + 1
    cubes = np.bincount(before.numbers.ravel(), minlength=count)
    each = np.zeros(len(cubes))
    for one in before.lesions:
        each[one.number] = one.mm3 / max(cubes[one.number], 1)
    return each[before.numbers]


def _change(lesion: Lesion, now: Side, was: float, growth: float) -> LesionChange:
    """What became of one lesion of the later scan.

    Args:
        lesion: that is judged.
        now: the later scan.
        was: its volume in the earlier scan, mm3.
        growth: of its outline, as far as the brightness bears it out, mm3.
    """
    change: Change = "unchanged"
    if now.is_alone(lesion):
        change, was = "new" if now.is_clear(lesion) else "unchanged", 0.0
    elif abs(growth) >= max(GROWN_MM3, GROWN * was) and (growth > 0) == (lesion.mm3 > was):
        change = "enlarging" if growth > 0 else "shrinking"
    # what was there, but too faint to be outlined, has no volume then
    before = was if was > 0 or change == "new" else None
    return LesionChange(
        lesion.number, change, before, lesion.mm3,
        lesion.region, lesion.centroid, lesion.identity, lesion.laterality,
    )  # fmt: skip


def heirs(
    before: NDArray[np.integer[Any]], after: NDArray[np.integer[Any]]
) -> Iterator[tuple[int, int]]:
    """Of each later lesion the earlier one that shares most with it; each earlier one only once.

    Args:
        before: (x, y, z) numbers of the earlier lesions; 0 for none.
        after: likewise of the later ones, on the same grid.
    """
    where = (before > 0) & (after > 0)
    both = np.stack([before[where].astype(np.int64), after[where].astype(np.int64)])
    pairs, counts = np.unique(both, axis=1, return_counts=True)
    taken: set[tuple[str, int]] = set()
    for k in np.lexsort((pairs[1], pairs[0], -counts)):
        earlier, later = int(pairs[0, k]), int(pairs[1, k])
        if ("earlier", earlier) not in taken and ("later", later) not in taken:
            taken |= {("earlier", earlier), ("later", later)}
            yield later, earlier
