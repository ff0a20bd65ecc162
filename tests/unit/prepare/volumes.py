"""Volumes for the tests, made from the sample FLAIR."""

from pathlib import Path

import nibabel
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff
from nibabel.processing import resample_from_to
from numpy.typing import NDArray

from msnode import sample
from tests import nifti

AXIAL = np.array([[0, 1], [1, 1], [2, 1]])
SAGITTAL = np.array([[2, 1], [0, 1], [1, -1]])  # i -> third axis: slices from right to left
CORONAL = np.array([[0, 1], [2, 1], [1, -1]])


def isotropic(path: Path, marker: tuple[float, float, float]) -> Path:
    """The sample on a 2 mm grid, with a bright 14 mm cube centred at RAS mm."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -112, -120, -90
    grid = resample_from_to(nibabel.load(sample.nifti()), ((112, 112, 84), affine), order=1)
    voxels = np.asanyarray(grid.dataobj).astype(np.int16)
    centre = np.round((np.array(marker) - affine[:3, 3]) / 2).astype(int)
    voxels[tuple(slice(c - 3, c + 4) for c in centre)] = 600
    return nifti.write(path, voxels, affine)


def reoriented(source: Path, path: Path, orientation: NDArray[np.int64]) -> Path:
    """The same patient, stored with other axes (nibabel's orientation array)."""
    voxels, affine = nifti.read(source)
    turned = apply_orientation(voxels, orientation)
    return nifti.write(path, turned, affine @ inv_ornt_aff(orientation, voxels.shape))
