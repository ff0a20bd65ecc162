"""Where the parts of a brain are, by an atlas that is fitted to the volume.

``atlas_flair.nii.gz`` looks like the FLAIR of a brain without its skull, ``atlas_regions.nii.gz``
says what is where; both on a 2 mm grid of MNI space, made of ICBM 152 (2009a) and the
Desikan-Killiany labels. ``ATLAS.md`` beside them has the recipe, credit and licence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from scipy import ndimage, optimize
from scipy.spatial.transform import Rotation

from msnode.lesions.brain import brain_mask
from msnode.lesions.pairs import each
from msnode.lesions.resample import nearest
from msnode.records.images import Float32Array, Float64Array
from msnode.records.ras_volume import RasVolume

BRAIN, CORTEX, INFRATENTORIAL, VENTRICLE = 1, 2, 3, 4
"""In the atlas; 0 is what is no brain."""
MIDDLE = np.array([0.0, -18.0, 14.0])
"""Centre of the lateral ventricles in the atlas, mm."""
AROUND = 6
"""Voxels of the atlas around its brain in which there must be none in the volume either."""
STRIDE = 3
"""Every third voxel of the atlas is compared."""
BLUR_MM = 1.6
BRIGHTEST = 1.25
"""Times the median; lesions must not steer the fit."""
SHORTEST_MM = 100.0
"""Of a volume that may hold a whole brain, along any axis: no adult's is shorter, and the shortest
of the 33 scans of `oddities` had 128."""
LEAST_ALIKE = 0.55
"""A fit below this places nothing: of 33 scans of three sites the least had 0.66 and looked right;
a fit that went astray had 0.28."""
PITCHES_DEG = (-15.0, -7.5, 0.0, 7.5, 15.0)
"""Heads are scanned with their chin up or down; the fit begins with each."""
UNIT = np.array([10.0] * 6 + [0.1] * 3)
"""Degrees, mm and logarithms of scales that one unit of the search is."""


def _read(name: str) -> RasVolume:
    image = cast(SpatialImage, nibabel.load(Path(__file__).parent / name))
    return RasVolume(np.asarray(image.dataobj), np.asarray(image.affine, np.float64))


@cache
def regions() -> RasVolume:
    """(x, y, z) uint8: `BRAIN` to `VENTRICLE`."""
    return _read("atlas_regions.nii.gz")


@cache
def _compared() -> tuple[Float64Array, Float64Array]:
    """Points of the atlas (3, n) in mm, and how bright they are (n,), mean 0 and length 1."""
    flair = ndimage.gaussian_filter(_read("atlas_flair.nii.gz").voxels.astype(np.float64), 1.0)
    brain = ndimage.binary_fill_holes(regions().voxels > 0)
    near = ndimage.binary_dilation(brain, iterations=AROUND)
    every = np.zeros_like(near)
    every[::STRIDE, ::STRIDE, ::STRIDE] = True
    places = np.argwhere(near & every)
    affine = regions().affine
    values = flair[tuple(places.T)]
    values -= values.mean()
    points = affine[:3, :3] @ places.T + affine[:3, 3:]
    return np.ascontiguousarray(points), values / np.sqrt(np.sum(values**2))


@dataclass(frozen=True, slots=True)
class Fit:
    """How the atlas lies in a volume.

    Attributes:
        matrix: (4, 4) from the volume's patient coordinates to those of the atlas, RAS mm.
        likeness: correlation of the two, in [-1, 1].
        is_whole: whether a whole brain has room in the volume; half of one may look like the atlas.
    """

    matrix: Float64Array
    likeness: float
    is_whole: bool = True

    @property
    def holds(self) -> bool:
        """Whether it tells where anything is."""
        return self.is_whole and self.likeness >= LEAST_ALIKE


def fit(volume: RasVolume, start: Float64Array, brain: NDArray[np.bool_] | None = None) -> Fit:
    """Fit the atlas to a volume: turned, moved and scaled along its axes.

    Args:
        volume: FLAIR, with or without skull.
        start: (3,) RAS mm of the ventricles' centre in the volume.
        brain: (x, y, z) bool, its `brain_mask` where that is known.
    """
    cost = _cost(volume, brain_mask(volume) if brain is None else brain, start)
    first = [np.eye(9)[0] * pitch / UNIT for pitch in PITCHES_DEG]
    tries = each(lambda x: _search(cost, x, 2, 0.1, 1e-2), first)
    _, best = min(tries, key=lambda one: one[0])
    lowest, found = _search(cost, best, 6, 0.02, 1e-4)
    matrix = np.asarray(np.linalg.inv(_from_atlas(found, start)), np.float64)
    extent = volume.spacing_mm * volume.voxels.shape
    return Fit(matrix, 1 - lowest + _oddity(found), bool(extent.min() >= SHORTEST_MM))


def _search(
    cost: Any, first: Float64Array, rounds: int, xtol: float, ftol: float
) -> tuple[float, Float64Array]:
    """Powell's method: the lowest cost, and where it is."""
    options: Any = {"maxiter": rounds, "xtol": xtol, "ftol": ftol}
    found = optimize.minimize(cost, first, method="Powell", options=options)
    return float(found.fun), np.asarray(found.x, np.float64)


def place(volume: RasVolume, to_atlas: Float64Array) -> NDArray[np.uint8]:
    """(x, y, z) uint8: the atlas's regions on a volume's grid."""
    return placed(regions(), to_atlas, volume)


def placed(labels: RasVolume, to_atlas: Float64Array, volume: RasVolume) -> NDArray[np.uint8]:
    """(x, y, z) uint8: labels in the atlas's space on a volume's grid."""
    matrix = np.linalg.inv(labels.affine) @ to_atlas @ volume.affine
    return nearest(labels.voxels, matrix, volume.voxels.shape)


def _from_atlas(x: Float64Array, start: Float64Array) -> Float64Array:
    """(4, 4) from the atlas to the patient, of turns, shifts and scales in `UNIT`."""
    values = x * UNIT
    turned = Rotation.from_euler("xyz", values[:3], degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = turned @ np.diag(np.exp(values[6:]))
    matrix[:3, 3] = start + values[3:6] - matrix[:3, :3] @ MIDDLE
    return matrix


def _cost(
    volume: RasVolume, brain: NDArray[np.bool_], start: Float64Array
) -> Callable[[Float64Array], float]:
    """One minus the correlation, and how odd the head would be."""
    points, wanted = _compared()
    seen, to_voxels = _brain(volume, brain), np.linalg.inv(volume.affine)

    def cost(x: Float64Array) -> float:
        # sums and products without BLAS: they are the same on any number of threads
        matrix = to_voxels @ _from_atlas(x, start)
        places = sum(matrix[:3, axis, None] * points[axis] for axis in range(3)) + matrix[:3, 3:]
        values = ndimage.map_coordinates(seen, places, order=1, cval=0.0)
        values -= values.mean()
        length = float(np.sqrt(np.sum(values**2)))
        alike = float(np.sum(values * wanted)) / max(length, 1e-9)
        return 1 - alike + _oddity(x)

    return cost


def _oddity(x: Float64Array) -> float:
    """A mild preference for heads that lie straight and are of usual size and shape."""
    turns, scales = x[:3] ** 2, x[6:]
    return float(0.01 * turns @ (0.3, 2, 2) + 0.01 * scales @ scales + 0.06 * np.var(scales))


def _brain(volume: RasVolume, brain: NDArray[np.bool_]) -> Float64Array:
    """(x, y, z) the volume without its skull, 1 at the median, smoothed."""
    voxels = volume.voxels.astype(np.float32)
    median = float(np.median(voxels[brain])) if brain.any() else 1.0
    scaled: Float32Array = np.clip(voxels / max(median, 1e-6), 0, BRIGHTEST) * brain
    blurred: Float64Array = ndimage.gaussian_filter(
        scaled.astype(np.float64), BLUR_MM / volume.spacing_mm
    )
    return blurred
