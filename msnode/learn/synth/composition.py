"""A pool of real slices and the endless training examples composed from it.

Every example starts from a real slice. Its lesions stay or are filled in, places without lesions
are filled too, and lesions of another head may be moved in; so lesion-bearing and lesion-free
examples share heads, positions, scanner and traces of editing, and only lesions tell them apart.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from msnode.learn.synth import lesion_filling
from msnode.learn.synth.augment import Augment, affine, appearance, darkened, uniform, warp
from msnode.records.images import Float32Array

LESION_PIXELS = 6
"""Fewest lesion pixels, in a 224x224 slice, for an example to count as lesion-bearing."""

DECOYED = 0.7
"""Part of the examples with lesion-free places filled in."""

BRAIN_PART = 0.15
"""Below this fraction of brain a slice shows the skull base: no lesion is moved in there."""


@dataclass(frozen=True, slots=True)
class SlicePool:
    """Slices with their edits, aligned along the first axis.

    Attributes:
        images: (slices, rows, cols) float16 in [0, 1].
        lesions: (slices, rows, cols) bool.
        tissue: (slices, rows, cols) bool, where a lesion could lie.
        filled: (slices, rows, cols) float16, to be added to fill the lesions in.
        decoyed: (slices, rows, cols) float16, to be added to fill lesion-free places.
    """

    images: Tensor
    lesions: Tensor
    tissue: Tensor
    filled: Tensor
    decoyed: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> "SlicePool":
        """The pool on a device; on the model's own, no training step waits for transfers."""
        return SlicePool(*(getattr(self, field.name).to(device) for field in fields(self)))

    def take(self, rows: NDArray[np.int64]) -> "SlicePool":
        """A subset of the slices."""
        chosen = torch.from_numpy(rows)
        return SlicePool(*(getattr(self, field.name)[chosen] for field in fields(self)))


def make(images: Float32Array, lesions: NDArray[np.bool_], rng: np.random.Generator) -> SlicePool:
    """Prepare the edits of every slice.

    Args:
        images: (slices, rows, cols) float32 in [0, 1].
        lesions: (slices, rows, cols) bool.
        rng: draws textures and decoys.
    """
    parts = [_edits(image, mask, rng) for image, mask in zip(images, lesions, strict=True)]
    tissue, filled, decoyed = (np.stack(part) for part in zip(*parts, strict=True))
    half = [torch.from_numpy(part.astype(np.float16)) for part in (images, filled, decoyed)]
    return SlicePool(half[0], torch.from_numpy(lesions), torch.from_numpy(tissue), half[1], half[2])


def _edits(
    image: Float32Array, lesions: lesion_filling.Mask, rng: np.random.Generator
) -> tuple[lesion_filling.Mask, Float32Array, Float32Array]:
    """Tissue mask, change by filling the lesions, change by filling decoys."""
    brain = lesion_filling.brain_mask(image)
    clean = lesion_filling.fill(image, lesions, brain, lesions, rng)
    inner = lesion_filling.tissue(clean, brain) & (brain.mean() >= BRAIN_PART)
    places = lesion_filling.decoys(lesions, inner, rng)
    other = lesion_filling.fill(image, places, brain, lesions, rng)
    return inner, clean - image, other - image


def compose(heads: SlicePool, rows: Tensor, a: Augment) -> tuple[Tensor, Tensor]:
    """Make one batch.

    Args:
        heads: the pool.
        rows: (n,) int64, which slices to start from.
        a: ranges of the augmentation.

    Returns:
        images (n, 1, size, size) float32 in [0, 1] and lesion masks (n, 1, size, size) float32.
    """
    n, width, device = len(rows), heads.images.shape[-1], heads.images.device
    kept = _coin(n, 1 - a.filled, device)
    image = heads.images[rows].float()
    image = image + (1 - kept) * heads.filled[rows].float()
    image = image + _coin(n, DECOYED if a.filled else 0, device) * heads.decoyed[rows].float()
    mask = heads.lesions[rows].float() * kept
    signal, shape = _moved(heads, n)
    room = heads.tissue[rows].float() * _coin(n, a.moved, device)
    image, mask = image + room * signal, torch.maximum(mask, room * shape)
    image = darkened(image, heads.tissue[rows].float(), a)
    size = a.crop or width
    both = warp(torch.stack([image, mask], 1).clamp(0, 1), affine(n, a, width, device), size)
    return appearance(both[:, :1], a), both[:, 1:]


def _coin(count: int, chance: float, device: torch.device) -> Tensor:
    """(count, 1, 1) float32 of zeros and ones."""
    return (torch.rand(count, 1, 1, device=device) < chance).float()


def _moved(heads: SlicePool, count: int) -> tuple[Tensor, Tensor]:
    """Lesion signal and lesion mask of random donors, warped: twice (count, rows, cols)."""
    donors = heads.lesions.flatten(1).any(1)
    chosen = torch.multinomial(donors.float() + 1e-9, count, replacement=True)
    pair = torch.stack([-heads.filled[chosen].float(), heads.lesions[chosen].float()], 1)
    size, device = pair.shape[-1], pair.device
    maps = affine(count, Augment(rotation_deg=30, scale=0.35, shift=0.15), size, device)
    signal, shape = (warp(pair, maps, size) * _some(count, size, device)).unbind(1)
    return signal * uniform(count, 0.5, 1.4, device).view(-1, 1, 1), shape


def _some(count: int, size: int, device: torch.device) -> Tensor:
    """Smooth (count, 1, size, size) windows, so that often only some of the lesions move."""
    field = functional.interpolate(
        torch.randn(count, 1, 6, 6, device=device),
        (size, size),
        mode="bicubic",
        align_corners=False,
    )
    level = uniform(count, -2.0, 0.5, device).view(-1, 1, 1, 1)
    return ((field - level) * 4).clamp(0, 1)


def bearing(masks: Tensor) -> Tensor:
    """(n,) float32: 1 where an example's mask (n, 1, rows, cols) holds a lesion."""
    return (masks.flatten(1).sum(1) >= LESION_PIXELS).float()
