"""A scan grades itself: lesions of known size are put into it, and those found again are counted.

What is found of them says what this very scan, with its noise, its slices and its artefacts, could
have shown. They are balls with soft edges in tissue of medium brightness, away from everything that
is outlined, always at the same places of the same scan.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.lesions.brain import Head
from msnode.lesions.lesion_bundle import Bundle
from msnode.lesions.objects import Marks, mark
from msnode.lesions.outline import outline
from msnode.records.distances import away
from msnode.records.images import Float32Array, Float64Array
from msnode.records.lesions import Grade
from msnode.records.morphology import TINY_MM, disc, eroded
from msnode.records.ras_volume import RasVolume

SIZES_MM = ((3.0, 5.0), (5.0, 8.0), (8.0, 12.0))
"""Diameters of the three groups."""
EACH = 10
"""Lesions of each size, at most."""
CONTRAST = 1.4
"""Of a lesion to its surroundings: the median of 319 outlined lesions was 1.38, 1.32 of those
below 150 mm3, into which the edges count."""
TISSUE = (0.8, 1.15)
"""Brightness of where they are put, in medians of the brain; darker is fluid, brighter suspect."""
DEEP_MM = 8.0
"""From the edge of the brain: where the white matter is."""
APART_MM = 16.0
"""From each other's middle, so that each has surroundings of its own."""
CLEAR_MM = 8.0
"""From their middle to anything that is outlined."""
SOFT_MM = 0.5
"""Over which the edge fades."""
FINE = 5
"""Parts into which a voxel is cut along each axis, to see how much of it a lesion fills."""


@dataclass(frozen=True, slots=True)
class Ball:
    """A lesion that is put in: middle in RAS mm, diameter, and index of its size."""

    middle: Float64Array
    diameter_mm: float
    size: int


def grade(marks: Marks, bundle: Bundle) -> tuple[Grade, ...]:
    """Put lesions into a scan and look for them.

    Args:
        marks: the scan and what was outlined in it.
        bundle: the network that outlined it.

    Returns:
        A grade each of `SIZES_MM` for which there was room.
    """
    volume, m = marks.scan.volume, bundle.manifest
    balls = tuple(_balls(marks))
    filled = [_filled(ball, volume) for ball in balls]
    changed = volume.voxels.astype(np.float32)
    for area, part in filled:
        changed[area] *= 1 + (CONTRAST - 1) * part
    seen = outline(RasVolume(changed, volume.affine), bundle.model, m.threshold)
    lesion = mark(marks.scan, seen, m.rating).numbers
    found = [bool(lesion[area][part >= 0.5 * part.max()].any()) for area, part in filled]
    return tuple(_graded(balls, found))


def _graded(balls: tuple[Ball, ...], found: list[bool]) -> Iterator[Grade]:
    """The counts by size."""
    for size, (low, high) in enumerate(SIZES_MM):
        of_size = [hit for ball, hit in zip(balls, found, strict=True) if ball.size == size]
        if of_size:
            yield Grade(low, high, sum(of_size), len(of_size))


def _balls(marks: Marks) -> Iterator[Ball]:
    """Balls at places drawn at random, the same whenever the scan is."""
    rng = np.random.default_rng(0)
    places = np.argwhere(_room(marks.scan, marks.labels))
    order = np.arange(len(places))
    rng.shuffle(order)
    taken: list[Float64Array] = []
    for place in places[order]:
        size = len(taken) % len(SIZES_MM)
        middle = (marks.scan.volume.affine @ [*(place + rng.uniform(-0.5, 0.5, 3)), 1])[:3]
        if all(np.linalg.norm(middle - other) >= APART_MM for other in taken):
            taken.append(middle)
            yield Ball(middle, float(rng.uniform(*SIZES_MM[size])), size)
        if len(taken) == EACH * len(SIZES_MM):
            return


def _room(scan: Head, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(x, y, z) where a lesion may be put."""
    mm, brain = scan.volume.spacing_mm, scan.brain.transpose(2, 0, 1)
    deep = eroded(brain, disc(DEEP_MM - TINY_MM, mm[:2].tolist()), beyond=True).transpose(1, 2, 0)
    clear = away(labels > 0, CLEAR_MM, mm) >= CLEAR_MM
    relative = ndimage.gaussian_filter(scan.volume.voxels.astype(np.float32), [1, 1, 0])
    relative /= scan.brightness
    usual = (relative > TISSUE[0]) & (relative < TISSUE[1])
    return np.asarray(deep & clear & usual, np.bool_)


def _filled(ball: Ball, volume: RasVolume) -> tuple[tuple[slice, ...], Float32Array]:
    """A part of the grid, and how much of each of its voxels the ball fills, in [0, 1]."""
    radius = ball.diameter_mm / 2
    middle = np.linalg.solve(volume.affine, [*ball.middle, 1])[:3]
    reach = (radius + 2 * SOFT_MM) / volume.spacing_mm + 1
    low = np.maximum(np.floor(middle - reach), 0).astype(int)
    high = np.minimum(np.ceil(middle + reach) + 1, volume.voxels.shape).astype(int)
    offsets = (np.arange(FINE) + 0.5) / FINE - 0.5
    axes = [(np.arange(a, b)[:, None] + offsets).ravel() for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) - middle
    offset = points @ volume.affine[:3, :3].T
    away = np.sqrt(np.einsum("...i,...i", offset, offset))
    fine = np.clip((radius - away) / (2 * SOFT_MM) + 0.5, 0, 1)
    x, y, z = (high - low).tolist()
    part: Float32Array = (
        fine.reshape(x, FINE, y, FINE, z, FINE).mean(axis=(1, 3, 5)).astype(np.float32)
    )
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True)), part
