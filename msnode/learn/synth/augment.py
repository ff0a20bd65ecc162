"""Augmentation on whole batches of tensors: lesions moved between heads, geometry, appearance.

All draws come from torch's global generator, which the training loop seeds at every step: a run
repeats, and resumes, bit for bit.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Augment:
    """How far a training slice may be changed; every range is symmetric around "as it is"."""

    rotation_deg: float = 15.0
    """Largest in-plane rotation."""
    scale: float = 0.15
    """Largest relative change of size; the aspect ratio changes by up to a third of this."""
    shift: float = 0.04
    """Largest translation, as a fraction of the width."""
    gamma: float = 0.4
    """Largest change of the logarithm of gamma."""
    bias: float = 0.3
    """Largest logarithm of the smooth intensity field."""
    noise: float = 0.03
    """Largest standard deviation of Gaussian noise, image range 1."""
    blur: float = 0.3
    """Probability of a lower in-plane resolution."""
    saturate: float = 0.25
    """Largest part of the upper intensity range that is cut off, as a robust maximum does."""
    detail: float = 1.0
    """Largest gain of local contrast (largest loss: a quarter); coils and sequences differ."""
    scalp: float = 0.9
    """Largest part by which everything outside the brain is darkened, as some protocols do."""
    filled: float = 0.45
    """Part of the slices whose lesions are filled in, to serve as their own controls; above 0,
    places without lesions are filled in 7 of 10 slices, so that filling gives nothing away."""
    moved: float = 0.5
    """Part of the slices into which lesions of another head are moved."""
    crop: int = 0
    """Rows and columns of a random crop around the head; 0 keeps the whole slice."""


def uniform(count: int, low: float, high: float, device: torch.device | None = None) -> Tensor:
    """(count,) float32, uniform in [low, high)."""
    return torch.rand(count, device=device) * (high - low) + low


def affine(count: int, a: Augment, size: int, device: torch.device | None = None) -> Tensor:
    """Random maps from output to input coordinates, both in [-1, 1] as in ``affine_grid``.

    Args:
        count: number of maps.
        a: the ranges.
        size: rows and columns of the whole slice in pixels.
        device: where the maps are wanted.

    Returns:
        (count, 2, 3) float32.
    """
    angle = uniform(count, -a.rotation_deg, a.rotation_deg, device).deg2rad()
    scale = 1 / (1 + uniform(count, -a.scale, a.scale, device))
    aspect = 1 + uniform(count, -a.scale / 3, a.scale / 3, device)
    flip = torch.where(torch.rand(count, device=device) < 0.5, -1.0, 1.0)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    linear = torch.stack([cos * flip, -sin * aspect, sin * flip, cos * aspect], 1).view(-1, 2, 2)
    part = a.crop / size if a.crop else 1.0
    room = a.shift + max(0.0, 0.78 - part)
    shift = torch.rand(count, 2, 1, device=device) * 2 - 1
    return torch.cat([linear * part, shift * room], 2)


def warp(stack: Tensor, maps: Tensor, size: int) -> Tensor:
    """Sample (n, channels, rows, cols) through (n, 2, 3) maps onto (n, channels, size, size)."""
    grid = functional.affine_grid(maps, [len(stack), 1, size, size], align_corners=False)
    return functional.grid_sample(stack, grid, align_corners=False)


def appearance(images: Tensor, a: Augment) -> Tensor:
    """Vary local contrast, saturation, contrast, bias field, resolution and noise.

    Args:
        images: (n, 1, rows, cols) float32 in [0, 1].
        a: the ranges.

    Returns:
        (n, 1, rows, cols) float32 in [0, 1].
    """
    n, device = len(images), images.device
    column = (n, 1, 1, 1)
    gain = uniform(n, -a.detail / 4, a.detail, device) * (torch.rand(n, device=device) < 0.5)
    images = images + gain.view(column) * (images - _smooth(images))
    keep = 1 - uniform(n, 0, a.saturate, device) * (torch.rand(n, device=device) < 0.6)
    images = (images / keep.view(column)).clamp(1e-4, 1)
    images = images ** uniform(n, -a.gamma, a.gamma, device).exp().view(column)
    field = (torch.rand(n, 1, 4, 4, device=device) * 2 - 1) * a.bias
    field = functional.interpolate(field, images.shape[-2:], mode="bicubic", align_corners=False)
    images = images * field.exp()
    images = torch.where(
        (torch.rand(n, device=device) < a.blur).view(column), _blurred(images), images
    )
    sigma = uniform(n, 0, a.noise, device).view(column)
    return (images + sigma * torch.randn_like(images)).clamp(0, 1)


def _smooth(images: Tensor) -> Tensor:
    """Local means over 5, 9 or 17 pixels, one size per batch."""
    reach = 2 ** int(torch.randint(1, 4, ()))
    return functional.avg_pool2d(images, 2 * reach + 1, 1, reach, count_include_pad=False)


def darkened(images: Tensor, tissue: Tensor, a: Augment) -> Tensor:
    """In half of the images, darken what lies outside the brain and stretch to [0, 1] again.

    Args:
        images: (n, rows, cols) float32 in [0, 1].
        tissue: (n, rows, cols) float32, 1 in the brain's tissue; an image without is left as it is.
        a: ``scalp`` is used.

    Returns:
        (n, rows, cols) float32.
    """
    n, device = len(images), images.device
    column = (n, 1, 1)
    brain = functional.max_pool2d(functional.max_pool2d(tissue[:, None], 4), 5, 1, 2)
    brain = functional.interpolate(brain, images.shape[-2:], mode="bilinear", align_corners=False)
    part = uniform(n, 0, a.scalp, device) * (torch.rand(n, device=device) < 0.5)
    part = part * tissue.flatten(1).any(1)
    darker = images * (1 - part.view(column) * (1 - brain[:, 0]))
    high = darker.flatten(1).quantile(0.999, dim=1).clamp_min(1e-3)
    return darker / torch.where(part > 0, high, 1.0).view(column)


def _blurred(images: Tensor) -> Tensor:
    """The same images at 0.5 to 0.9 of their resolution, one factor per batch."""
    factor = float(uniform(1, 0.5, 0.9))
    small = functional.interpolate(
        images, scale_factor=factor, mode="bilinear", antialias=True, align_corners=False
    )
    return functional.interpolate(
        small, images.shape[-2:], mode="bicubic", align_corners=False
    ).clamp(0, 1)


def mixup(images: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Blend every image and its target with another of the batch.

    Args:
        images: (n, ...) float32.
        targets: (n, ...) float32, class probabilities.
        alpha: of Beta(alpha, alpha), which draws the weight; 0 returns the input.

    Returns:
        The blended images and targets.
    """
    if alpha <= 0:
        return images, targets
    weight = float(torch.distributions.Beta(alpha, alpha).sample())
    other = torch.randperm(len(images), device=images.device)
    return (
        weight * images + (1 - weight) * images[other],
        weight * targets + (1 - weight) * targets[other],
    )
