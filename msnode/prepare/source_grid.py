"""A study's best series as a volume on its own grid, for what outlines whole volumes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from msnode.records.population import Acquisition
from msnode.records.sentences import Text


@dataclass(frozen=True, slots=True)
class SourceGrid:
    """Where the voxels of a series lie, and what is to be known of it.

    Attributes:
        affine: (4, 4) from indices of (columns, rows, slices) to RAS mm.
        series: every series with why it was chosen or not.
        warnings: what the reader of a result should know.
        acquisition: of whom and how, as far as the headers say.
        distance_mm: between neighbouring slices.
    """

    affine: Float64Array
    series: tuple[SeriesChoice, ...]
    warnings: tuple[Text, ...]
    acquisition: Acquisition
    distance_mm: float


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
    voxels, grid = loaded
    np.save(file, voxels)
    return replace(grid, series=series)


def _loaded(candidate: Candidate, contract: InputContract) -> tuple[Float32Array, SourceGrid]:
    """Voxels on the source's grid, and what is known of it but for the other series."""
    volume = candidate.load()
    head, *_ = admit(volume, contract.gate)
    if is_nifti(candidate.paths[0]):
        voxels, affine = _nifti(candidate.paths[0])
    else:
        source = volume.on_own_grid
        voxels, affine = source.voxels, source.affine
    warnings = (*volume.warnings, *head.cuts)
    return voxels, SourceGrid(affine, (), warnings, candidate.acquisition(), volume.thickness_mm)


def _nifti(path: Path) -> tuple[Float32Array, Float64Array]:
    """As the file has it; of a 4-D one the first volume."""
    image = cast(SpatialImage, nibabel.load(path))
    voxels = np.asanyarray(image.dataobj).astype(np.float32)
    while voxels.ndim > 3:
        voxels = voxels[..., 0]
    voxels = np.nan_to_num(voxels, nan=0.0, posinf=0.0, neginf=0.0)
    return voxels, np.asarray(image.affine, np.float64)
