"""What the network sees does not depend on brightness, grid, or the skull more than it must."""

import numpy as np
import pytest
from numpy.typing import NDArray

from msnode.errors import NotAnalysable
from msnode.lesions.inputs import CHANNELS, planes
from msnode.records.ras_volume import RasVolume
from tests.unit.lesions.heads import head


def with_skull(voxels: NDArray[np.float32]) -> NDArray[np.float32]:
    """A bright ring of scalp around the brain, a dark one of bone between them."""
    x, y = np.indices(voxels.shape[:2])
    far = np.hypot((x - 90) / 88, (y - 106) / 106)
    ring = ((far > 0.92) & (far < 0.99))[..., None]
    return np.where(ring, np.float32(300), np.where((far < 0.9)[..., None], voxels, 5))


def test_the_inside_of_the_brain_is_about_1() -> None:
    drawn = head()
    seen = planes(drawn.volume)
    brain = drawn.volume.voxels.transpose(2, 0, 1) > 50
    assert np.median(seen.pixels[brain]) == pytest.approx(1, abs=0.05)
    assert abs(np.median(seen.contrast[brain])) < 0.15


def test_neither_unit_nor_skull_changes_the_scale() -> None:
    drawn = head()
    plain, scaled = (
        planes(RasVolume(drawn.volume.voxels * factor, drawn.volume.affine)) for factor in (1, 37)
    )
    assert np.allclose(plain.pixels, scaled.pixels, atol=1e-4)
    skull = planes(RasVolume(with_skull(drawn.volume.voxels), drawn.volume.affine))
    middle = np.s_[10, 60:120, 70:140]
    assert np.allclose(plain.pixels[middle], skull.pixels[middle], rtol=0.2, atol=0.05)


def test_thin_slices_are_averaged_and_their_neighbours_lie_6_mm_away() -> None:
    rng = np.random.default_rng(0)
    noisy = 100 + rng.normal(0, 10, (60, 60, 60)).astype(np.float32)
    thin = planes(RasVolume(noisy, np.eye(4)))
    assert thin.step == 6
    assert thin.pixels.std() < 0.07, "three slices together are less noisy"
    thick = planes(RasVolume(noisy, np.diag([1, 1, 6.5, 1.0])))
    assert thick.step == 1
    assert np.array_equal(thick.input(0)[0], thick.pixels[0]), "the first is its own neighbour"
    assert np.array_equal(thick.input(5)[2], thick.pixels[6])
    assert thick.input(5).shape == (CHANNELS, 60, 60)


def test_coarse_and_fine_pixels_become_1_mm() -> None:
    voxels = np.full((40, 48, 20), 100, np.float32)
    seen = planes(RasVolume(voxels, np.diag([2.0, 0.5, 5.0, 1.0])))
    assert seen.pixels.shape == (20, 80, 24)
    assert np.allclose(seen.spacing_mm, [5, 1, 1])


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_nothing_bright_is_said(value: float) -> None:
    dark = RasVolume(np.full((30, 30, 10), value, np.float32), np.eye(4))
    with pytest.raises(NotAnalysable, match="nothing bright"):
        planes(dark)
