"""Filling removes a lesion and leaves the rest of the slice alone."""

import numpy as np
import pytest
from scipy import ndimage

from msnode.learn.synth.lesion_filling import Mask, brain_mask, decoys, fill, tissue
from msnode.records.images import Float32Array


@pytest.fixture
def head() -> tuple[Float32Array, Mask]:
    """A bright scalp around a dark gap around noisy tissue, with one bright lesion."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:224, :224] - 112
    radius = np.hypot(y, x * 1.15)
    image = np.where(radius < 80, 0.45, 0.02) + np.where(abs(radius - 95) < 5, 0.9, 0)
    image = ndimage.gaussian_filter(image, 1) + rng.normal(0, 0.01, image.shape)
    lesion = np.hypot(y - 20, x + 25) < 5
    image[lesion] += 0.25
    return np.clip(image, 0, 1).astype(np.float32), lesion


def test_the_brain_is_found(head: tuple[Float32Array, Mask]) -> None:
    image, _ = head
    y, x = np.mgrid[:224, :224] - 112
    truth = np.hypot(y, x * 1.15) < 80
    found = brain_mask(image)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.95


def test_a_lesion_disappears(head: tuple[Float32Array, Mask]) -> None:
    image, lesion = head
    filled = fill(image, lesion, brain_mask(image), lesion, np.random.default_rng(1))
    assert image[lesion].mean() > 0.65
    assert filled[lesion].mean() == pytest.approx(0.45, abs=0.03)
    assert filled[lesion].std() == pytest.approx(0.01, abs=0.008)  # texture, not a flat patch
    far = ~ndimage.binary_dilation(lesion, iterations=9)
    assert np.array_equal(filled[far], image[far])


def test_nothing_to_fill_changes_nothing(head: tuple[Float32Array, Mask]) -> None:
    image, lesion = head
    nothing = np.zeros_like(lesion)
    rng = np.random.default_rng(0)
    assert fill(image, nothing, brain_mask(image), lesion, rng) is image


def test_decoys_hold_no_lesion(head: tuple[Float32Array, Mask]) -> None:
    image, lesion = head
    inner = tissue(image, brain_mask(image))
    for seed in range(5):
        places = decoys(lesion, inner, np.random.default_rng(seed))
        assert places.any()
        assert not (places & lesion).any()
        assert not (places & ~inner).any()
    assert not decoys(lesion, np.zeros_like(lesion), np.random.default_rng(0)).any()


def test_an_empty_slice_has_no_brain() -> None:
    assert not brain_mask(np.zeros((224, 224), np.float32)).any()
