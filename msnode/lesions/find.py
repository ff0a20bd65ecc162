"""From a volume on any grid to its lesions on that grid."""

import nibabel
import numpy as np
from nibabel.orientations import (
    apply_orientation,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)

from msnode.lesions.lesion_bundle import Bundle
from msnode.lesions.objects import Found, lesions
from msnode.lesions.outline import outline
from msnode.records.images import Float32Array, Float64Array
from msnode.records.ras_volume import RasVolume

RAS = nibabel.orientations.axcodes2ornt("RAS")


def find(voxels: Float32Array, affine: Float64Array, bundle: Bundle) -> Found:
    """Outline, count and place the lesions of a FLAIR volume.

    Args:
        voxels: (i, j, k), axes in any order and direction.
        affine: (4, 4) from indices to RAS mm.
        bundle: the network.

    Returns:
        The lesions; labels and numbers on the grid of ``voxels``.

    Raises:
        NotAnalysable: nothing in it is bright.
    """
    own = io_orientation(affine)
    turned = apply_orientation(voxels, ornt_transform(own, RAS))
    volume = RasVolume(turned, affine @ inv_ornt_aff(ornt_transform(own, RAS), voxels.shape))
    found = lesions(volume, outline(volume, bundle.model, bundle.manifest.threshold))
    back = ornt_transform(RAS, own)
    return Found(
        np.ascontiguousarray(apply_orientation(found.labels, back)),
        np.ascontiguousarray(apply_orientation(found.numbers, back)),
        found.lesions,
    )
