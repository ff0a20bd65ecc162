"""Drawn heads with lesions at known places."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msnode.lesions import atlas, brain, objects
from msnode.lesions.lesion_bundle import Rating
from msnode.lesions.outline import LESION, VENTRICLE, Outlines
from msnode.records.ras_volume import RasVolume


@dataclass(frozen=True)
class Drawn:
    """A volume and what is in it."""

    volume: RasVolume
    labels: NDArray[np.uint8]

    @property
    def outlines(self) -> Outlines:
        return Outlines(self.labels, np.where(self.labels == LESION, 0.9, 0.05).astype(np.float32))

    @property
    def found(self) -> objects.Found:
        return objects.measured(objects.mark(brain.head(self.volume), self.outlines, Rating()))


def head(slices: int = 22, thickness: float = 6.5) -> Drawn:
    """The atlas itself as a head of thick slices, 1 mm pixels, with its ventricles."""
    affine = np.diag([1.0, 1.0, thickness, 1.0])
    affine[:3, 3] = [-90, -126, -60]
    shape = (181, 217, slices)
    empty = RasVolume(np.zeros(shape, np.float32), affine)
    parts = atlas.place(empty, np.eye(4))
    bright = np.select([parts == 4, parts > 0], [20.0, 100.0], 0.0).astype(np.float32)
    bright[parts == atlas.CORTEX] = 115
    labels = np.where(parts == atlas.VENTRICLE, VENTRICLE, 0).astype(np.uint8)
    return Drawn(RasVolume(bright, affine), labels)


def lesion_at(
    drawn: Drawn, mm: tuple[float, float, float], size_mm: tuple[float, float, int]
) -> None:
    """Draw a box of lesion: its centre in mm, its width and depth in mm, its slices."""
    centre = np.linalg.inv(drawn.volume.affine) @ [*mm, 1]
    x, y, z = np.rint(centre[:3]).astype(int)
    wide, deep, high = size_mm
    spacing = drawn.volume.spacing_mm
    half = [max(1, round(wide / spacing[0] / 2)), max(1, round(deep / spacing[1] / 2))]
    area = (
        slice(x - half[0], x + half[0]), slice(y - half[1], y + half[1]), slice(z, z + high)
    )  # fmt: skip
    drawn.labels[area] = LESION
    drawn.volume.voxels[area] = 170
