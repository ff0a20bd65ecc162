"""Saliency lies where the evidence is, inside the head, on one scale for the study."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from msnode.classify import Classifier, Grid, Manifest, saliency
from msnode.classify.finding import decide
from msnode.records.images import Float32Array, InputContract, Slices
from msnode.records.results import Scores
from tests.unit.classify.conftest import SPOT, planted


def test_grad_cam_finds_the_planted_spot(taught: Classifier) -> None:
    images, corners = planted(24, np.random.default_rng(5))
    with torch.inference_mode():
        maps = taught.maps(torch.from_numpy(images))
    logits, grids = saliency.grad_cam(taught, maps)
    torch.testing.assert_close(logits, taught(torch.from_numpy(images)))
    shown = saliency.render(tuple(g.numpy() for g in grids), taught.grids, images, "grad-cam")
    assert shown.max() == pytest.approx(1.0)
    for index in range(1, 24, 2):
        row, col = np.unravel_index(shown[index].argmax(), shown[index].shape)
        middle = np.array(corners[index]) + (SPOT - 1) / 2
        assert np.hypot(row - middle[0], col - middle[1]) <= 8, "within one cell"
    assert shown[0::2].max() < shown[1::2].max((1, 2)).min(), "darker without a spot"


class Located(Classifier):
    """Its location head answers with the brightest pixel of each 8x8 cell."""

    contract = InputContract(("FLAIR",), 64, 64, 1)
    grids = (Grid(8, 3.5),)

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        return (torch.nn.functional.max_pool2d(images, 8),)

    def head(self, maps: tuple[Tensor, ...]) -> Tensor:
        score = maps[0].amax((1, 2, 3))
        return torch.stack([-score, score], 1)

    def locations(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (4 * maps[0][:, 0] - 8,)


def test_locations_keep_their_absolute_scale() -> None:
    images = np.full((2, 1, 64, 64), 1.0, np.float32)
    images[:, :, :8] = images[:, :, -8:] = 0
    images[1, 0, 24:32, 40:48] = 3.0
    with torch.inference_mode():
        logits, grids = saliency.locations(Located(), Located().maps(torch.from_numpy(images)))
    shown = saliency.render(tuple(g.numpy() for g in grids), Located.grids, images, "locations")
    assert logits.shape == (2, 2)
    assert shown[0].max() == pytest.approx(1 / (1 + np.exp(4)), rel=1e-4), "nothing is blown up"
    assert shown[1].max() == shown[1, 27, 43]
    assert shown[1].max() > 0.85, "the cell's middle lies between pixels"
    assert not shown[:, :8].any(), "outside the head"


def test_cells_are_laid_where_the_grid_says() -> None:
    grid = np.zeros((1, 5, 5), np.float32)
    grid[0, 1, 3] = 1
    pixels = np.ones((1, 1, 224, 224), np.float32)
    pixels[:, :, :2] = 0
    shown = saliency.render((grid,), (Grid(32, 37),), pixels, "locations")
    assert np.unravel_index(shown[0].argmax(), (224, 224)) == (37 + 32, 37 + 3 * 32)
    assert shown[0, 69 + 16, 133] == pytest.approx(0.5)
    assert shown[0, 69, 133 + 32] == 0


def test_two_maps_are_averaged() -> None:
    one, two = np.ones((1, 2, 2), np.float32), np.zeros((1, 4, 4), np.float32)
    pixels = np.ones((1, 1, 64, 64), np.float32)
    pixels[0, 0, 0] = 0
    shown = saliency.render((one, two), (Grid(32, 15.5), Grid(16, 7.5)), pixels, "locations")
    assert shown[0, 4:-4, 4:-4] == pytest.approx(0.5)


def test_the_head_is_found_among_noise() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    disc = (x / 0.6) ** 2 + (y / 0.8) ** 2 < 1
    hollow = disc & ((x / 0.3) ** 2 + (y / 0.3) ** 2 >= 1)
    image = (hollow + 0.03 * rng.standard_normal(x.shape)).astype(np.float32)
    found = saliency.head(image[None, None])[0]
    assert (found == disc).mean() > 0.98, "the dark ventricles belong to the head"
    assert saliency.head(np.zeros((1, 1, 16, 16), np.float32)).all(), "an empty slice is no error"


def test_peaks_lie_inside_the_head(as_slices: Callable[[Float32Array], Slices]) -> None:
    pixels = np.zeros((3, 1, 64, 64), np.float32)
    pixels[:, :, 20:50, 10:40] = 1
    shown = np.zeros((3, 64, 64), np.float32)
    shown[0, 30, 22] = 0.7
    shown[1, 2, 2] = 0.9  # in the air
    scores = Scores(np.array([0.9, 0.2, 0.1], np.float32), shown)
    manifest = Manifest("m", "1", "shallow_cnn", Located.contract)
    finding = decide(scores, as_slices(pixels), manifest)
    first, second, third = finding.slices
    assert (first.peak.column, first.peak.row) == (22, 30)
    assert first.peak_value == pytest.approx(0.7)
    for other in (second, third):
        assert other.peak.column == pytest.approx(24.5, abs=1)
        assert other.peak.row == pytest.approx(34.5, abs=1)
        assert other.peak_value == 0
    assert [s.source.sop_instance_uid for s in finding.slices] == ["1.2.0", "1.2.1", "1.2.2"]
