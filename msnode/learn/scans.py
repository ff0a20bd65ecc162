"""NIfTI volumes as the makers of training data want them: RAS, slices along the last axis."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

from msnode.errors import ConfigError
from msnode.records import Float32Array, Float64Array


@dataclass(frozen=True, slots=True)
class Image:
    """A volume on a grid.

    Attributes:
        voxels: (x, y, slices), RAS.
        affine: (4, 4) to patient coordinates in mm, RAS.
    """

    voxels: NDArray[Any]
    affine: Float64Array

    @property
    def spacing_mm(self) -> Float64Array:
        """(3,) distances of neighbouring voxels."""
        distances: Float64Array = np.linalg.norm(self.affine[:3, :3], axis=0)
        return distances

    @property
    def planes(self) -> Iterator[Float32Array]:
        """(x, y) of every slice."""
        return (self.voxels[..., z].astype(np.float32) for z in range(self.voxels.shape[-1]))


def load(path: Path) -> Image:
    """A volume in RAS order.

    Raises:
        ConfigError: it is no NIfTI volume.
    """
    try:
        image = nibabel.as_closest_canonical(cast(SpatialImage, nibabel.load(path)))
        voxels = np.asanyarray(image.dataobj)
    except (OSError, ValueError, ImageFileError) as error:
        raise ConfigError(f"{path}: cannot be read as NIfTI: {error}") from error
    if voxels.ndim != 3:
        raise ConfigError(f"{path}: has {voxels.ndim} axes; a volume has three")
    return Image(voxels, np.asarray(image.affine, np.float64))


def save(image: Image, path: Path) -> None:
    """Write a volume; masks as bytes, all else as it is."""
    voxels = image.voxels
    stored = voxels.astype(np.uint8) if voxels.dtype == np.bool_ else voxels
    nibabel.Nifti1Image(stored, image.affine).to_filename(path)
