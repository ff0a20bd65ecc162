"""How sharp two scans of one head are: what differs is motion, or another protocol.

One scan alone does not tell: still scans of three sites have 0.20 to 0.34 medians a mm. Of one
head, three pairs of visits had ratios of 0.92 to 0.98, slices of 3 and 4 mm among them; with six
simulated shifts and turns of up to 2 mm and degrees in each slice of one of the two 0.74 to 0.78
(Ljubljana), 0.73 to 0.96 (Tabriz, 11 of 14 below 0.85): `bench/lesion_repeats.py`.
"""

import numpy as np
from scipy import ndimage

from msnode.lesions.brain import Head
from msnode.lesions.halfway import widening
from msnode.lesions.pairs import both
from msnode.records.images import Float64Array
from msnode.records.sentences import Sentence

SCALE_MM = 0.8
"""Smooths within a slice, so that noise and the size of pixels count for little."""
QUANTILE = 97.0
"""Of the brain's gradients, in per cent: the steepest are edges."""
BRIGHTEST = 3.0
"""Times the brain's median; vessels and fat must not decide."""
INSIDE = 2
"""Voxels from the mask's rim, which is the mask's edge and not the brain's."""
AS_SHARP = 0.85
"""Ratio below which two scans are not equally sharp."""


def less_sharp(before: Head, now: Head, mm: Float64Array) -> Sentence | None:
    """Which of two scans of one head is clearly less sharp.

    Args:
        before: the earlier scan, as if its voxels were ``mm`` wide; likewise ``now``.
        now: the later scan.
        mm: (3,) what the coarser of the two has.
    """
    then, here = both(lambda scan: _sharpness(scan, mm), (before, now))
    if min(then, here) >= AS_SHARP * max(then, here):
        return None
    return Sentence("less_sharp_now" if here < then else "less_sharp_then")


def _sharpness(scan: Head, mm: Float64Array) -> float:
    """Gradient at the edges within slices, in medians of the brain a mm."""
    spacing = scan.volume.spacing_mm
    inside = ndimage.binary_erosion(scan.brain, iterations=INSIDE)
    if not inside.any():
        return 0.0
    across = int(np.argmax(mm))
    within = [axis for axis in range(3) if axis != across]
    blur = widening(spacing, mm)
    blur[within] = np.hypot(blur[within], SCALE_MM)
    seen = np.clip(scan.volume.voxels.astype(np.float32) / scan.median, 0, BRIGHTEST)
    smooth = ndimage.gaussian_filter(seen, blur / spacing)
    steep = np.hypot(*(np.gradient(smooth, spacing[axis], axis=axis) for axis in within))
    return float(np.percentile(steep[inside], QUANTILE))
