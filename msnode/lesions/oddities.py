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
from msnode.lesions.brain import Head
from msnode.records.distances import depth
from msnode.records.images import Float32Array
from msnode.records.morphology import TINY_MM, disc, eroded
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


def oddities(scan: Head, fit: atlas.Fit) -> Iterator[Sentence]:
    """What speaks against the outlines of a scan.

    Args:
        scan: FLAIR.
        fit: how the atlas lies in it.
    """
    if not fit.holds:
        yield Sentence("unplaced")
        return
    mm, voxels = scan.volume.spacing_mm, scan.volume.voxels
    relative: Float32Array = ndimage.gaussian_filter(voxels.astype(np.float32), BLUR_MM / mm)
    relative /= scan.brightness
    if wide := _widest((relative > BRIGHT) & scan.brain, mm, MASS_MM):
        yield Sentence("mass", mm=round(wide))
    core = atlas.placed(_core(), fit.matrix, scan.volume) > 0
    if wide := _widest((relative < DARK) & core, mm, VOID_MM):
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


def _widest(mask: NDArray[np.bool_], spacing_mm: NDArray[np.float64], least_mm: float) -> float:
    """Diameter in mm of the largest ball inside; 0 where none is as large as ``least_mm``."""
    # a ball has a disc as wide in the slice of its middle, and a scan seldom has even that
    disc_mm, spacing = least_mm / 2 - TINY_MM, spacing_mm[:2].tolist()
    planes = np.ascontiguousarray(mask.transpose(2, 0, 1))
    if not eroded(planes, disc(disc_mm, spacing)).any():
        return 0.0
    wide = 2 * float(depth(np.pad(mask, 1), spacing_mm).max())
    return wide if wide >= least_mm else 0.0
