"""From a volume on any grid to its lesions on that grid."""

from dataclasses import replace
from typing import Any, TypeVar

import nibabel
import numpy as np
from nibabel.orientations import (
    apply_orientation,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)
from numpy.typing import NDArray

from msnode.lesions.brain import head
from msnode.lesions.lesion_bundle import Bundle
from msnode.lesions.objects import Found, Marks, mark, measured
from msnode.lesions.outline import outline
from msnode.records.images import Float32Array, Float64Array
from msnode.records.ras_volume import RasVolume

RAS = nibabel.orientations.axcodes2ornt("RAS")
Voxel = TypeVar("Voxel", bound=np.generic)


def find(voxels: Float32Array, affine: Float64Array, bundle: Bundle) -> Found:
    """Outline, count and place the lesions of a FLAIR volume.

    Args:
        voxels: (i, j, k), axes in any order and direction.
        affine: (4, 4) from indices to RAS mm.
        bundle: the network.

    Returns:
        The lesions; all maps on the grid of ``voxels``.

    Raises:
        NotAnalysable: nothing in it is bright.
    """
    return measure(draw(voxels, affine, bundle), affine)


def draw(voxels: Float32Array, affine: Float64Array, bundle: Bundle) -> Marks:
    """Outline a FLAIR volume: the first half of `find`, enough for a scan to grade itself."""
    volume, m = to_ras(voxels, affine), bundle.manifest
    return mark(head(volume), outline(volume, bundle.model, m.threshold), m.rating)


def measure(marks: Marks, affine: Float64Array) -> Found:
    """Measure and place what was outlined: the second half of `find`.

    Args:
        marks: of the volume.
        affine: of the grid on which the maps are to be.
    """
    found = measured(marks)
    return replace(
        found,
        labels=from_ras(found.labels, affine),
        numbers=from_ras(found.numbers, affine),
        probability=from_ras(found.probability, affine),
    )


def to_ras(voxels: NDArray[Any], affine: Float64Array) -> RasVolume:
    """Any volume on the patient's axes; nothing is resampled."""
    turn = ornt_transform(io_orientation(affine), RAS)
    return RasVolume(apply_orientation(voxels, turn), affine @ inv_ornt_aff(turn, voxels.shape))


def from_ras(voxels: NDArray[Voxel], affine: Float64Array) -> NDArray[Voxel]:
    """A map on the patient's axes, turned back to the axes of the grid that an affine is of."""
    turned: NDArray[Voxel] = apply_orientation(voxels, ornt_transform(RAS, io_orientation(affine)))
    return np.ascontiguousarray(turned)
