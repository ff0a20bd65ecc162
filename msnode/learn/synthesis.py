"""The synthesizer: endless FLAIR-like slices with and without lesions from one generator.

Tissue labels of healthy people are painted in random contrasts (as SynthSeg does, Billot et al.
2023), lesion masks of MS patients in MNI space are placed into them, and skull, slice thickness,
bias field and noise are drawn anew. A pair differs in its lesions and in nothing else, so neither
site nor scanner can be learned from it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from scipy import ndimage

from msnode.records import Float32Array, Float64Array

CSF, GREY, WHITE = 1, 2, 3
MNI_BRAIN_MM = np.array([[-71.0, -106.0, -66.0], [71.0, 74.0, 84.0]])
"""Lowest and highest RAS coordinate of the brain in MNI space."""


@dataclass(frozen=True, slots=True)
class Look:
    """Intensities (white matter is about 0.4) and geometry of one synthetic scan.

    Attributes:
        csf: intensity of fluid, which FLAIR suppresses.
        grey: relative to white matter.
        lesion: relative to white matter.
        scalp: relative to white matter; 0 is a skull-stripped scan.
        thickness_mm: slice thickness and distance.
        bias: logarithm of the intensity field's extremes.
        noise: standard deviation, image range 1.
    """

    csf: float = 0.08
    white: float = 0.4
    grey: float = 1.18
    lesion: float = 1.6
    scalp: float = 1.9
    thickness_mm: float = 5.0
    bias: float = 0.15
    noise: float = 0.015


def look(rng: np.random.Generator) -> Look:
    """A random FLAIR-like look."""
    return Look(
        csf=rng.uniform(0.02, 0.16),
        white=rng.uniform(0.3, 0.5),
        grey=rng.uniform(1.05, 1.35),
        lesion=rng.uniform(1.3, 2.1),
        scalp=rng.uniform(1.2, 2.4) if rng.random() < 0.8 else 0.0,
        thickness_mm=rng.uniform(3, 8),
        bias=rng.uniform(0, 0.3),
        noise=rng.uniform(0.005, 0.03),
    )


def canonical(path: Path) -> tuple[NDArray[np.uint8], Float64Array]:
    """A label volume in RAS order and its affine."""
    image = nibabel.as_closest_canonical(cast(SpatialImage, nibabel.load(path)))
    return np.asanyarray(image.dataobj).astype(np.uint8), np.asarray(image.affine, np.float64)


def place(
    lesions: NDArray[np.uint8],
    affine: Float64Array,
    tissues: NDArray[np.uint8],
    rng: np.random.Generator,
) -> Float32Array:
    """Lesions of an MNI mask, fitted into another brain by its bounding box.

    The fit is scaled, turned and shifted a little at random, and mirrored half of the time.

    Args:
        lesions: (x, y, z) of the mask, RAS.
        affine: of the mask, to MNI mm.
        tissues: (x, y, z) labels of the brain to fill, RAS, 1 mm.
        rng: draws the variation.

    Returns:
        (x, y, z) float32 in [0, 1], zero outside white matter's neighbourhood.
    """
    inside = np.argwhere(tissues > 0)
    low, high = inside.min(0), inside.max(0)
    scale = (MNI_BRAIN_MM[1] - MNI_BRAIN_MM[0]) / (high - low) * rng.uniform(0.93, 1.07, 3)
    middle = MNI_BRAIN_MM.mean(0) + rng.uniform(-4, 4, 3)
    scale[0] *= rng.choice((-1, 1))
    to_mni = np.diag([*scale, 1.0])
    to_mni[:3, 3] = middle - scale * (low + high) / 2
    to_mask = np.linalg.inv(affine) @ to_mni
    moved = ndimage.affine_transform(
        lesions.astype(np.float32), to_mask[:3, :3], to_mask[:3, 3], tissues.shape, order=1
    )
    room = ndimage.gaussian_filter((tissues == WHITE).astype(np.float32), 1.0)
    return np.asarray(ndimage.gaussian_filter(moved, 0.7) * np.clip(room * 1.6, 0, 1), np.float32)


def paint(
    tissues: NDArray[np.uint8], lesions: Float32Array, style: Look, rng: np.random.Generator
) -> Float32Array:
    """Intensities of a head.

    Args:
        tissues: (x, y, z) labels, 1 mm.
        lesions: (x, y, z) amount of lesion in [0, 1].
        style: the look.
        rng: draws the tissue's own texture and the noise.

    Returns:
        (x, y, z) float32.
    """
    levels = np.array([0.0, style.csf, style.white * style.grey, style.white], np.float32)
    brain = ndimage.gaussian_filter(levels[tissues], 0.6)
    brain += ndimage.gaussian_filter(rng.standard_normal(brain.shape, np.float32), 1.5) * 0.04
    brain += lesions * (style.white * style.lesion - brain)
    away = ndimage.distance_transform_edt(tissues == 0)
    head = np.where(away > 0, 0.02, brain)
    if style.scalp:
        skull = rng.uniform(4, 8)
        layer = np.clip(2 - np.abs(away - skull - 4) / 2, 0, 1)
        head = head + layer * style.white * style.scalp
    return np.asarray(head, np.float32)


def slices(
    head: Float32Array, lesions: Float32Array, style: Look, rng: np.random.Generator, size: int
) -> tuple[Float32Array, NDArray[np.bool_]]:
    """Axial slices as ``prepare`` would give them.

    Args:
        head: (x, y, z) RAS, 1 mm.
        lesions: (x, y, z) amount of lesion in [0, 1].
        style: the look.
        rng: draws bias field and noise.
        size: rows and columns.

    Returns:
        (slices, size, size) float32 in [0, 1], in radiological orientation, from the feet to the
        head, and the lesion masks (slices, size, size) bool.
    """
    step = round(style.thickness_mm)
    filled = np.flatnonzero((head > 0.1).any((0, 1)))
    starts = range(filled[0] + 25, filled[-1] - step, step)
    field = ndimage.zoom(rng.uniform(-style.bias, style.bias, (4, 4)), size / 4, order=3)
    images = [_square(head[..., z : z + step].mean(-1), head, size) for z in starts]
    masks = [_square(lesions[..., z : z + step].mean(-1), head, size) for z in starts]
    noisy = np.stack(images) * np.exp(field)
    noisy = np.hypot(
        noisy + rng.normal(0, style.noise, noisy.shape), rng.normal(0, style.noise, noisy.shape)
    )
    low, high = np.quantile(noisy, (0.001, 0.999), axis=(1, 2), keepdims=True)
    scaled = np.clip((noisy - low) / np.maximum(high - low, 1e-6), 0, 1)
    return scaled.astype(np.float32), np.stack(masks) > 0.4


def _square(plane: Float32Array, head: Float32Array, size: int) -> Float32Array:
    """One (x, y) plane as a (size, size) image around the head, the patient's right at the left."""
    inside = np.argwhere((head > 0.1).any(2))
    low, high = inside.min(0), inside.max(0)
    pixel = 1.06 * float((high - low).max()) / size
    middle = (low + high) / 2
    offset = middle + pixel * (size - 1) / 2
    image = ndimage.affine_transform(
        plane, np.diag([-pixel, -pixel]), offset, (size, size), order=1
    )
    return np.asarray(image.T, np.float32)


def pair(
    tissues: NDArray[np.uint8],
    lesions: NDArray[np.uint8],
    affine: Float64Array,
    seed: int,
    size: int = 224,
) -> tuple[Float32Array, Float32Array, NDArray[np.bool_]]:
    """One synthetic scan with lesions, and the same scan without.

    Args:
        tissues: (x, y, z) labels of a healthy person, RAS, 1 mm.
        lesions: (x, y, z) MNI mask of a patient, RAS.
        affine: of the mask.
        seed: everything random follows from it.
        size: rows and columns.

    Returns:
        Slices with lesions, without, each (slices, size, size) float32 in [0, 1], and the masks
        (slices, size, size) bool.
    """
    rng = np.random.default_rng(seed)
    style = look(rng)
    amount = place(lesions, affine, tissues, rng)
    both = []
    for present in (amount, np.zeros_like(amount)):
        head = paint(tissues, present, style, np.random.default_rng(seed + 1))
        both.append(slices(head, present, style, np.random.default_rng(seed + 2), size))
    return both[0][0], both[1][0], both[0][1]
