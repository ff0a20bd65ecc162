"""From a volume to the slices a classifier wants to see."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.errors import NotAnalysable
from msnode.prepare.head import Head
from msnode.prepare.head_check import admit
from msnode.prepare.nifti import load_nifti
from msnode.prepare.volume import Volume
from msnode.records.images import Float32Array, Float64Array, InputContract, Slices
from msnode.records.sentences import Sentence, Text

#: A reformatted series gets a slice for every so many mm: a usual axial brain protocol's.
REFORMAT_MM = 3.0
#: The square field of view is so much wider than the head.
MARGIN = 1.06
#: Per image, brightness outside these quantiles is clipped, so that a spike (a vessel, a broken
#: pixel) does not squeeze the tissues' contrast.
CLIP_QUANTILES = (0.001, 0.999)


def volume_slices(volume: Volume, contract: InputContract) -> Slices:
    """Axial slices in radiological orientation, on a square around the head.

    An axial acquisition (normal within 30 degrees of the body's axis) keeps its own slices and
    its in-plane axes, flipped or exchanged where needed; any other is reformatted to axial
    slices 3 mm apart. Slices with less tissue than ``contract.min_tissue`` or outside
    ``contract.slab_mm`` are left out. Then each image is clipped to its 0.1 and 99.9 %
    quantiles and normalised by itself.

    Raises:
        NotAnalysable: the volume does not look like a head, or no slice has enough of it.
    """
    slices, _ = _slices_and_labels(volume, contract, ())
    return slices


def nifti_slices(
    path: Path, contract: InputContract, labels: Sequence[Path] = ()
) -> tuple[Slices, list[NDArray[np.uint8]]]:
    """Slices of a NIfTI file, with label volumes (lesion masks, tissues) on the same pixels.

    Args:
        path: the image.
        contract: what the classifier wants to see.
        labels: NIfTI files of small integers, on whatever grid in the same patient coordinates.

    Returns:
        The slices, and for each label file (slices, rows, cols) uint8: the largest label
        within each pixel's neighbourhood, so that a small lesion is never lost in between.

    Raises:
        NotAnalysable: as `load_nifti` and `volume_slices`.
    """
    volumes = [load_nifti(label) for label in labels]
    return _slices_and_labels(load_nifti(path), contract, volumes)


def _slices_and_labels(
    volume: Volume, contract: InputContract, labels: Sequence[Volume]
) -> tuple[Slices, list[NDArray[np.uint8]]]:
    """Slices and labels, by one and the same geometry."""
    head, score, measured = admit(volume, contract.gate)
    affines = _grid(volume, head, contract)
    inside = _in_slab(affines, head, contract)
    cuts = head.cuts
    told = (*volume.warnings, *cuts, *_outside(affines[~inside], head, contract))
    affines = affines[inside]
    step_mm = volume.thickness_mm if volume.axial else REFORMAT_MM
    raw = _sample(volume, affines, contract, step_mm, labels=False)
    enough = _tissue(raw, head.threshold) >= contract.min_tissue
    if not enough.any():
        raise NotAnalysable(Sentence("no_slice"))
    affines = affines[enough]
    slices = Slices(
        pixels=_channels(normalise(raw[enough], contract.normalisation), contract.channels),
        affines=affines,
        frames=volume.frames,
        nearest=_nearest(volume, affines, contract),
        thickness_mm=volume.thickness_mm,
        reformatted=not volume.axial,
        missing=volume.missing,
        warnings=told,
        doubts=cuts,
        gate=score,
        measured=measured | _brightness(raw[enough], head.threshold),
    )
    sampled = [_sample(label, affines, contract, step_mm, labels=True) for label in labels]
    return slices, [label.astype(np.uint8) for label in sampled]


def _brightness(images: Float32Array, threshold: float) -> dict[str, float]:
    """How bright the tissue is, in the scan's own numbers, and how much it differs by that."""
    tissue = images[images > threshold]
    low, middle, high = np.quantile(tissue, (0.05, 0.5, 0.95)).tolist() if tissue.size else (0,) * 3
    return {"brightness": middle, "contrast": (high - low) / middle if middle > 0 else 0.0}


def normalise(images: Float32Array, how: str) -> Float32Array:
    """Clip each image to its 0.1 and 99.9 % quantiles, then normalise it by itself.

    Args:
        images: (slices, rows, cols) float32.
        how: ``minmax`` to [0, 1], or ``zscore`` to mean 0 and standard deviation 1.
    """
    low, high = np.quantile(images, CLIP_QUANTILES, axis=(1, 2), keepdims=True).astype(np.float32)
    clipped = np.clip(images, low, high)
    if how == "minmax":
        scaled: Float32Array = (clipped - low) / np.maximum(high - low, np.float32(1e-6))
        return np.clip(scaled, 0, 1)
    mean, sd = clipped.mean(axis=(1, 2), keepdims=True), clipped.std(axis=(1, 2), keepdims=True)
    standard: Float32Array = (clipped - mean) / np.maximum(sd, np.float32(1e-6))
    return standard


def _channels(images: Float32Array, channels: int) -> Float32Array:
    """(slices, rows, cols) repeated to (slices, channels, rows, cols)."""
    return np.repeat(images[:, None], channels, axis=1)


def _axes(volume: Volume) -> Float64Array:
    """(3, 3) unit vectors in columns: to the image's right, to its bottom, to the next slice."""
    if not volume.axial:
        return np.eye(3)
    plane = volume.affine[:3, :2] / np.linalg.norm(volume.affine[:3, :2], axis=0)
    if abs(plane[0, 1]) > abs(plane[0, 0]):
        plane = plane[:, ::-1]
    plane = plane * np.sign([plane[0, 0], plane[1, 1]])
    return np.column_stack([plane, volume.affine[:3, 2]])


def _grid(volume: Volume, head: Head, contract: InputContract) -> Float64Array:
    """(slices, 4, 4) affines of square slices around the head, from the feet to the head."""
    axes = _axes(volume)
    u, v, w = axes.T @ head.lps
    pixel = MARGIN * max(np.ptp(u), np.ptp(v)) / min(contract.rows, contract.cols)
    if volume.axial:
        heights = axes[:, 2] @ volume.affine[:3, 3] + volume.positions
    else:
        heights = np.arange(w.min(), w.max() + REFORMAT_MM, REFORMAT_MM)
    affines = np.tile(np.eye(4), (len(heights), 1, 1))
    affines[:, :3, :2] = axes[:, :2] * pixel
    affines[:, :3, 2] = axes[:, 2]
    left = (u.max() + u.min()) / 2 - pixel * (contract.cols - 1) / 2
    top = (v.max() + v.min()) / 2 - pixel * (contract.rows - 1) / 2
    affines[:, :3, 3] = axes[:, :2] @ [left, top] + heights[:, None] * axes[:, 2]
    return affines


def _centres(affines: Float64Array, contract: InputContract) -> Float64Array:
    """(4, slices) homogeneous LPS mm of the slices' centres."""
    centre = np.array([(contract.cols - 1) / 2, (contract.rows - 1) / 2, 0.0, 1.0])
    centres: Float64Array = (affines @ centre).T
    return centres


def _in_slab(affines: Float64Array, head: Head, contract: InputContract) -> NDArray[np.bool_]:
    """Which slices lie in the contract's slab below the vertex."""
    if contract.slab_mm is None:
        return np.ones(len(affines), dtype=bool)
    depth = head.vertex_mm - _centres(affines, contract)[2]
    low, high = sorted(contract.slab_mm)
    return np.asarray((depth >= low) & (depth <= high))


def _outside(affines: Float64Array, head: Head, contract: InputContract) -> Iterator[Text]:
    """Slices of the head that nobody looks at, as the model reads only a slab of it."""
    heights = _centres(affines, contract)[2]
    count = int(((heights >= head.lps[2].min()) & (heights <= head.vertex_mm)).sum())
    if contract.slab_mm is not None and count:
        low, high = sorted(contract.slab_mm)
        yield Sentence("outside_slab", count=count, low=low, high=high)


def _nearest(volume: Volume, affines: Float64Array, contract: InputContract) -> tuple[int, ...]:
    """Per slice the frame whose plane is nearest to the slice's centre."""
    mm = (np.linalg.inv(volume.affine) @ _centres(affines, contract))[2]
    return tuple(int(i) for i in np.abs(volume.positions[None] - mm[:, None]).argmin(axis=1))


def _tissue(images: Float32Array, threshold: float) -> Float64Array:
    """(slices,) fraction of each slice inside the head, on every fourth pixel."""
    bright = images[:, ::4, ::4] > threshold
    return np.array([ndimage.binary_fill_holes(plane).mean() for plane in bright])


def _sample(
    volume: Volume, affines: Float64Array, contract: InputContract, step_mm: float, labels: bool
) -> Float32Array:
    """Sample a volume on slices, smoothed before where the slices are coarser than the volume.

    Args:
        volume: an image, or small integers with ``labels``.
        affines: (slices, 4, 4) of the slices.
        contract: for the slices' rows and columns.
        step_mm: distance between neighbouring slices.
        labels: take the nearest voxel after a maximum filter instead of linear interpolation
            after a Gaussian.

    Returns:
        (slices, rows, cols) float32, 0 outside the volume.
    """
    shape = contract.rows, contract.cols
    row, column = np.mgrid[: shape[0], : shape[1]].reshape(2, -1)
    grid = np.stack([column, row, np.zeros_like(row), np.ones_like(row)]).astype(float)
    coarser = _coarseness(volume, affines[0], step_mm)
    if labels:
        size = [2 * round((c - 1) / 2) + 1 for c in coarser]
        smooth = ndimage.maximum_filter(volume.voxels, size)
    else:
        smooth = ndimage.gaussian_filter(volume.voxels, [(c - 1) / 2 for c in coarser], truncate=3)
    images = np.empty((len(affines), *shape), np.float32)
    for image, affine in zip(images, affines, strict=True):
        ndimage.map_coordinates(
            smooth,
            volume.indices(affine @ grid),
            output=image.reshape(-1),
            order=0 if labels else 1,
            mode="grid-constant",
        )
    return images


def _coarseness(volume: Volume, affine: Float64Array, step_mm: float) -> Float64Array:
    """(3,) voxels (slice, row, column) that one step on the slices spans, at least 1."""
    steps = affine[:3, :3] * [1.0, 1.0, step_mm]
    voxel_axes = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    spans: Float64Array = np.abs(voxel_axes.T @ steps).max(axis=1)[::-1] / volume.spacing_mm
    return np.maximum(spans, 1.0)
