"""What a study's lesions are like as a whole: how many, and where.

``places.nii.gz`` says of each place in the atlas's space how much more often people with MS have a
lesion there than elderly people without MS, as a logarithm; `ATLAS.md` has its recipe and credits.
"""

from functools import cache
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from scipy import ndimage

from msnode.lesions.atlas import Fit
from msnode.records.lesions import LesionPattern
from msnode.records.ras_volume import RasVolume

PLACES = Path(__file__).parent / "places.nii.gz"
SHRUNK_MM3 = 1000.0
"""A millilitre at places of no meaning is added, so that one small lesion says little."""


@cache
def places(file: Path = PLACES) -> RasVolume:
    """(x, y, z) logarithms of ratios, in the atlas's space."""
    image = cast(SpatialImage, nibabel.load(file))
    return RasVolume(image.get_fdata(dtype=np.float32), np.asarray(image.affine, np.float64))


def pattern(
    lesion: NDArray[np.bool_],
    count: int,
    volume: RasVolume,
    fit: Fit,
    ratios: RasVolume | None = None,
) -> LesionPattern | None:
    """What all lesions of a volume are like.

    Args:
        lesion: (x, y, z), where they are.
        count: how many they are.
        volume: that was outlined.
        fit: of the atlas; None is returned where it does not hold.
        ratios: instead of `places`; for people whose own masks are in that.
    """
    if not fit.holds:
        return None
    return LesionPattern(count, _place(lesion, volume, fit, ratios or places()))


def _place(lesion: NDArray[np.bool_], volume: RasVolume, fit: Fit, ratios: RasVolume) -> float:
    """Mean over the lesions' volume, shrunk towards 0."""
    matrix = np.linalg.inv(ratios.affine) @ fit.matrix @ volume.affine
    voxels = np.argwhere(lesion).T.astype(np.float64)
    # sums and products without BLAS: they are the same on any number of threads
    points = sum(matrix[:3, axis, None] * voxels[axis] for axis in range(3)) + matrix[:3, 3:]
    found = ndimage.map_coordinates(ratios.voxels, points, order=1, output=np.float64)
    mm3 = volume.voxel_mm3
    return float(found.sum()) * mm3 / (voxels.shape[1] * mm3 + SHRUNK_MM3)
