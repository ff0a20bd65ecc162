"""NIfTI files for the tests."""

from pathlib import Path
from typing import Any, cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray


def read(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Voxels and affine (RAS)."""
    image = cast(SpatialImage, nibabel.load(path))
    return np.asanyarray(image.dataobj), image.affine


def write(path: Path, voxels: NDArray[Any], affine: NDArray[Any]) -> Path:
    """Save voxels with an affine (RAS), sheared or singular ones too."""
    image = nibabel.Nifti1Image(voxels, None)
    image.set_sform(affine, code=1)
    nibabel.save(image, path)
    return path
