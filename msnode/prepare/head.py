"""Where the head is in a volume."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.prepare.volume import Volume
from msnode.records import Float32Array, Float64Array

#: Looking for the head needs no finer grid than this.
COARSE_MM = 4.0
#: Below the vertex by more than this comes the neck, which must not widen the field of view.
HEAD_HEIGHT_MM = 170.0
#: Tissue starts at this part of Otsu's threshold, which lies between the tissues in some images.
TISSUE_PART = 0.5


@dataclass(frozen=True, slots=True)
class Head:
    """The head in patient coordinates.

    Attributes:
        mask: (slices, rows, columns) bool on the coarse grid, holes in each slice filled.
        image: (slices, rows, columns) float32 on the coarse grid.
        lps: (3, points) float64, the mask's points, at most `HEAD_HEIGHT_MM` below the vertex.
        threshold: brightness from which a voxel counts as tissue.
        vertex_mm: z of the top of the head.
    """

    mask: NDArray[np.bool_]
    image: Float32Array
    lps: Float64Array
    threshold: float
    vertex_mm: float


def find_head(volume: Volume) -> Head | None:
    """The largest bright body in a volume; None where there is nothing."""
    step = [max(1, round(COARSE_MM / mm)) for mm in volume.spacing_mm]
    image = _block_means(volume.voxels, step)
    threshold = TISSUE_PART * otsu(image)
    mask = _largest(ndimage.binary_opening(image > threshold, _cross_in_plane()))
    if not mask.any():
        return None
    mask = np.stack([ndimage.binary_fill_holes(plane) for plane in mask])
    lps = _points(volume, mask, step)
    vertex = float(lps[2].max())
    return Head(mask, image, lps[:, lps[2] > vertex - HEAD_HEIGHT_MM], threshold, vertex)


def otsu(image: Float32Array) -> float:
    """Otsu's threshold (IEEE Trans. SMC 9, 1979) between the 0.5 and 99.5 % quantiles."""
    low, high = np.quantile(image, [0.005, 0.995])
    if not high > low:
        return float(high)
    counts, edges = np.histogram(image, bins=256, range=(float(low), float(high)))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    gap = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(centres[np.argmax(below * above * gap**2)])


def _block_means(voxels: Float32Array, step: list[int]) -> Float32Array:
    """Means of blocks of ``step`` voxels; what is left over at the far ends is dropped."""
    slices, rows, columns = (n // s for n, s in zip(voxels.shape, step, strict=True))
    cut = voxels[: slices * step[0], : rows * step[1], : columns * step[2]]
    blocks = cut.reshape(slices, step[0], rows, step[1], columns, step[2])
    means: Float32Array = blocks.mean(axis=(1, 3, 5), dtype=np.float32)
    return means


def _cross_in_plane() -> NDArray[np.bool_]:
    """Structuring element of one slice: thick slices must not be eroded into their neighbours."""
    cross: NDArray[np.bool_] = ndimage.generate_binary_structure(2, 1)[None]
    return cross


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part of a mask."""
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    largest: NDArray[np.bool_] = labels == 1 + np.argmax(sizes)
    return largest


def _points(volume: Volume, mask: NDArray[np.bool_], step: list[int]) -> Float64Array:
    """(3, points) LPS mm of the centres of the coarse voxels in a mask."""
    offset = (np.array(step) - 1) / 2
    index = np.argwhere(mask) * step + offset
    mm = np.interp(index[:, 0], np.arange(len(volume.positions)), volume.positions)
    points = np.stack([index[:, 2], index[:, 1], mm, np.ones_like(mm)])
    lps: Float64Array = (volume.affine @ points)[:3]
    return lps
