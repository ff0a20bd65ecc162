"""Where on a slice the model saw what it says: Grad-CAM, or the location heads.

Both give one coarse grid for each feature map; ``render`` lays them over the image by the true
position of their cells, joins them and keeps them inside the head.

Where the location heads were trained on lesion masks, they are the better choice: they are taught
where to look, need no backward pass, and are probabilities on an absolute scale, so that a study
without findings stays dark. Grad-CAM is relative: the highest value of every study is 1. Compared
on 125 lesion-bearing slices (the people that hybrid 0.1.0 was trained on), the highest point lay
within 8 pixels of a lesion in 70 % (location heads), 37 % (Grad-CAM without averaging, used here),
8 % (with averaging); by chance in 7 %.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from msnode.classify.contract import Classifier, Grid
from msnode.records.images import Float32Array, Float64Array

Explained = tuple[Tensor, tuple[Tensor, ...]]
"""Logits (n, 2) and one grid (n, h, w) float32 >= 0 a feature map."""


def locations(model: Classifier, maps: tuple[Tensor, ...]) -> Explained:
    """Probability of a lesion in every cell, from the location heads."""
    with torch.inference_mode():
        return model.head(maps), tuple(g.sigmoid() for g in model.locations(maps))


def grad_cam(model: Classifier, maps: tuple[Tensor, ...]) -> Explained:
    """Contribution of every cell to the difference of the logits.

    Gradients are not averaged over the map (HiResCAM, Draelos & Carin 2020): behind these maps
    comes no global pooling but layers that tell the places apart. With them averaged, as Grad-CAM
    does, a planted spot is missed by half the image; without, it is found within a cell (tested).
    Only the head is differentiated.
    """
    leaves = tuple(m.to(torch.float32, copy=True).requires_grad_() for m in maps)
    # cuDNN's LSTM has no backward pass in evaluation mode
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        logits = model.head(leaves)
        gradients = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), leaves)
    pairs = zip(gradients, leaves, strict=True)
    return logits.detach(), tuple((g * m.detach()).sum(1).relu() for g, m in pairs)


METHODS = {"locations": locations, "grad-cam": grad_cam}


def render(
    grids: tuple[Float32Array, ...], where: tuple[Grid, ...], pixels: Float32Array, method: str
) -> Float32Array:
    """Lay the grids of a whole study over its slices.

    Args:
        grids: (slices, h, w) each, >= 0.
        where: the cells' places, one a grid.
        pixels: (slices, channels, rows, cols) as the classifier saw them.
        method: of ``METHODS``; Grad-CAM is scaled to a highest value of 1.

    Returns:
        (slices, rows, cols) float32 in [0, 1]; 0 outside the head.
    """
    rows, cols = pixels.shape[-2:]
    shares = [
        _spread(rows, grid, g.shape[1]) @ g @ _spread(cols, grid, g.shape[2]).T
        for g, grid in zip(grids, where, strict=True)
    ]
    joined = np.mean(shares, axis=0) * head(pixels)
    highest = float(joined.max(initial=0)) if method == "grad-cam" else 1.0
    return np.asarray(np.clip(joined / (highest or 1.0), 0, 1), np.float32)


def _spread(size: int, grid: Grid, cells: int) -> Float64Array:
    """(size, cells) weights of linear interpolation from cells to pixels; constant outside."""
    place = np.clip((np.arange(size) - grid.first) / grid.stride, 0, cells - 1)
    return np.asarray(np.clip(1 - np.abs(place[:, None] - np.arange(cells)), 0, 1))


def head(pixels: Float32Array) -> NDArray[np.bool_]:
    """Where the head is.

    Args:
        pixels: (slices, channels, rows, cols) in any normalisation.

    Returns:
        (slices, rows, cols) bool; everywhere on a slice that shows no head.
    """
    rows, cols = pixels.shape[-2:]
    # every other pixel: the closing costs a quarter, and nobody sees the rim's two pixels
    halves = np.stack([_largest(image) for image in pixels[:, 0, ::2, ::2]])
    return halves.repeat(2, axis=1).repeat(2, axis=2)[:, :rows, :cols]


def _largest(image: Float32Array) -> NDArray[np.bool_]:
    """The largest region above a tenth of the intensity range, closed over the dark skull."""
    low, high = np.quantile(image, (0.01, 0.99))
    reach = max(1, len(image) // 40)
    seen = np.pad(ndimage.binary_opening(image > low + 0.1 * (high - low)), reach)
    closed = ndimage.binary_fill_holes(ndimage.binary_closing(seen, iterations=reach))
    labels, count = ndimage.label(closed[reach:-reach, reach:-reach])
    if not count:
        return np.ones(image.shape, np.bool_)
    return np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))
