"""Lesion filling: makes a scan's own pseudo-control, and fills places without lesions too.

Every 2-D slice is filled by itself, as the data are 2-D multislice (5-8 mm thick). The filling is
a smooth estimate of the surrounding normal-appearing tissue plus texture borrowed from elsewhere
in the same slice, so that neither intensity nor noise gives it away; ``decoys`` fills places
without lesions as well, so that the act of filling carries no information.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.records.images import Float32Array

Mask = NDArray[np.bool_]


def brain_mask(image: Float32Array) -> Mask:
    """Rough intracranial mask of one axial FLAIR or T1 slice.

    Args:
        image: (rows, cols) float32 in [0, 1].

    Returns:
        (rows, cols) bool; empty where no brain-like region is found.
    """
    smooth = ndimage.gaussian_filter(image, 0.8)
    head = ndimage.binary_fill_holes(smooth > 0.35 * _tissue_level(smooth))
    level = _tissue_level(smooth[ndimage.binary_erosion(head, iterations=14)])
    tissue = (smooth > 0.6 * level) & (smooth < 1.55 * level) & head
    core = _largest(ndimage.binary_opening(tissue, iterations=3))
    brain = ndimage.binary_dilation(core, iterations=2) & head
    return np.asarray(ndimage.binary_fill_holes(ndimage.binary_closing(brain, iterations=4)))


def _tissue_level(values: Float32Array) -> float:
    """Median of what is not background; 0 for an empty image."""
    values = values[values > 0.08]
    return float(np.median(values)) if values.size else 0.0


def _largest(mask: Mask) -> Mask:
    """The largest connected component, or an empty mask."""
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    sizes = ndimage.sum_labels(mask, labels, range(1, count + 1))
    return np.asarray(labels == 1 + int(np.argmax(sizes)))


def fill(
    image: Float32Array, places: Mask, brain: Mask, avoid: Mask, rng: np.random.Generator
) -> Float32Array:
    """Replace ``places`` by what the normal-appearing tissue around them looks like.

    Args:
        image: (rows, cols) float32 in [0, 1].
        places: (rows, cols) bool, to be filled; grown by one pixel for partial volume.
        brain: (rows, cols) bool, where tissue may be borrowed.
        avoid: (rows, cols) bool, all lesions: nothing is borrowed from them.
        rng: draws the texture.

    Returns:
        (rows, cols) float32 in [0, 1]; the image itself where there is nothing to fill.
    """
    if not places.any():
        return image
    grown = ndimage.binary_dilation(places, iterations=1)
    normal = brain & ~ndimage.binary_dilation(avoid | places, iterations=2)
    if normal.sum() < 50:
        normal = ~ndimage.binary_dilation(avoid | places, iterations=2)
    weight = normal * _typical(image, normal)
    level = _normalized(image, weight)
    alpha = np.minimum(1, 1.6 * ndimage.gaussian_filter(grown.astype(np.float32), 0.9))
    filled = level + _texture(image, normal, grown, rng)
    return np.asarray(np.clip(image + alpha * (filled - image), 0, 1), np.float32)


def _typical(image: Float32Array, normal: Mask) -> Float32Array:
    """(rows, cols) weight that falls off away from the slice's usual tissue intensity."""
    low, middle, high = np.quantile(image[normal], (0.25, 0.5, 0.75))
    spread = max(float(high - low), 1e-3)
    return np.asarray(np.exp(-0.5 * ((image - middle) / spread) ** 2), np.float32)


def _normalized(image: Float32Array, weight: Float32Array) -> Float32Array:
    """Smooth image from weighted pixels alone (normalized convolution), coarser where few are."""
    out, total = np.zeros_like(image), np.zeros_like(image)
    for sigma, trust in ((3.0, 1.0), (8.0, 0.05), (40.0, 1e-4)):
        out += trust * ndimage.gaussian_filter(image * weight, sigma)
        total += trust * ndimage.gaussian_filter(weight, sigma)
    return np.asarray(out / np.maximum(total, 1e-8), np.float32)


def _texture(
    image: Float32Array, normal: Mask, places: Mask, rng: np.random.Generator
) -> Float32Array:
    """Fine structure for ``places``, shifted in from the normal tissue that covers them best."""
    detail = image - ndimage.gaussian_filter(image, 2.0)
    spread = float(np.std(detail[normal])) if normal.any() else 0.0
    detail = np.where(normal, np.clip(detail, -1.5 * spread, 1.5 * spread), 0)
    shifts = rng.integers(-25, 26, size=(12, 2))
    cover = [np.roll(normal, tuple(s), (0, 1))[places].mean() for s in shifts]
    return np.asarray(np.roll(detail, tuple(shifts[int(np.argmax(cover))]), (0, 1)), np.float32)


def tissue(image: Float32Array, brain: Mask) -> Mask:
    """Where a lesion could lie: inside the brain, neither fluid nor very bright.

    Args:
        image: (rows, cols) float32 in [0, 1].
        brain: (rows, cols) bool.

    Returns:
        (rows, cols) bool.
    """
    inner = ndimage.binary_erosion(brain, iterations=3)
    if not inner.any():
        return inner
    level = float(np.median(image[inner]))
    smooth = ndimage.gaussian_filter(image, 1.0)
    return np.asarray(inner & (smooth > 0.8 * level) & (smooth < 1.4 * level))


def decoys(lesions: Mask, inner: Mask, rng: np.random.Generator, tries: int = 8) -> Mask:
    """Lesion-shaped places that hold no lesion.

    The slice's own lesions, or a few blobs where it has none, are mirrored and shifted.

    Args:
        lesions: (rows, cols) bool.
        inner: (rows, cols) bool from ``tissue``: where a place may be.
        rng: draws the places.
        tries: number of shifts tried; the one that keeps most of the shape wins.

    Returns:
        (rows, cols) bool; empty where no free place was found.
    """
    if not inner.any():
        return inner
    shape = lesions if lesions.any() else _blobs(inner, rng)
    taken = ndimage.binary_dilation(lesions, iterations=3)
    best = np.zeros_like(inner)
    for _ in range(tries):
        moved = np.roll(shape[:, :: rng.choice((-1, 1))], tuple(rng.integers(-12, 13, 2)), (0, 1))
        free = moved & inner & ~taken
        if free.sum() > best.sum():
            best = free
    return best


def _blobs(inner: Mask, rng: np.random.Generator) -> Mask:
    """A few small discs at random places of ``inner``."""
    points = np.zeros_like(inner)
    candidates = np.argwhere(inner)
    for row, col in candidates[rng.integers(len(candidates), size=rng.integers(1, 6))]:
        points[row, col] = True
    return np.asarray(ndimage.binary_dilation(points, iterations=int(rng.integers(1, 4))))
