"""A scan that is blurred against another of the same head is told, one with other slices is not."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from msnode.lesions.brain import Head
from msnode.lesions.sharpness import less_sharp
from msnode.records.images import Float32Array
from msnode.records.ras_volume import RasVolume
from msnode.records.sentences import Sentence

MM = np.array([1.0, 1.0, 6.0])


def scan(thickness: float, blur_mm: float = 0.0) -> Head:
    """Spots of tissue as seen by slices so thick, of one and the same head 72 mm high."""
    fine = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(96, 96, 72)), 2.0)
    seen = 100 + 400 * fine
    seen = ndimage.gaussian_filter(seen, [blur_mm, blur_mm, 0])
    step = round(thickness)
    slices = seen.reshape(96, 96, -1, step).mean(axis=3).astype(np.float32)
    return of(slices, thickness)


def of(voxels: Float32Array, thickness: float) -> Head:
    brain = np.zeros(voxels.shape, np.bool_)
    brain[8:-8, 8:-8] = True
    return Head(RasVolume(voxels, np.diag([1.0, 1.0, thickness, 1.0])), brain, 1.0)


def test_the_blurred_one_of_two_scans_is_named() -> None:
    still, moved = scan(6.0), scan(6.0, blur_mm=1.5)
    assert less_sharp(still, moved, MM) == Sentence("less_sharp_now")
    assert less_sharp(moved, still, MM) == Sentence("less_sharp_then")


def test_units_noise_and_thinner_slices_are_no_blur() -> None:
    still, thin = scan(6.0), scan(3.0)
    seen = still.volume.voxels
    noise = np.random.default_rng(2).normal(0, 2, seen.shape)
    assert less_sharp(still, still, MM) is None
    assert less_sharp(still, of(seen * 7, 6.0), MM) is None
    assert less_sharp(still, of((seen + noise).astype(np.float32), 6.0), MM) is None
    assert less_sharp(still, thin, MM) is None


def test_a_scan_without_a_brain_is_not_judged_by_its_edges() -> None:
    still = scan(6.0)
    nothing = replace(still, brain=np.zeros_like(still.brain))
    assert less_sharp(nothing, nothing, MM) is None
