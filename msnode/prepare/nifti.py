"""NIfTI files as volumes, by the same road as DICOM series."""

import zlib
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import SpatialImage

from msnode.errors import NotAnalysable
from msnode.prepare.volume import Volume, outward
from msnode.records.images import Float32Array, Float64Array, SourceFrame
from msnode.records.sentences import Sentence, Text

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MAX_SHEAR_DEG = 3.0
_LEAST_VALUES = 32
"""Different values of a scan: one of 8 bit has more than a hundred, a mask of tissues a dozen."""


def is_nifti(path: Path) -> bool:
    """Whether a file's name is that of a NIfTI file."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def load_nifti(path: Path) -> Volume:
    """Read a 3-D NIfTI file; of a 4-D one the first volume, with a warning.

    The frames of the volume carry the path as SeriesInstanceUID and the 1-based index of the
    slice along the file's third axis as frame number; they have no SOPInstanceUID.

    Raises:
        NotAnalysable: no NIfTI, not a volume, without a place in the patient, or sheared.
    """
    try:
        image = cast(SpatialImage, nibabel.load(path))
        voxels = np.asanyarray(image.dataobj)
    except (ImageFileError, OSError, ValueError, EOFError, zlib.error) as error:
        raise NotAnalysable(Sentence("nifti_unreadable", error=str(error))) from error
    voxels, warnings = _three_dimensional(voxels)
    affine, positions = _geometry(_LPS_FROM_RAS @ image.affine, voxels.shape[0])
    order = np.arange(len(positions))
    if not outward(affine[:3, 2]):
        order, affine = order[::-1], _reversed(affine, positions[-1])
    frames = _frames(path, affine, positions, order, voxels.shape)
    return Volume(np.ascontiguousarray(voxels[order]), affine, positions, frames, 0, warnings)


def load_scan(path: Path) -> Volume:
    """As `load_nifti`, of what is no mask, which looks like a head in much.

    Raises:
        NotAnalysable: it is one, or see `load_nifti`.
    """
    volume = load_nifti(path)
    values: set[float] = set()
    for plane in volume.voxels:
        values.update(np.unique(plane).tolist())
        if len(values) >= _LEAST_VALUES:
            return volume
    if len(values) > 1:
        raise NotAnalysable(Sentence("nifti_mask", count=len(values)))
    return volume


def _three_dimensional(voxels: np.ndarray) -> tuple[Float32Array, tuple[Text, ...]]:
    """(columns, rows, slices, ...) as (slices, rows, columns) float32, and what was left out."""
    warnings: tuple[Text, ...] = ()
    if voxels.dtype.fields is not None or np.iscomplexobj(voxels):
        raise NotAnalysable(Sentence("nifti_colour"))
    while voxels.ndim > 3:
        if voxels.shape[-1] > 1:
            warnings = (Sentence("nifti_first_volume", count=voxels.shape[-1]),)
        voxels = voxels[..., 0]
    if voxels.ndim < 3 or min(voxels.shape) < 2:
        raise NotAnalysable(Sentence("nifti_flat", shape=str(voxels.shape)))
    voxels = voxels.transpose(2, 1, 0).astype(np.float32)
    if not np.isfinite(voxels).all():
        voxels = np.nan_to_num(voxels, nan=0.0, posinf=0.0, neginf=0.0)
        warnings += (Sentence("nifti_not_finite"),)
    return voxels, warnings


def _geometry(lps: Float64Array, slices: int) -> tuple[Float64Array, Float64Array]:
    """Unit normal in the third column of the affine, and the slices' positions along it."""
    if not np.isfinite(lps).all() or abs(np.linalg.det(lps[:3, :3])) < 1e-6:
        raise NotAnalysable(Sentence("nifti_singular"))
    step = lps[:3, 2]
    normal = np.cross(lps[:3, 0], lps[:3, 1])
    normal *= np.sign(normal @ step) / np.linalg.norm(normal)
    height = float(normal @ step)
    if height < np.cos(np.radians(_MAX_SHEAR_DEG)) * np.linalg.norm(step):
        raise NotAnalysable(Sentence("nifti_sheared"))
    affine = lps.copy()
    affine[:3, 2] = normal
    return affine, height * np.arange(slices, dtype=np.float64)


def _reversed(affine: Float64Array, extent_mm: float) -> Float64Array:
    """The same volume with its slices counted from the other end."""
    reverse = affine.copy()
    reverse[:3, 3] += extent_mm * affine[:3, 2]
    reverse[:3, 2] *= -1
    return reverse


def _frames(
    path: Path,
    affine: Float64Array,
    positions: Float64Array,
    order: np.ndarray,
    shape: tuple[int, ...],
) -> tuple[SourceFrame, ...]:
    """One source frame for each slice."""

    def frame(number: int, position: float) -> SourceFrame:
        own = affine.copy()
        own[:3, 3] += position * affine[:3, 2]
        return SourceFrame("", "", str(path), number + 1, shape[1], shape[2], own)

    return tuple(frame(int(n), float(p)) for n, p in zip(order, positions, strict=True))
