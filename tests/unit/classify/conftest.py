"""Models for the tests of the classify stage; the big ones are built once."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from msnode.classify import Bundle, Classifier, Manifest, build
from msnode.classify.hybrid import Hybrid
from msnode.classify.shallow_cnn import ShallowCnn
from msnode.records.images import Float32Array, Slices, SourceFrame

SPOT = 6
"""Pixels of a planted spot's side."""


def lively(model: nn.Module) -> None:
    """Batch-norm statistics and weights as training leaves them, some of them odd."""
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.normal_(0, 0.2)
            norm.running_var.uniform_(0.5, 2.0)
            norm.bias.data.normal_(0, 0.2)
            norm.weight.data.uniform_(-0.5, 1.5)
            norm.weight.data[::7] = 0


@pytest.fixture(scope="session")
def hybrid() -> Hybrid:
    """The hybrid with random weights, for reading only."""
    torch.manual_seed(0)
    model = build("hybrid")
    assert isinstance(model, Hybrid)
    lively(model)
    return model.eval().requires_grad_(False)


def planted(count: int, rng: np.random.Generator) -> tuple[Float32Array, list[tuple[int, int]]]:
    """Noisy z-scored 64x64 discs, the odd ones with a bright spot, and the spots' corners."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    disc = (x**2 + y**2 < 0.8).astype(np.float32)
    images = disc + 0.05 * rng.standard_normal((count, 64, 64)).astype(np.float32)
    corners = [(int(r), int(c)) for r, c in rng.integers(18, 40, (count, 2))]
    for image, (row, col) in list(zip(images, corners, strict=True))[1::2]:
        image[row : row + SPOT, col : col + SPOT] += 1.0
    images = images - images.mean((1, 2), keepdims=True)
    images = images / images.std((1, 2), keepdims=True)
    return images[:, None].astype(np.float32), corners


@pytest.fixture(scope="session")
def taught() -> Classifier:
    """A shallow CNN that has learned to find the planted spot."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = ShallowCnn((8, 16, 32), 64, dropout=0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    targets = torch.arange(32) % 2
    for _ in range(300):  # how many it takes depends on the processor's rounding
        loss = functional.cross_entropy(model(torch.from_numpy(planted(32, rng)[0])), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if float(loss.detach()) < 0.01:
            break
    assert float(loss.detach()) < 0.1, "the planted spot was not learned"
    return model.eval().requires_grad_(False)


@pytest.fixture
def bundle(taught: Classifier) -> Bundle:
    """The taught model as a bundle that was never written."""
    return Bundle(Manifest("taught", "1.0.0", "shallow_cnn", taught.contract), taught)


@pytest.fixture
def as_slices() -> Callable[[Float32Array], Slices]:
    """Pixels (slices, channels, rows, cols) as Slices with 1 mm pixels, 5 mm apart."""

    def make(pixels: Float32Array) -> Slices:
        affines = np.stack([np.eye(4)] * len(pixels))
        affines[:, 2, 3] = 5.0 * np.arange(len(pixels))
        rows, cols = pixels.shape[-2:]
        frames = tuple(
            SourceFrame("1.2", f"1.2.{i}", "1.1", None, rows, cols, affine)
            for i, affine in enumerate(affines)
        )
        return Slices(pixels, affines, frames, tuple(range(len(pixels))), 5.0, False, 0)

    return make
