"""A volume on the patient's axes: x to the right, y to the front, z to the head (RAS, mm)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msnode.records.images import Float64Array


@dataclass(frozen=True, slots=True)
class RasVolume:
    """A volume on a grid whose axes lie within 45 degrees of the patient's.

    Attributes:
        voxels: (x, y, z).
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
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.spacing_mm))
