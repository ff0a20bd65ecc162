"""Volumes on other grids: what scipy's `affine_transform` gives, by ITK, in a quarter of the time.

Beyond the middles of a volume's outer voxels there is nothing.
"""

from typing import Any, Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its own documentation calls it so
from numpy.typing import NDArray

from msnode.records.images import Float32Array, Float64Array

Shape = tuple[int, ...]
ROUNDED = 1e-9
"""Voxels; so far outside a point still lies on the outermost middle."""


def sampled(voxels: NDArray[Any], matrix: Float64Array, shape: Shape) -> Float32Array:
    """A volume's voxels on another grid: what lies between neighbours.

    Args:
        voxels: (x, y, z) of the volume.
        matrix: (4, 4) from the other grid's indices to the volume's.
        shape: of the other grid.
    """
    values: Float32Array = _resampled(voxels.astype(np.float32), matrix, shape, sitk.sitkLinear)
    return values


def nearest(voxels: NDArray[Any], matrix: Float64Array, shape: Shape) -> NDArray[Any]:
    """Labels on another grid: that of the nearest voxel; see `sampled`."""
    return _resampled(voxels, matrix, shape, sitk.sitkNearestNeighbor)


def shown(source: Shape, matrix: Float64Array, shape: Shape) -> NDArray[np.bool_]:
    """(x, y, z) bool: what of another grid lies within a volume.

    Args:
        source: shape of the volume.
        matrix: (4, 4) from the other grid's indices to the volume's.
        shape: of the other grid.
    """
    x, y, z = (np.arange(count, dtype=np.float64) for count in shape)
    first, last = np.full((len(x), len(y)), -np.inf), np.full((len(x), len(y)), np.inf)
    for (by_x, by_y, by_z, start), count in zip(matrix[:3].tolist(), source, strict=True):
        there = by_x * x[:, None] + by_y * y + start
        with np.errstate(divide="ignore"):  # along z this index may stay as it is
            ends = (-ROUNDED - there) / by_z, (count - 1 + ROUNDED - there) / by_z
        first, last = np.maximum(first, np.minimum(*ends)), np.minimum(last, np.maximum(*ends))
    return (z >= first[..., None]) & (z <= last[..., None])


def _resampled(
    voxels: NDArray[Any], matrix: Float64Array, shape: Shape, interpolator: Literal[1, 2]
) -> NDArray[Any]:
    """Resampled, 0 where the volume does not reach; ITK's axes are ours in reverse."""
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3][::-1, ::-1].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3][::-1].tolist())
    grid = sitk.ResampleImageFilter()
    grid.SetSize([int(count) for count in shape[::-1]])
    grid.SetTransform(transform)
    grid.SetInterpolator(interpolator)
    grid.SetNumberOfThreads(1)  # two volumes are mostly resampled beside each other
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels))
    values: NDArray[Any] = sitk.GetArrayFromImage(grid.Execute(image))
    values[~shown(voxels.shape, matrix, shape)] = 0
    return values
