"""The same head as another scanner, protocol or position would have shown it.

What a change stands for is in its name in `CHANGES`. Tilted and thinner slices are interpolated
between those that there are, which blurs thick ones more than a scanner would.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.lesions.brain import brain_mask
from msnode.lesions.find import from_ras, to_ras
from msnode.records.images import Float32Array, Float64Array

Scan = tuple[Float32Array, Float64Array]
"""(i, j, k) voxels and the affine to RAS mm."""
THIN_MM, THICK_MM = 1.0, 6.0


def _tilted(scan: Scan, degrees: float, axis: int) -> Scan:
    """The head turned about its middle, the scanner's slices as they were."""
    voxels, affine = scan
    angle = np.radians(degrees)
    one, other = (at for at in range(3) if at != axis)
    turn = np.eye(3)
    turn[one, one] = turn[other, other] = np.cos(angle)
    turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
    grid = affine[:3, :3]
    matrix = np.linalg.inv(grid) @ turn @ grid
    middle = (np.array(voxels.shape) - 1) / 2
    turned = ndimage.affine_transform(voxels, matrix, middle - matrix @ middle, order=1)
    return turned, affine


def _gamma(scan: Scan, power: float) -> Scan:
    voxels, affine = scan
    highest = _highest(voxels)
    return highest * (np.clip(voxels, 0, None) / highest) ** power, affine


def _highest(voxels: Float32Array) -> float:
    return max(float(np.quantile(voxels, 0.999)), 1e-6)


def _noisy(scan: Scan) -> Scan:
    """4 % of the brightest, as magnitudes have it."""
    voxels, affine = scan
    noise = np.random.default_rng(0).normal(0, 0.04 * _highest(voxels), (2, *voxels.shape))
    return np.hypot(voxels + noise[0], noise[1]).astype(np.float32), affine


def _without_skull(scan: Scan) -> Scan:
    voxels, affine = scan
    brain: NDArray[np.bool_] = from_ras(brain_mask(to_ras(voxels, affine)), affine)
    return np.where(brain, voxels, 0).astype(np.float32), affine


def _sliced(scan: Scan, mm: float) -> Scan:
    """Slices of another thickness along the third axis, averaged or interpolated."""
    voxels, affine = scan
    had = float(np.linalg.norm(affine[:3, 2]))
    count = max(2, round(voxels.shape[2] * had / mm))
    averaged = ndimage.uniform_filter1d(voxels, max(1, round(mm / had)), axis=2)
    places = (np.arange(count) + 0.5) * voxels.shape[2] / count - 0.5
    made = ndimage.map_coordinates(
        averaged, np.meshgrid(*map(np.arange, voxels.shape[:2]), places, indexing="ij"),
        order=1, mode="nearest",
    )  # fmt: skip
    step = voxels.shape[2] / count
    new = affine.copy()
    new[:, 3] = affine @ [0, 0, 0.5 * step - 0.5, 1]
    new[:, 2] *= step
    return made, new


def _sagittal(scan: Scan) -> Scan:
    """Thin slices that lie from left to right, as of a 3-D FLAIR."""
    voxels, affine = _sliced(scan, THIN_MM)
    order = [1, 2, 0]
    return np.ascontiguousarray(voxels.transpose(order)), affine[:, [*order, 3]]


CHANGES: dict[str, Callable[[Scan], Scan]] = {
    "mirrored": lambda scan: (scan[0][::-1], scan[1]),
    "gamma 0.8": partial(_gamma, power=0.8),
    "gamma 1.2": partial(_gamma, power=1.2),
    "noise 4 %": _noisy,
    "brightness x 7.3": lambda scan: (7.3 * scan[0], scan[1]),
    "without skull": _without_skull,
    "slices of 1 mm": partial(_sliced, mm=THIN_MM),
    "slices of 6 mm": partial(_sliced, mm=THICK_MM),
    "3-D, sagittal": _sagittal,
    "chin up by 7 degrees": partial(_tilted, degrees=7, axis=0),
    "chin down by 7 degrees": partial(_tilted, degrees=-7, axis=0),
    "leaning by 7 degrees": partial(_tilted, degrees=7, axis=1),
    "turned by 7 degrees": partial(_tilted, degrees=7, axis=2),
}
