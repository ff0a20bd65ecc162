"""A volume in the patient: voxels, and where each of them lies."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msnode.records.images import Float32Array, Float64Array, SourceFrame, SourceVolume
from msnode.records.sentences import Text

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: An acquisition whose normal is within this angle of the body's axis keeps its own slices.
AXIAL_WITHIN_DEG = 30.0


@dataclass(frozen=True, slots=True)
class Volume:
    """Parallel slices of one acquisition, sorted along their normal.

    The normal is taken with the sign that points to the patient's left, back or head, whichever
    it is nearest to; so the slices of an axial acquisition run from the feet to the head.

    Attributes:
        voxels: (slices, rows, columns) float32.
        affine: (4, 4) float64, (column, row, mm along the normal, 1) -> LPS mm.
        positions: (slices,) float64, mm along the normal, ascending from 0.
        frames: where each slice came from.
        missing: number of slices that gaps between the positions suggest.
        warnings: what the reader of the result should know.
    """

    voxels: Float32Array
    affine: Float64Array
    positions: Float64Array
    frames: tuple[SourceFrame, ...]
    missing: int = 0
    warnings: tuple[Text, ...] = ()

    @property
    def thickness_mm(self) -> float:
        """Distance between neighbouring slices: the median, which a gap does not move."""
        return float(np.median(np.diff(self.positions)))

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring (slices, rows, columns)."""
        columns, rows = np.linalg.norm(self.affine[:3, :2], axis=0)
        return self.thickness_mm, float(rows), float(columns)

    @property
    def axial(self) -> bool:
        """Whether the slices are axial, give or take the usual tilt of a brain protocol."""
        return abs(float(self.affine[2, 2])) >= math.cos(math.radians(AXIAL_WITHIN_DEG))

    @property
    def on_own_grid(self) -> SourceVolume:
        """All voxels in columns, rows and slices."""
        affine = RAS_FROM_LPS @ self.affine @ np.diag([1, 1, self.thickness_mm, 1])
        return SourceVolume(np.ascontiguousarray(self.voxels.transpose(2, 1, 0)), affine)

    def indices(self, lps: Float64Array) -> Float64Array:
        """Fractional voxel indices of points.

        Args:
            lps: (4, points) float64, homogeneous LPS mm.

        Returns:
            (3, points) float64, (slice, row, column); the slice of a point more than half a
            slice distance outside the volume is -2, so that it samples as background.
        """
        columns, rows, mm = (np.linalg.inv(self.affine) @ lps)[:3]
        slices = np.interp(mm, self.positions, np.arange(len(self.positions)))
        half = self.thickness_mm / 2
        outside = (mm < -half) | (mm > self.positions[-1] + half)
        return np.stack([np.where(outside, -2.0, slices), rows, columns])


def outward(normal: NDArray[np.float64]) -> bool:
    """Whether a normal points to the patient's left, back or head: LPS's positive axes."""
    return bool(normal[np.argmax(np.abs(normal))] > 0)
