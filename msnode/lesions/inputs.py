"""What the network sees of a FLAIR volume: slices with their neighbours, and local contrast.

A pixel is about 1 mm wide. The contrast is how bright a place is beside its surroundings.

Brightness is divided by the median inside the brain, not spread between the head's extremes:
skin and fat, and whether somebody has stripped them, must not decide what counts as bright.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

from msnode.errors import NotAnalysable
from msnode.records.images import Float32Array, Float64Array
from msnode.records.morphology import dilated, disc, eroded, filled
from msnode.records.ras_volume import RasVolume
from msnode.records.sentences import Sentence

CHANNELS = 4
"""The slice below, the slice, the slice above, and the slice's local contrast."""
PLANE_MM = (0.75, 1.25)
"""Pixels within this range are taken as they are; others are resampled to `PIXEL_MM`."""
PIXEL_MM = 1.0
SLAB_MM = 3.0
"""Thinner slices are averaged over so much: the network knows thick ones."""
NEIGHBOUR_MM = 6.0
"""So far away, at least, are the slices below and above."""
SKULL_MM = 15.0
"""From the head's outline to the inside of the brain, give or take."""
SPECK = (2, 1, 0)
"""What does not hold this diamond of pixels is no part of the head."""
SURROUNDINGS_MM = 12.0
"""Standard deviation of the weights with which a place's surroundings count."""
LEAST = 0.15
"""Tissue is brighter than this part of the 99.5 % quantile."""
BRIGHTEST = 4.0
"""Times the brain's median; what is brighter is cut off."""


@dataclass(frozen=True, slots=True)
class Planes:
    """A volume as the network sees it.

    Attributes:
        pixels: (slices, rows, cols) float32, 1 at the median inside the brain; rows run along the
            volume's x, columns along its y.
        contrast: (slices, rows, cols) float32, the local contrast.
        step: slices from one to its neighbours.
        spacing_mm: (3,) between slices, rows, columns.
        zoom: (2,) rows and columns of these planes for one of the volume's.
    """

    pixels: Float32Array
    contrast: Float32Array
    step: int
    spacing_mm: Float64Array
    zoom: tuple[float, float]

    def input(self, number: int) -> Float32Array:
        """(4, rows, cols) float32: what the network gets for one slice."""
        last = len(self.pixels) - 1
        below, above = max(number - self.step, 0), min(number + self.step, last)
        planes = self.pixels[below], self.pixels[number], self.pixels[above]
        return np.stack([*planes, self.contrast[number]])


def planes(volume: RasVolume) -> Planes:
    """Bring a FLAIR volume into the network's form.

    Raises:
        NotAnalysable: nothing in it is bright.
    """
    x, y, z = volume.spacing_mm
    zoom = _zoom(x), _zoom(y)
    pixels = np.ascontiguousarray(volume.voxels.astype(np.float32).transpose(2, 0, 1))
    if zoom != (1.0, 1.0):
        pixels = resized(pixels, zoom)
    thick = round(SLAB_MM / z)
    if thick > 1:
        pixels = ndimage.uniform_filter1d(pixels, thick, axis=0, mode="nearest")
    spacing = np.array([z, x / zoom[0], y / zoom[1]])
    least = _least(pixels)
    head = _head(pixels, least)
    median = _median(pixels, head, least, spacing)
    scaled = np.clip(pixels / median, 0, BRIGHTEST).astype(np.float32)
    contrast = np.stack([_contrast(p, h, spacing) for p, h in zip(scaled, head, strict=True)])
    step = max(1, round(NEIGHBOUR_MM / z))
    return Planes(scaled, contrast, step, spacing, zoom)


def _zoom(mm: float) -> float:
    """By which pixels become about 1 mm wide."""
    return 1.0 if PLANE_MM[0] <= mm <= PLANE_MM[1] else float(mm / PIXEL_MM)


def resized(planes: Float32Array, zoom: tuple[float, float]) -> Float32Array:
    """Other pixels, the outer corners where they were; smoothed before they grow wider."""
    rows, cols = (max(1, round(n * z)) for n, z in zip(planes.shape[1:], zoom, strict=True))
    blur = [max(0.0, (1 / z - 1) / 2) for z in zoom]
    return at(ndimage.gaussian_filter(planes, [0, *blur]) if any(blur) else planes, (rows, cols))


def at(planes: Float32Array, shape: tuple[int, ...]) -> Float32Array:
    """Planes (n, rows, cols) sampled linearly on so many rows and columns of the same view."""
    batch = torch.from_numpy(np.ascontiguousarray(planes))[None]
    sampled: Float32Array = functional.interpolate(batch, shape, mode="bilinear")[0].numpy()
    return sampled


def brightness(volume: RasVolume) -> float:
    """Median of the tissue inside the brain, or of all tissue where the head is too small.

    Raises:
        NotAnalysable: nothing in the volume is bright.
    """
    x, y, z = volume.spacing_mm
    pixels = np.ascontiguousarray(volume.voxels.astype(np.float32).transpose(2, 0, 1))
    least = _least(pixels)
    return _median(pixels, _head(pixels, least), least, np.array([z, x, y]))


def _least(pixels: Float32Array) -> float:
    """How bright tissue is, at least.

    Raises:
        NotAnalysable: nothing is bright.
    """
    least = LEAST * float(np.quantile(pixels, 0.995))
    if least <= 0:
        raise NotAnalysable(Sentence("nothing_bright"))
    return least


def _head(pixels: Float32Array, least: float) -> NDArray[np.bool_]:
    """(slices, rows, cols) bool: tissue, its holes filled slice by slice."""
    return filled(dilated(eroded(pixels > least, SPECK), SPECK))


def _median(
    pixels: Float32Array, head: NDArray[np.bool_], least: float, spacing: Float64Array
) -> float:
    """Median of the tissue inside the brain, or of all tissue where the head is too small."""
    tissue = pixels > least
    inside = eroded(head, disc(SKULL_MM, spacing[1:].tolist()), beyond=True) & tissue
    values = pixels[inside] if inside.any() else pixels[tissue]
    if not values.size:
        raise NotAnalysable(Sentence("nothing_bright"))
    return float(np.median(values))


def _contrast(plane: Float32Array, head: NDArray[np.bool_], spacing: Float64Array) -> Float32Array:
    """Brightness beside the Gaussian mean of the head around it, less 1; 0 outside of the head."""
    sigma = SURROUNDINGS_MM / spacing[1:]
    weight = ndimage.gaussian_filter(head.astype(np.float32), sigma)
    around = ndimage.gaussian_filter(plane * head, sigma) / np.maximum(weight, 1e-3)
    beside: Float32Array = np.where(head, plane / np.maximum(around, 0.1) - 1, 0)
    return np.clip(beside, -1, 2).astype(np.float32)
