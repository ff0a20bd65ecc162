"""What in a scan is not as in the scans that a network learned from: it is said, never corrected.

Thresholds are above what 33 scans of three sites have (14 people with MS of Tabriz, 4 of
Ljubljana with their later visits, 12 elderly of NiChart), so that of those none is called odd.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.lesions import atlas
from msnode.lesions.inputs import brightness
from msnode.records.distances import depth
from msnode.records.images import Float32Array
from msnode.records.ras_volume import RasVolume
from msnode.records.sentences import Sentence

BLUR_MM = 1.0
BRIGHT = 1.3
"""Times the brain's median."""
MASS_MM = 18.0
"""So wide in all directions is a tumour, an infarct, or a tumefactive lesion (from 20 mm;
Lucchinetti et al., Brain 2008); the widest of the 33 scans was 16 mm."""
DARK = 0.25
"""Times the brain's median: fluid or no signal."""
VOID_MM = 17.0
"""The widest of the 33 scans, away from the ventricles, was 14 mm."""
FROM_VENTRICLE_MM, FROM_EDGE_MM = 10.0, 4.0
"""So far away, in the atlas, no ventricle and no outer fluid is expected."""


def oddities(volume: RasVolume, brain: NDArray[np.bool_], fit: atlas.Fit) -> Iterator[Sentence]:
    """What speaks against the outlines of a scan.

    Args:
        volume: FLAIR.
        brain: (x, y, z) bool, its `brain.brain_mask`.
        fit: how the atlas lies in it.
    """
    if not fit.holds:
        yield Sentence("unplaced")
        return
    mm = volume.spacing_mm
    relative: Float32Array = ndimage.gaussian_filter(volume.voxels.astype(np.float32), BLUR_MM / mm)
    relative /= brightness(volume)
    if (wide := _widest((relative > BRIGHT) & brain, mm)) >= MASS_MM:
        yield Sentence("mass", mm=round(wide))
    core = atlas.placed(_core(), fit.matrix, volume) > 0
    if (wide := _widest((relative < DARK) & core, mm)) >= VOID_MM:
        yield Sentence("void", mm=round(wide))


@cache
def _core() -> RasVolume:
    """(x, y, z) uint8 in the atlas: 1 where nothing is dark in FLAIR."""
    regions = atlas.regions()
    voxels, mm = regions.voxels, regions.spacing_mm
    inside = ndimage.distance_transform_edt(voxels > 0, mm) > FROM_EDGE_MM
    away = ndimage.distance_transform_edt(voxels != atlas.VENTRICLE, mm) > FROM_VENTRICLE_MM
    core = inside & away & np.isin(voxels, (atlas.BRAIN, atlas.CORTEX))
    return RasVolume(core.astype(np.uint8), regions.affine)


def _widest(mask: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> float:
    """Diameter in mm of the largest ball inside."""
    return 2 * float(depth(np.pad(mask, 1), spacing_mm).max())
