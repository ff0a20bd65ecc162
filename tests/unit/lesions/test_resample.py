"""A volume on another grid is what scipy makes of it."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from msnode.lesions.resample import nearest, sampled, shown
from msnode.records.images import Float64Array

SHAPE, OTHER = (31, 26, 9), (40, 35, 30)


def moved(angles: tuple[float, float, float], z: float = 3.0) -> Float64Array:
    """(4, 4) from cubes to thick slices, turned by degrees; both centres lie on each other."""
    matrix = np.eye(4)
    turned = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix[:3, :3] = np.diag([1.0, 1.0, 1 / z]) @ turned
    matrix[:3, 3] = (np.array(SHAPE) - 1) / 2 - matrix[:3, :3] @ ((np.array(OTHER) - 1) / 2)
    return matrix


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (3.0, -5.0, 8.0), (80.0, 0.0, 4.0)])
def test_it_is_what_scipy_gives(angles: tuple[float, float, float]) -> None:
    rng, matrix = np.random.default_rng(0), moved(angles)
    voxels, labels = rng.normal(100, 30, SHAPE), rng.integers(0, 5, SHAPE).astype(np.uint8)
    places = matrix[:3, :3], matrix[:3, 3], OTHER
    linear = ndimage.affine_transform(voxels.astype(np.float32), *places, order=1)
    within = ndimage.affine_transform(np.ones(SHAPE), *places, order=0) > 0
    assert 0 < within.sum() < within.size
    assert np.array_equal(shown(SHAPE, matrix, OTHER), within)
    assert np.allclose(sampled(voxels, matrix, OTHER), linear, atol=1e-4)
    # half-way between two voxels either may be the nearest
    same = nearest(labels, matrix, OTHER) == ndimage.affine_transform(labels, *places, order=0)
    assert same.mean() > 0.999 if any(angles) else same.mean() > 0.5
    assert not nearest(labels, matrix, OTHER)[~within].any()


def test_what_lies_on_the_outermost_middles_is_shown() -> None:
    volume = np.arange(24.0).reshape(2, 3, 4)
    assert shown(volume.shape, np.eye(4), volume.shape).all()
    assert np.array_equal(sampled(volume, np.eye(4), volume.shape), volume)
    half = np.eye(4)
    half[2, 3] = 0.25
    assert shown(volume.shape, half, volume.shape)[0, 0].tolist() == [True, True, True, False]
