"""The synthesizer: endless scans with and without lesions from one generator.

Tissue labels of healthy people are painted in random contrasts (as SynthSeg does, Billot et al.
2023), lesion masks of MS patients in MNI space are recombined, deformed and placed into them, and
skull, field of view, resolution, slice thickness, bias field, motion and noise are drawn anew. A
pair differs in its lesions and in nothing else, so neither site nor scanner can be learned from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from msnode.learn.data.ras_nifti import averaged_grid
from msnode.learn.data.tissues import CSF, VENTRICLE, WHITE
from msnode.records.images import Float32Array, Float64Array
from msnode.records.ras_volume import RasVolume

MNI_BRAIN_MM = np.array([[-71.0, -106.0, -66.0], [71.0, 74.0, 84.0]])
"""Lowest and highest RAS coordinate of the brain in MNI space."""
HEAD = 0.1
"""Intensity from which a voxel belongs to the head."""
BEARING = 0.4
"""Amount of lesion from which a voxel is part of the mask."""
VENTRICLE_MM = 25.0
"""Where no label tells: fluid deeper than this below the brain's surface is the ventricles."""
THIN = 0.25
"""Part of the scans with slices of 1 mm; the others have 2 to 8 mm."""
NECK_MM, VERTEX_MM = (15, 55), (0, 12)
"""How much of the head's lower and upper end the field of view may leave out."""

Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Appearance:
    """Intensities, geometry and faults of one synthetic scan.

    Attributes:
        csf: intensity of fluid, which FLAIR suppresses.
        white: intensity of white matter.
        grey: relative to white matter.
        lesion: relative to white matter.
        rim: by how much the white matter around the ventricles is brighter, as it is in healthy
            people (caps and bands); it is no lesion.
        scalp: relative to white matter; 0 is a skull-stripped scan.
        thickness_mm: slice thickness and distance.
        resolution_mm: in the slice's plane.
        bias: logarithm of the intensity field's extremes.
        motion_mm: how far the head moves in the middle of the scan.
        noise: standard deviation, image range 1.
    """

    csf: float = 0.08
    white: float = 0.4
    grey: float = 1.18
    lesion: float = 1.6
    rim: float = 0.15
    scalp: float = 1.9
    thickness_mm: float = 5.0
    resolution_mm: float = 1.0
    bias: float = 0.15
    motion_mm: float = 0.0
    noise: float = 0.015


def look(rng: np.random.Generator, flair: float = 0.75) -> Appearance:
    """A random look: FLAIR-like, or of any contrast in which lesions are bright.

    Args:
        rng: draws it.
        flair: how often it is FLAIR-like.
    """
    is_flair = rng.random() < flair
    return Appearance(
        csf=rng.uniform(0.02, 0.16) if is_flair else rng.uniform(0.0, 0.9),
        white=rng.uniform(0.3, 0.5),
        grey=rng.uniform(1.05, 1.35) if is_flair else rng.uniform(0.7, 1.5),
        lesion=rng.uniform(1.3, 2.1),
        rim=rng.uniform(0.0, 0.45),
        scalp=rng.uniform(1.2, 2.4) if rng.random() < 0.8 else 0.0,
        thickness_mm=1.0 if rng.random() < THIN else rng.uniform(2, 8),
        resolution_mm=rng.uniform(1.0, 1.8),
        bias=rng.uniform(0, 0.3),
        motion_mm=rng.uniform(0.5, 3) if rng.random() < 0.2 else 0.0,
        noise=rng.uniform(0.005, 0.03),
    )


def place(masks: Sequence[RasVolume], tissues: Labels, rng: np.random.Generator) -> Float32Array:
    """Lesions of MNI masks, fitted into another brain by its bounding box.

    Each mask is scaled, turned, shifted and bent at random, and mirrored half of the time.

    Args:
        masks: of one patient or several, whose lesions are merged; their affines map to MNI mm.
        tissues: (x, y, z) labels of the brain to fill, RAS, 1 mm.
        rng: draws the variation.

    Returns:
        (x, y, z) float32 in [0, 1], zero outside white matter's neighbourhood.
    """
    amounts = [_fitted(mask, tissues, rng) for mask in masks]
    room = ndimage.gaussian_filter((tissues == WHITE).astype(np.float32), 1.0)
    smooth = ndimage.gaussian_filter(np.maximum.reduce(amounts), 0.7)
    return np.asarray(smooth * np.clip(room * 1.6, 0, 1), np.float32)


def _fitted(mask: RasVolume, tissues: Labels, rng: np.random.Generator) -> Float32Array:
    """One mask on the grid of another brain."""
    inside = np.argwhere(tissues > 0)
    low, high = inside.min(0), inside.max(0)
    scale = (MNI_BRAIN_MM[1] - MNI_BRAIN_MM[0]) / (high - low) * rng.uniform(0.93, 1.07, 3)
    middle = MNI_BRAIN_MM.mean(0) + rng.uniform(-4, 4, 3)
    scale[0] *= rng.choice((-1, 1))
    linear = Rotation.from_euler("xyz", rng.uniform(-0.1, 0.1, 3)).as_matrix() * scale
    to_mni = np.eye(4)
    to_mni[:3, :3], to_mni[:3, 3] = linear, middle - linear @ ((low + high) / 2)
    to_mask = np.linalg.inv(mask.affine) @ to_mni
    bend = rng.normal(0, 2.5, (3, 5, 5, 5))
    field = [ndimage.zoom(axis, np.divide(tissues.shape, 5), order=1) for axis in bend]
    points = np.stack(np.meshgrid(*map(np.arange, tissues.shape), indexing="ij")) + field
    places = np.tensordot(to_mask[:3, :3], points, 1) + to_mask[:3, 3, None, None, None]
    amount = ndimage.map_coordinates(mask.voxels.astype(np.float32), places, order=1)
    return np.asarray(amount, np.float32)


def paint(
    tissues: Labels,
    ventricles: NDArray[np.bool_],
    lesions: Float32Array,
    style: Appearance,
    rng: np.random.Generator,
) -> Float32Array:
    """Intensities of a head.

    Args:
        tissues: (x, y, z) labels, 1 mm.
        ventricles: (x, y, z), of `ventricles_of`.
        lesions: (x, y, z) amount of lesion in [0, 1].
        style: the look.
        rng: draws the tissue's own texture and the skull.

    Returns:
        (x, y, z) float32.
    """
    grey = style.white * style.grey
    levels = np.array([0.0, style.csf, grey, style.white, style.csf], np.float32)
    brain = ndimage.gaussian_filter(levels[tissues], 0.6)
    brain += ndimage.gaussian_filter(rng.standard_normal(brain.shape, np.float32), 1.5) * 0.04
    brain += style.white * style.rim * _rim(tissues, ventricles, rng)
    brain += lesions * (style.white * style.lesion - brain)
    away = ndimage.distance_transform_edt(tissues == 0)
    head = np.where(away > 0, 0.02, brain)
    if style.scalp:
        skull = rng.uniform(4, 8)
        layer = np.clip(2 - np.abs(away - skull - 4) / 2, 0, 1)
        head = head + layer * style.white * style.scalp
    return np.asarray(head, np.float32)


def _rim(tissues: Labels, ventricles: NDArray[np.bool_], rng: np.random.Generator) -> Float32Array:
    """White matter near the ventricles in [0, 1], patchy, 2 to 6 mm wide."""
    near = ndimage.distance_transform_edt(~ventricles) if ventricles.any() else np.inf
    patches = ndimage.zoom(rng.uniform(0, 1, (6, 6, 6)), np.divide(tissues.shape, 6), order=1)
    rim = np.exp(-((near / rng.uniform(2, 6)) ** 2)) * patches * (tissues == WHITE)
    return np.asarray(ndimage.gaussian_filter(rim, 1.0), np.float32)


def ventricles_of(tissues: Labels) -> NDArray[np.bool_]:
    """(x, y, z) bool: as labelled, or else the fluid in the depth."""
    labelled = np.asarray(tissues == VENTRICLE, np.bool_)
    if labelled.any():
        return labelled
    depth = ndimage.distance_transform_edt(tissues > 0)
    return np.asarray((tissues == CSF) & (depth > VENTRICLE_MM), np.bool_)


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scanner would produce.

    Attributes:
        voxels: (x, y, slices) float32, 0 or more.
        masks: ``lesions``, ``ventricles`` and ``brain``, each (x, y, slices) bool.
        affine: (4, 4) to patient coordinates in mm, RAS.
    """

    voxels: Float32Array
    masks: dict[str, NDArray[np.bool_]]
    affine: Float64Array


def acquire(
    head: Float32Array,
    parts: dict[str, Float32Array],
    affine: Float64Array,
    style: Appearance,
    rng: np.random.Generator,
) -> Scan:
    """Scan a head in axial slices.

    Args:
        head: (x, y, z) RAS, 1 mm.
        parts: (x, y, z) amount in [0, 1] of what gets a mask, by name.
        affine: of all.
        style: the look.
        rng: draws field of view, bias field, motion and noise.
    """
    step = round(style.thickness_mm)
    inside = np.flatnonzero((head > HEAD).any((0, 1)))
    first, last = inside[0] + rng.integers(*NECK_MM), inside[-1] - rng.integers(*VERTEX_MM)
    starts = range(first, last - step, step)

    def thick(volume: Float32Array) -> Float32Array:
        return np.stack([volume[..., z : z + step].mean(-1) for z in starts], -1)

    voxels = thick(head)
    masks = {name: thick(part) > BEARING for name, part in parts.items()}
    blur = 0.42 * (style.resolution_mm - 1)
    voxels = ndimage.gaussian_filter(voxels, (blur, blur, 0))
    field = rng.uniform(-style.bias, style.bias, (4, 4, 4))
    voxels = voxels * np.exp(ndimage.zoom(field, np.divide(voxels.shape, 4), order=1))
    voxels = _moved(voxels, style.motion_mm, rng)
    real, imaginary = rng.normal(0, style.noise, (2, *voxels.shape))
    grid = averaged_grid(affine, first, step)
    return Scan(np.hypot(voxels + real, imaginary).astype(np.float32), masks, grid)


def _moved(voxels: Float32Array, motion_mm: float, rng: np.random.Generator) -> Float32Array:
    """Ghosts of a head that moved along y while some lines of k-space were read."""
    if not motion_mm:
        return voxels
    lines = np.fft.fft(voxels, axis=1)
    frequency = np.fft.fftfreq(voxels.shape[1])[None, :, None]
    late = frequency > rng.uniform(0.02, 0.25)
    return np.abs(
        np.fft.ifft(lines * np.exp(-2j * np.pi * frequency * motion_mm * late), axis=1)
    ).astype(np.float32)


def pair(
    tissues: RasVolume, masks: Sequence[RasVolume], seed: int, flair: float = 0.75
) -> tuple[Scan, Scan]:
    """One synthetic scan with lesions, and the same scan without.

    Args:
        tissues: labels of a healthy person, 1 mm.
        masks: MNI masks of patients whose lesions add up.
        seed: everything random follows from it.
        flair: how often the contrast is FLAIR-like.
    """
    rng = np.random.default_rng(seed)
    style = look(rng, flair)
    amount = place(masks, tissues.voxels, rng)

    fluid = ventricles_of(tissues.voxels)
    anatomy = {
        "ventricles": fluid.astype(np.float32),
        "brain": (tissues.voxels > 0).astype(np.float32),
    }

    def scan(lesions: Float32Array) -> Scan:
        painting, scanning = (np.random.default_rng((seed, n)) for n in (1, 2))
        head = paint(tissues.voxels, fluid, lesions, style, painting)
        parts = {"lesions": lesions, **anatomy}
        return acquire(head, parts, tissues.affine, style, scanning)

    return scan(amount), scan(np.zeros_like(amount))
