"""Brings two scans of one head together: rigid, symmetric and checked.

Each scan is registered to the other, and the mean of the two is taken. How far the two disagree
says how good it is. Scales are not let free: an affine fit was 0.4 mm nearer in one of three pairs
with thin slices, and millimetres off where slices are thick.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its own documentation calls it so
from numpy.typing import NDArray
from scipy import ndimage
from scipy.linalg import expm, logm

from msnode.lesions.brain import Head
from msnode.lesions.pairs import both
from msnode.records.images import Float64Array

GRID_MM = 2.0
"""Both scans are compared on cubes so wide, whatever their slices."""
AROUND = 3
"""Cubes around the brain that count, too: its outline steers the fit."""
RIM = 3
"""Cubes around what both scans take for brain that count."""
BRIGHTEST = 1.6
"""Times the brain's median; lesions must not steer the fit."""
TISSUE = 0.3
"""Times the brain's median; darker cubes are outside of the brain."""
LEVELS = ((4, 4.0, 1.0), (2, 2.0, 1.0), (1, 1.0, 0.25))
"""Shrink factor, smoothing (mm) and part of the cubes that counts, of each level. The first fit,
which only leads to the second, leaves out the last one, and the second the first. With all levels
and all cubes five pairs took 2.5 times as long and lay 0.01 to 0.22 mm elsewhere."""
MOST_APART_MM = 3.0
"""Two directions that disagree by more have failed."""
NOWHERE = -1.0
"""Correlation that stands for none: the scans lie apart, as parts of a head and two heads may."""
STEP_MM, LEAST_STEP, STEPS = 2.0, 1e-3, 150
SEED = 1
"""Of the jitter of the cubes that count, so that it is the same every time."""

Levels = tuple[tuple[int, float, float], ...]


@dataclass(frozen=True, slots=True)
class Registration:
    """How two scans of one head lie to each other.

    Attributes:
        matrix: (4, 4) from the later scan's patient coordinates to the earlier one's, RAS mm.
        apart_mm: by how much the two directions disagree, at most, at the brain's corners.
        likeness: correlation of the brains after registration, in [-1, 1]; `NOWHERE`: no overlap.
    """

    matrix: Float64Array
    apart_mm: float
    likeness: float

    @property
    def half(self) -> Float64Array:
        """(4, 4) from the later scan's coordinates to those half-way between the two."""
        return np.real(expm(0.5 * logm(self.matrix))).astype(np.float64)


def register(earlier: Head, later: Head, start: Float64Array) -> Registration:
    """Find how two FLAIR scans of one head lie to each other.

    Args:
        earlier: scan.
        later: scan.
        start: (4, 4) roughly from the later scan's coordinates to the earlier one's, RAS mm; where
            it leads nowhere, it is tried once more with the brains' middles brought together.
    """
    before, now = both(_cubes, (earlier, later))
    found = _refined(before, now, _rigid(start))
    if _oddity(found) <= (False, MOST_APART_MM):
        return found
    # an atlas that lies turned in one scan leads both directions to places of their own
    shift = np.eye(4)
    shift[:3, 3] = before.alone().middle - now.alone().middle
    return min(found, _refined(before, now, shift), key=_oddity)


def _oddity(found: Registration) -> tuple[bool, float]:
    """What speaks against a registration, the smaller the better."""
    return found.likeness == NOWHERE, found.apart_mm


def _refined(before: "_Cubes", now: "_Cubes", start: Float64Array) -> Registration:
    """Registered by the brains' outlines first, then by what both take for brain."""
    first = _both_ways(before.alone(), now.alone(), start, LEVELS[:-1])
    # what only one of the masks takes for brain, mostly scalp, steers no more
    back = np.asarray(np.linalg.inv(first.matrix), np.float64)
    pair = before.beside(now, back), now.beside(before, first.matrix)
    return _both_ways(*pair, first.matrix, LEVELS[1:])


class _Seen(NamedTuple):
    """A scan as SimpleITK sees it, and the cubes that count; RAS is used where ITK means LPS."""

    image: sitk.Image
    mask: sitk.Image
    middle: Float64Array
    corners: Float64Array


@dataclass(frozen=True, slots=True)
class _Cubes:
    """A scan in cubes of `GRID_MM`.

    Attributes:
        values: (x, y, z) brightness, 1 at the brain's median.
        brain: (x, y, z) in [0, 1].
        affine: (4, 4) from indices to RAS mm.
    """

    values: NDArray[np.float32]
    brain: NDArray[np.float32]
    affine: Float64Array

    def alone(self) -> _Seen:
        """The brain without anything around it; its outline steers."""
        masked = self.values * self.brain
        return self._seen(masked, ndimage.binary_dilation(masked > TISSUE, iterations=AROUND))

    def beside(self, other: "_Cubes", matrix: Float64Array) -> _Seen:
        """The scan as it is, of which counts what both take for brain, and a rim.

        Args:
            other: scan.
            matrix: (4, 4) from this scan's coordinates to the other's, RAS mm.
        """
        move = np.linalg.inv(other.affine) @ matrix @ self.affine
        there = ndimage.affine_transform(
            other.brain, move[:3, :3], move[:3, 3], self.brain.shape, order=1
        )
        return self._seen(
            self.values, ndimage.binary_dilation((self.brain * there) > TISSUE, iterations=RIM)
        )

    def _seen(self, values: NDArray[np.float32], mask: NDArray[np.bool_]) -> _Seen:
        places = np.argwhere(mask if mask.any() else np.ones_like(mask))
        low, high = places.min(axis=0), places.max(axis=0)
        ends = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
        corners = self.affine @ np.column_stack([np.where(ends, high, low), np.ones(8)]).T
        middle = (self.affine @ [*places.mean(axis=0), 1])[:3]
        counted = sitk.Cast(_image(mask.astype(np.float32), self.affine), sitk.sitkUInt8)
        return _Seen(_image(values, self.affine), counted, middle, corners)


def _cubes(scan: Head) -> _Cubes:
    """A scan on cubes along its own axes, smoothed where they are wider than its voxels."""
    volume = scan.volume
    scaled = np.clip(volume.voxels.astype(np.float32) / scan.median, 0, BRIGHTEST)
    zoom = GRID_MM / volume.spacing_mm
    counts = np.maximum(1, np.ceil(np.array(volume.voxels.shape) / zoom)).astype(int)
    affine = volume.affine @ np.diag([*zoom, 1])
    blur = np.maximum(zoom - 1, 0) / 2

    def sampled(values: NDArray[np.float32]) -> NDArray[np.float32]:
        smooth = ndimage.gaussian_filter(values, blur)
        return np.asarray(ndimage.affine_transform(smooth, zoom, 0.0, tuple(counts), order=1))

    return _Cubes(sampled(scaled), sampled(scan.brain.astype(np.float32)), affine)


def _both_ways(before: _Seen, now: _Seen, start: Float64Array, levels: Levels) -> Registration:
    """Register each scan to the other and take the mean."""
    away = np.asarray(np.linalg.inv(start), np.float64)
    (forward, like), (backward, like_back) = both(
        lambda way: _one_way(*way, levels), ((now, before, start), (before, now, away))
    )
    other = np.linalg.inv(backward)
    mean = np.real(expm((logm(forward) + logm(other)) / 2)).astype(np.float64)
    apart = np.linalg.norm(((forward - other) @ now.corners)[:3], axis=0).max()
    return Registration(mean, float(apart), min(like, like_back))


def _rigid(matrix: Float64Array) -> Float64Array:
    """The nearest turn of a matrix, and where it takes the origin."""
    left, _, right = np.linalg.svd(matrix[:3, :3])
    rigid = matrix.copy()
    rigid[:3, :3] = left @ right
    return rigid


def _image(voxels: NDArray[np.float32], affine: Float64Array) -> sitk.Image:
    """(x, y, z) as an ITK image."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.transpose(2, 1, 0)))
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


def _one_way(
    fixed: _Seen, moving: _Seen, start: Float64Array, levels: Levels
) -> tuple[Float64Array, float]:
    """(4, 4) from the fixed scan's coordinates to the moving one's, and the correlation."""
    transform = sitk.Euler3DTransform()
    transform.SetCenter(fixed.middle.tolist())
    transform.SetMatrix(start[:3, :3].ravel().tolist())
    moved = start[:3, :3] @ fixed.middle + start[:3, 3] - fixed.middle
    transform.SetTranslation(moved.tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)  # sums in one order: the same on any number of cores
    method.SetMetricAsCorrelation()
    method.SetMetricFixedMask(fixed.mask)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(STEP_MM, LEAST_STEP, STEPS, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    shrink, smooth, parts = zip(*levels, strict=True)
    method.SetShrinkFactorsPerLevel(shrink)
    method.SetSmoothingSigmasPerLevel(smooth)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentagePerLevel(parts, seed=SEED)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed.image, moving.image)
    except RuntimeError:  # ITK's word for scans of which no point lies on the other
        return start, NOWHERE
    return _matrix(transform), -float(method.GetMetricValue())


def _matrix(transform: sitk.Euler3DTransform) -> Float64Array:
    """(4, 4) of an ITK transform with a centre."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
    centre = np.array(transform.GetCenter())
    matrix[:3, 3] = np.array(transform.GetTranslation()) + centre - matrix[:3, :3] @ centre
    return matrix
