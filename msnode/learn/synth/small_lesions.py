"""Small lesions put into crops of slices: of these, outlined scans have few, and miss some."""

import torch
from torch import Tensor

CHANCE = 0.4
"""Part of the crops that get some."""
MOST = 4
"""A crop gets up to so many."""
RADIUS = (1.4, 5.0)
"""Long half-axis, pixels of about 1 mm; the short one is 0.6 to 1 of it."""
BRIGHTER = (0.2, 0.9)
"""By which part they are brighter than their place; an outlined lesion is by 0.4 (median)."""
NEXT = 0.8
"""The slices below and above show at most this part of it, half of the time none."""
MIDDLE, CONTRAST = 1, 3
"""Channels of the slice itself, and of its local contrast."""


def put_in(images: Tensor, labels: Tensor, room: Tensor, lesion: int) -> tuple[Tensor, Tensor]:
    """Put ellipses into some crops; all draws come from torch's global generator.

    Args:
        images: (n, 4, rows, cols) float32 as ``Planes.input`` makes them.
        labels: (n, rows, cols) uint8.
        room: (n, rows, cols) bool, where their middles may lie.
        lesion: the label that their pixels get.

    Returns:
        The changed images and labels.
    """
    images, labels = images.clone(), labels.clone()
    for image, label, free in zip(images, labels, room, strict=True):
        if torch.rand(()) < CHANCE and len(places := free.nonzero()):
            for _ in range(int(torch.randint(1, MOST + 1, ()))):
                part = _ellipse(places[torch.randint(len(places), ())], label.shape)
                _brighten(image, label, part, lesion)
    return images, labels


def _ellipse(middle: Tensor, shape: torch.Size) -> Tensor:
    """(rows, cols) float32, how much of each pixel an ellipse fills; its edge is a pixel wide."""
    long = torch.empty(()).uniform_(*RADIUS)
    short = long * torch.empty(()).uniform_(0.6, 1)
    angle = torch.rand(()) * torch.pi
    rows, cols = torch.meshgrid(*map(torch.arange, shape), indexing="ij")
    y, x = rows - middle[0] + torch.rand(()) - 0.5, cols - middle[1] + torch.rand(()) - 0.5
    along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    away = torch.hypot(along / long, across / short)
    return ((1 - away) * short + 0.5).clamp(0, 1)


def _brighten(image: Tensor, label: Tensor, part: Tensor, lesion: int) -> None:
    """Put one in."""
    gain = 1 + torch.empty(()).uniform_(*BRIGHTER) * part
    image[MIDDLE] *= gain
    image[CONTRAST] = ((1 + image[CONTRAST]) * gain - 1).clamp(-1, 2)
    for other in (MIDDLE - 1, MIDDLE + 1):
        if torch.rand(()) < 0.5:
            image[other] *= 1 + (gain - 1) * torch.empty(()).uniform_(0, NEXT)
    label[(part >= 0.5) & (label == 0)] = lesion
