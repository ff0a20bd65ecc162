"""A study's best series as a volume on its own grid, for what outlines whole volumes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage

from msnode.prepare.head_check import admit
from msnode.prepare.nifti import is_nifti
from msnode.prepare.series_choice import Candidate
from msnode.prepare.study import first_usable
from msnode.records.images import Float32Array, Float64Array, InputContract, SeriesChoice
from msnode.records.sentences import Text


@dataclass(frozen=True, slots=True)
class SourceGrid:
    """Where the voxels of a series lie, and what is to be known of it.

    Attributes:
        affine: (4, 4) from indices of (columns, rows, slices) to RAS mm.
        series: every series with why it was chosen or not.
        warnings: what the reader of a result should know.
    """

    affine: Float64Array
    series: tuple[SeriesChoice, ...]
    warnings: tuple[Text, ...]


def save_source(paths: Sequence[Path], contract: InputContract, file: Path) -> SourceGrid:
    """Write the voxels of a study's best series.

    Args:
        paths: files of one study (DICOM Part 10, or a NIfTI file).
        contract: which sequence is wanted, and what counts as a head.
        file: gets (columns, rows, slices) float32 as .npy, whatever plane the slices are in.

    Raises:
        NotAnalysable: with the reason for each series in ``series``.
    """
    loaded, series, _ = first_usable(paths, contract, lambda one: _loaded(one, contract))
    voxels, affine, warnings = loaded
    np.save(file, voxels)
    return SourceGrid(affine, series, warnings)


def _loaded(
    candidate: Candidate, contract: InputContract
) -> tuple[Float32Array, Float64Array, tuple[Text, ...]]:
    """Voxels and affine on the source's grid, and warnings."""
    volume = candidate.load()
    head, _ = admit(volume, contract.gate)
    warnings = (*volume.warnings, *head.cuts)
    if is_nifti(candidate.paths[0]):
        return (*_nifti(candidate.paths[0]), warnings)
    source = volume.on_own_grid
    return source.voxels, source.affine, warnings


def _nifti(path: Path) -> tuple[Float32Array, Float64Array]:
    """As the file has it; of a 4-D one the first volume."""
    image = cast(SpatialImage, nibabel.load(path))
    voxels = np.asanyarray(image.dataobj).astype(np.float32)
    while voxels.ndim > 3:
        voxels = voxels[..., 0]
    voxels = np.nan_to_num(voxels, nan=0.0, posinf=0.0, neginf=0.0)
    return voxels, np.asarray(image.affine, np.float64)
