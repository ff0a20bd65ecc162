"""NIfTI volumes for making training data: in RAS order, slices along the last axis."""

import zlib
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import SpatialImage

from msnode.errors import ConfigError
from msnode.records.images import Float64Array
from msnode.records.ras_volume import RasVolume
from msnode.records.uid_hash import uid_hash

THICK = 1.5
"""If the largest voxel distance exceeds the others by this factor, it is that between slices."""


def load(path: Path) -> RasVolume:
    """A volume in RAS order.

    Raises:
        ConfigError: it is no NIfTI volume.
    """
    try:
        image = nibabel.as_closest_canonical(cast(SpatialImage, nibabel.load(path)))
        voxels = np.asanyarray(image.dataobj)
    except (OSError, ValueError, EOFError, zlib.error, ImageFileError) as error:
        raise ConfigError(f"{path}: cannot be read as NIfTI: {error}") from error
    while voxels.ndim > 3 and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    if voxels.ndim != 3:
        raise ConfigError(f"{path}: has {voxels.ndim} axes; a volume has three")
    if voxels.dtype.kind == "f":
        voxels = np.nan_to_num(voxels, nan=0.0, posinf=0.0, neginf=0.0)
    return RasVolume(voxels, np.asarray(image.affine, np.float64))


def load_axial(path: Path) -> RasVolume:
    """A volume in RAS order whose slices are axial, or whose voxels are the same in all directions.

    Raises:
        ConfigError: it is no NIfTI volume, or its slices are not axial.
    """
    image = load(path)
    across, others = image.spacing_mm.argmax(), np.sort(image.spacing_mm)[:2]
    if across != 2 and image.spacing_mm[across] > THICK * others.max():
        raise ConfigError(
            f"{path}: its slices are {('sagittal', 'coronal')[across]}; only axial ones will do"
        )
    return image


def averaged_grid(affine: Float64Array, first: int, count: int) -> Float64Array:
    """The affine of slices that are means of ``count`` others each, starting at slice ``first``."""
    grid = affine @ np.diag([1.0, 1.0, count, 1.0])
    grid[:3, 3] = (affine @ [0, 0, first + (count - 1) / 2, 1])[:3]
    return grid


def name_of(path: Path) -> str:
    """A file's name without its ending, and eight hex digits of its path that make it unique."""
    return f"{path.name.partition('.')[0]}_{uid_hash(str(path))[:8]}"


def save(image: RasVolume, path: Path) -> None:
    """Write a volume, whole or not at all; masks as bytes, all else as it is."""
    voxels = image.voxels
    stored = voxels.astype(np.uint8) if voxels.dtype == np.bool_ else voxels
    part = path.with_name(f"part-{path.name}")  # nibabel goes by the ending
    nibabel.Nifti1Image(stored, image.affine).to_filename(part)
    part.replace(path)
