"""Where the head is in a volume, and whether it looks like one.

Both work on a thumbnail: the volume on a 4 mm grid along the patient's own axes, whatever the
acquisition plane, sequence and resolution were.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.errors import NotAnalysable
from msnode.prepare.volume import Volume
from msnode.records.images import Float32Array, Float64Array
from msnode.records.sentences import Sentence, Text

GRID_MM = 4.0
#: No part of a body in a scanner is larger; keeps a broken PixelSpacing from filling the memory.
MAX_EXTENT_MM = 700.0
#: Below the vertex by more than this comes the neck, which must not widen the field of view.
HEAD_HEIGHT_MM = 170.0
#: A whole head's second 4 mm from the top have less than this part of its widest section's area:
#: so it was in all of 88 scans of four sites, also with slices 8 mm apart.
MOST_CUT = 0.75
#: A section with less than this part of the widest one's area is a speck of noise.
SPECK = 0.05
#: The same scans reach 124 to 240 mm below the vertex; what ends above this lacks the base.
LEAST_HEIGHT_MM = 110.0
#: Tissue starts at this part of Otsu's threshold, which lies between the tissues in some images.
TISSUE_PART = 0.5


@dataclass(frozen=True, slots=True)
class Head:
    """The largest body in a volume, on the thumbnail's grid.

    Attributes:
        image: (z, y, x) float32, `GRID_MM` apart, towards the head, the back and the left.
        mask: (z, y, x) bool, the body with its holes filled, down to `HEAD_HEIGHT_MM`.
        origin: (3,) float64, LPS mm of the first grid point.
        threshold: brightness from which a voxel counts as tissue.
    """

    image: Float32Array
    mask: NDArray[np.bool_]
    origin: Float64Array
    threshold: float

    @property
    def lps(self) -> Float64Array:
        """(3, points) LPS mm of the grid points in the mask."""
        points: Float64Array = self.origin[:, None] + GRID_MM * np.argwhere(self.mask)[:, ::-1].T
        return points

    @property
    def vertex_mm(self) -> float:
        """Z of the top of the head, or of the volume where it does not reach the top."""
        return float(self.lps[2].max()) + GRID_MM / 2

    @property
    def cuts(self) -> tuple[Text, ...]:
        """What of the head the images do not show; () where they show all of a usual protocol."""
        return tuple(self._cuts())

    def _cuts(self) -> Iterator[Text]:
        top = int(np.flatnonzero(self.mask.any(axis=(1, 2))).max())
        if _is_flat(self.mask, 0, -1):
            yield Sentence("head_cut_top")
        if (height := float(top * GRID_MM)) < LEAST_HEIGHT_MM:
            yield Sentence("head_cut_base", height=height)
        if any(_is_flat(self.mask, axis, end) for axis in (1, 2) for end in (0, -1)):
            yield Sentence("head_cut_side")


def _is_flat(mask: NDArray[np.bool_], axis: int, end: int) -> bool:
    """Whether a body ends in a plane, as only one does of which the rest is missing."""
    areas = mask.sum(axis=tuple(other for other in range(3) if other != axis))
    inside = areas[areas > SPECK * areas.max()]
    inner = inside[1 if end == 0 else -2] if len(inside) > 1 else inside[0]
    return bool(inner > MOST_CUT * areas.max())


def find_head(volume: Volume) -> Head:
    """The largest bright body in a volume.

    Raises:
        NotAnalysable: there is none, or the volume is too large for a body.
    """
    image, origin = _thumbnail(volume)
    threshold = TISSUE_PART * otsu(image) + (1 - TISSUE_PART) * float(np.quantile(image, 0.005))
    mask = _largest(ndimage.binary_opening(image > threshold))
    if not mask.any():
        raise NotAnalysable(Sentence("nothing_bright"))
    mask = np.stack([ndimage.binary_fill_holes(plane) for plane in mask])
    top = int(np.flatnonzero(mask.any(axis=(1, 2))).max())
    mask[: max(0, top - round(HEAD_HEIGHT_MM / GRID_MM))] = False
    return Head(image, mask, origin, threshold)


def otsu(image: Float32Array) -> float:
    """Otsu's threshold (IEEE Trans. SMC 9, 1979) between the 0.5 and 99.5 % quantiles."""
    low, high = np.quantile(image, [0.005, 0.995])
    if low == high:
        return float(high)
    counts, edges = np.histogram(image.astype(float), bins=256, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    gap = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(centres[np.argmax(below * above * gap**2)])


def _thumbnail(volume: Volume) -> tuple[Float32Array, Float64Array]:
    """The volume on the grid of `Head`, and the grid's origin."""
    sizes = zip(volume.voxels.shape, volume.spacing_mm, strict=True)
    step = [min(count, max(1, round(GRID_MM / mm))) for count, mm in sizes]
    means = _block_means(volume.voxels, step)
    low, high = _bounds(volume)
    counts = np.ceil((high - low) / GRID_MM).astype(int) + 1
    z, y, x = np.mgrid[: counts[2], : counts[1], : counts[0]].reshape(3, -1) * GRID_MM
    lps = np.stack([x + low[0], y + low[1], z + low[2], np.ones_like(x)])
    offset = (np.array(step) - 1) / 2
    indices = (volume.indices(lps) - offset[:, None]) / np.array(step)[:, None]
    values = ndimage.map_coordinates(means, indices, order=1, cval=float(means.min()))
    return values.reshape(counts[::-1]), low


def _bounds(volume: Volume) -> tuple[Float64Array, Float64Array]:
    """The lowest and highest LPS coordinates of a volume, each (3,) in mm."""
    _, rows, columns = volume.voxels.shape
    ends = np.meshgrid([0, columns - 1], [0, rows - 1], [0, volume.positions[-1]], [1])
    corners = (volume.affine @ np.stack([e.ravel() for e in ends]))[:3]
    low, high = corners.min(axis=1), corners.max(axis=1)
    if (high - low).max() > MAX_EXTENT_MM:
        raise NotAnalysable(
            Sentence("volume_long", length=float((high - low).max()), most=MAX_EXTENT_MM)
        )
    return low, high


def _block_means(voxels: Float32Array, step: list[int]) -> Float32Array:
    """Means of blocks of ``step`` voxels; what is left over at the far ends is dropped."""
    slices, rows, columns = (n // s for n, s in zip(voxels.shape, step, strict=True))
    cut = voxels[: slices * step[0], : rows * step[1], : columns * step[2]]
    blocks = cut.reshape(slices, step[0], rows, step[1], columns, step[2])
    means: Float32Array = blocks.mean(axis=(1, 3, 5), dtype=np.float32)
    return means


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part of a mask."""
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    largest: NDArray[np.bool_] = labels == 1 + np.argmax(sizes)
    return largest
