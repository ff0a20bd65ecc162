"""Two scans of one head on one grid, half-way between them: each is resampled once, alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.lesions.brain import Head
from msnode.lesions.pairs import both
from msnode.lesions.registration import Registration
from msnode.lesions.resample import sampled, shown
from msnode.records.images import Float32Array, Float64Array
from msnode.records.ras_volume import RasVolume

CUBE_MM = np.array([1.0, 1.0, 1.0])
"""Of the grid."""
MARGIN_MM = 5.0
SURROUNDINGS_MM = 8.0
"""Standard deviation of the weights with which a place's surroundings count."""
BRIGHTEST = 3.0, 1.4
"""Times the brain's median: of a place, and of what counts for its surroundings."""
BLUR_MM = 0.7
"""Smooths a difference: the grid's own noise is finer than any lesion."""


@dataclass(frozen=True, slots=True)
class Halfway:
    """Both scans on the grid between them.

    Attributes:
        shape: (3,) of the grid.
        to_before: (4, 4) from the grid's indices to the earlier scan's.
        to_now: (4, 4) likewise to the later scan's.
        field: (x, y, z) bool, what both scans show.
        shared: part of the brain, in [0, 1], that both scans show; of the one that shares less.
        brighter: (x, y, z) float32, how much brighter a place became beside its surroundings, in
            standard deviations of what places without a change do.
    """

    shape: tuple[int, int, int]
    to_before: Float64Array
    to_now: Float64Array
    field: NDArray[np.bool_]
    shared: float
    brighter: Float32Array


def halfway(before: Head, now: Head, found: Registration) -> Halfway:
    """Bring two scans half-way to each other.

    Args:
        before: the earlier scan.
        now: the later scan.
        found: how they lie to each other.
    """
    later = np.linalg.inv(found.half)  # from half-way to the later scan, mm
    moves: tuple[Float64Array, Float64Array] = found.matrix @ later, np.asarray(later, np.float64)
    affine, shape = _grid((before, now), moves)
    to_before, to_now = (
        np.linalg.inv(scan.volume.affine) @ move @ affine
        for scan, move in zip((before, now), moves, strict=True)
    )
    pair = (before, to_before), (now, to_now)

    def there(one: tuple[Head, Float64Array]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        scan, matrix = one
        field = shown(scan.brain.shape, matrix, shape)
        return sampled(scan.brain, matrix, shape) > 0.5, field

    (brain, field), (brain_now, field_now) = both(there, pair)
    common = brain & brain_now
    shared = min(float(common.sum() / max(one.sum(), 1)) for one in (brain, brain_now))
    coarsest = np.maximum(before.volume.spacing_mm, now.volume.spacing_mm)
    weight = _around(common.astype(np.float32))

    def beside(one: tuple[Head, Float64Array]) -> Float32Array:
        scan, matrix = one
        seen = sampled(_coarse(scan.volume, coarsest) / scan.median, matrix, shape)
        return _beside(seen, common, weight)

    earlier, later_seen = both(beside, pair)
    difference = ndimage.gaussian_filter(later_seen - earlier, BLUR_MM / CUBE_MM)
    brighter = _in_deviations(difference, common)
    return Halfway(shape, to_before, to_now, field & field_now, shared, brighter)


def _grid(
    scans: tuple[Head, Head], moves: tuple[Float64Array, Float64Array]
) -> tuple[Float64Array, tuple[int, int, int]]:
    """Affine and shape of a grid around both brains."""
    corners = np.concatenate(
        [
            (np.linalg.inv(move) @ scan.volume.affine @ _corners(scan.brain))[:3]
            for scan, move in zip(scans, moves, strict=True)
        ],
        axis=1,
    )
    low, high = corners.min(axis=1) - MARGIN_MM, corners.max(axis=1) + MARGIN_MM
    affine = np.diag([*CUBE_MM, 1.0])
    affine[:3, 3] = low
    x, y, z = np.ceil((high - low) / CUBE_MM).astype(int).tolist()
    return affine, (x, y, z)


def _corners(mask: NDArray[np.bool_]) -> Float64Array:
    """(4, 8) indices of the corners around a mask; of the volume, where it is empty."""
    places = np.argwhere(mask if mask.any() else np.ones_like(mask))
    ends = zip(places.min(axis=0), places.max(axis=0), strict=True)
    corners = np.array(np.meshgrid(*ends, indexing="ij"), np.float64).reshape(3, -1)
    return np.vstack([corners, np.ones(8)])


def widening(spacing_mm: Float64Array, mm: Float64Array) -> Float64Array:
    """(3,) standard deviations, mm, that blur voxels so wide as if they were ``mm`` wide."""
    # the variance of a box is a twelfth of its square
    return np.sqrt(np.maximum(mm**2 - spacing_mm**2, 0) / 12)


def _coarse(volume: RasVolume, mm: Float64Array) -> Float32Array:
    """(x, y, z) voxels as if they were so many mm wide: thick slices make small lesions faint."""
    missing = widening(volume.spacing_mm, mm)
    blurred: Float32Array = ndimage.gaussian_filter(
        volume.voxels.astype(np.float32), missing / volume.spacing_mm
    )
    return blurred


def _around(values: Float32Array) -> Float32Array:
    """(x, y, z) what a place's surroundings add up to."""
    added: Float32Array = ndimage.gaussian_filter(values, SURROUNDINGS_MM / CUBE_MM)
    return added


def _beside(seen: Float32Array, brain: NDArray[np.bool_], weight: Float32Array) -> Float32Array:
    """How bright a place is beside the brain around it; a scan's shading falls out.

    Args:
        seen: (x, y, z) brightness, 1 at the brain's median.
        brain: (x, y, z) bool, what counts.
        weight: (x, y, z) how much of the surroundings is that.
    """
    highest, usual = BRIGHTEST
    around = _around(np.clip(seen, 0, usual) * brain)
    around = np.maximum(around / np.maximum(weight, 1e-3), 0.1)
    beside: Float32Array = np.where(brain, np.clip(seen, 0, highest) / around, 0)
    return beside


def _in_deviations(difference: Float32Array, brain: NDArray[np.bool_]) -> Float32Array:
    """A difference in robust standard deviations of the brain's, most of which did not change."""
    if not brain.any():
        return np.zeros_like(difference)
    middle = np.median(difference[brain])
    deviation = 1.4826 * np.median(np.abs(difference[brain] - middle))
    scaled: Float32Array = ((difference - middle) / max(float(deviation), 1e-6)).astype(np.float32)
    return np.where(brain, scaled, 0)
