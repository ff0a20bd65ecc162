"""Compares a scan with an earlier one of the same head: registered half-way, checked, judged."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from msnode.lesions.brain import Head, head
from msnode.lesions.changes import Judged, Numbers, judge, side
from msnode.lesions.find import from_ras, to_ras
from msnode.lesions.halfway import Halfway, halfway
from msnode.lesions.objects import Found, fitted
from msnode.lesions.pairs import both
from msnode.lesions.registration import MOST_APART_MM, Registration, register
from msnode.lesions.resample import nearest, sampled
from msnode.lesions.sharpness import less_sharp
from msnode.records.images import Float32Array, Float64Array
from msnode.records.lesions import CHANGES, Comparison, Lesion, LesionChange
from msnode.records.ras_volume import RasVolume
from msnode.records.sentences import Sentence

LEAST_ALIKE = 0.7
"""Limit of a registration, beside `MOST_APART_MM`. Three pairs of visits had 0.79 to 0.97 and up to
0.4 mm, copies of a scan with slices of up to 9 mm 0.76 to 0.99 and up to 2.2 mm; two people 0.49
and 12 mm."""
LEAST_SHARED = 0.5
"""Part of the brain, in either scan, that the other one must show."""
ERROR_ML, ERROR_PART = 0.1, 0.17
"""What the volumes of two scans without a change between them differ by, 95 times in 100: at least,
and of their mean. Measured on 33 scans of three sites against turned, noisy copies of themselves,
of which it holds all (`bench/lesion_repeats.py`); two scans on two days may differ by more."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One scan and what was found in it.

    Attributes:
        voxels: (i, j, k) FLAIR on its own grid.
        affine: (4, 4) from indices to RAS mm.
        found: the lesions on that grid.
    """

    voxels: Float32Array
    affine: Float64Array
    found: Found


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison, and what it says of the later scan's voxels.

    Attributes:
        comparison: without dates.
        lesions: of the later scan; those that were there before have the identity they had.
        changes: (i, j, k) uint8 on the later scan's grid, 1 + the index in `CHANGES`; where a
            lesion is gone, its place. None where nothing was compared.
        prior: (i, j, k) float32, the earlier scan on the later one's grid, as bright as it.
        prior_numbers: (i, j, k) uint16, the numbers of its lesions there, as the nearest voxel has
            them.
    """

    comparison: Comparison
    lesions: tuple[Lesion, ...]
    changes: NDArray[np.uint8] | None = None
    prior: Float32Array | None = None
    prior_numbers: NDArray[np.uint16] | None = None


def compare(before: Visit, now: Visit) -> Compared:
    """Compare a scan with an earlier one.

    Args:
        before: the earlier scan, outlined by the same network.
        now: the later scan.

    Returns:
        The changes, or ``not_compared`` and why.
    """
    heads = both(lambda visit: head(to_ras(visit.voxels, visit.affine)), (before, now))
    to_atlas = _to_atlas(before, heads[0].volume), _to_atlas(now, heads[1].volume)
    found = _registered(heads, to_atlas)
    half = halfway(*heads, found)
    told = Comparison("compared", likeness=found.likeness, apart_mm=found.apart_mm)
    if (reason := _refusal(found, half)) is not None:
        told = replace(told, status="not_compared", reason=reason)
        return Compared(told, now.found.lesions)
    coarser = np.maximum(heads[0].volume.spacing_mm, heads[1].volume.spacing_mm)
    blurred = less_sharp(*heads, coarser)
    told = replace(told, differences=(blurred,) if blurred is not None else ())
    return _compared(before, now, heads, half, told)


def _to_atlas(visit: Visit, volume: RasVolume) -> Float64Array:
    """(4, 4) from the scan's coordinates to the atlas's, RAS mm."""
    labels = to_ras(visit.found.labels, visit.affine).voxels
    return (visit.found.fit or fitted(volume, labels)).matrix


def _registered(
    heads: tuple[Head, Head], to_atlas: tuple[Float64Array, Float64Array]
) -> Registration:
    """How the scans lie to each other; swapped scans give the inverse to the last digits.

    They are registered in an order that has nothing to do with time: the one with less light first.
    """
    before, now = heads
    if float(before.volume.voxels.sum()) <= float(now.volume.voxels.sum()):
        return register(before, now, np.linalg.inv(to_atlas[0]) @ to_atlas[1])
    found = register(now, before, np.linalg.inv(to_atlas[1]) @ to_atlas[0])
    return replace(found, matrix=np.asarray(np.linalg.inv(found.matrix), np.float64))


def _refusal(found: Registration, half: Halfway) -> Sentence | None:
    """Why two scans cannot be compared well."""
    if found.likeness < LEAST_ALIKE or found.apart_mm > MOST_APART_MM:
        return Sentence("not_registered", likeness=round(found.likeness, 2))
    if half.shared < LEAST_SHARED:
        return Sentence("little_shared", share=round(100 * half.shared))
    return None


def _compared(
    before: Visit,
    now: Visit,
    heads: tuple[Head, Head],
    half: Halfway,
    told: Comparison,
) -> Compared:
    """Judge every lesion of two scans that are registered."""
    grids = (before, half.to_before), (now, half.to_now)
    (numbers, probability), (numbers_now, probability_now) = both(
        lambda one: _on_grid(*one, half.shape), grids
    )
    earlier = side(
        before.found.lesions, numbers, numbers_now, probability_now, -half.brighter, half.field
    )
    later = side(now.found.lesions, numbers_now, numbers, probability, half.brighter, half.field)
    judged = judge(earlier, later, half.brighter)
    to_before = half.to_before @ np.linalg.inv(half.to_now)
    ml = earlier.mm3 / 1000, later.mm3 / 1000
    known = {one.number: one.identity for one in before.found.lesions}
    lesions = tuple(_inheriting(one, judged, known) for one in now.found.lesions)
    told = replace(
        told,
        changes=(*_identified(judged.changes, lesions), *_gone(judged, before, now, to_before)),
        ml_before=ml[0],
        ml_now=ml[1],
        ml_error=ERROR_ML + ERROR_PART * sum(ml) / 2,
    )
    there = _prior_numbers(before, now, to_before)
    changes = _change_map(now, judged, there)
    return Compared(told, lesions, changes, _prior(heads, to_before, now), there)


def _on_grid(
    visit: Visit, matrix: Float64Array, shape: tuple[int, int, int]
) -> tuple[Numbers, Float32Array]:
    """Numbers and probabilities on the grid half-way."""
    numbers = to_ras(visit.found.numbers, visit.affine).voxels
    probability = to_ras(visit.found.probability, visit.affine).voxels
    return nearest(numbers, matrix, shape).astype(np.int32), sampled(probability, matrix, shape)


def _inheriting(lesion: Lesion, judged: Judged, known: dict[int, str]) -> Lesion:
    """A lesion with the identity that it had in the earlier scan, if it was there."""
    earlier = judged.heirs.get(lesion.number)
    return lesion if earlier is None else replace(lesion, identity=known[earlier])


def _identified(
    changes: tuple[LesionChange, ...], lesions: tuple[Lesion, ...]
) -> tuple[LesionChange, ...]:
    """Changes with their lesions' identities."""
    identity = {one.number: one.identity for one in lesions}
    return tuple(replace(one, identity=identity[one.number]) for one in changes)


def _gone(
    judged: Judged, before: Visit, now: Visit, to_before: Float64Array
) -> tuple[LesionChange, ...]:
    """What is gone, in the later scan's coordinates."""
    before_affine, now_affine = (
        to_ras(visit.voxels, visit.affine).affine for visit in (before, now)
    )
    back = now_affine @ np.linalg.inv(before_affine @ to_before)
    places = [(back @ [*one.centroid, 1])[:3].round(3).tolist() for one in judged.gone]
    return tuple(
        LesionChange(0, "gone", one.mm3, 0.0, one.region, (x, y, z), one.identity, one.laterality)
        for one, (x, y, z) in zip(judged.gone, places, strict=True)
    )


def _prior_numbers(before: Visit, now: Visit, to_before: Float64Array) -> NDArray[np.uint16]:
    """(i, j, k) numbers of the earlier lesions on the later scan's grid."""
    shape = to_ras(now.found.numbers, now.affine).voxels.shape
    there = nearest(to_ras(before.found.numbers, before.affine).voxels, to_before, shape)
    return from_ras(there.astype(np.uint16), now.affine)


def _change_map(now: Visit, judged: Judged, there: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """(i, j, k) on the later scan's grid, 1 + the index in `CHANGES`.

    Args:
        now: the later scan.
        judged: what changed.
        there: the numbers of the earlier lesions on that grid.
    """
    numbers = now.found.numbers
    codes = np.zeros(1 + len(now.found.lesions), np.uint8)
    for one in judged.changes:
        codes[one.number] = 1 + CHANGES.index(one.change)
    gone = np.isin(there, [one.number for one in judged.gone]) & (numbers == 0)
    return np.where(gone, 1 + CHANGES.index("gone"), codes[numbers]).astype(np.uint8)


def _prior(heads: tuple[Head, Head], to_before: Float64Array, now: Visit) -> Float32Array:
    """The earlier scan on the later one's grid, as bright as it."""
    before, later = heads
    there = sampled(before.volume.voxels, to_before, later.volume.voxels.shape)
    return from_ras((there * (later.median / before.median)).astype(np.float32), now.affine)
