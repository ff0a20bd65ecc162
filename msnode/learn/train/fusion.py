"""Stage two of Algorithm 1: stacked features of the frozen extractors, and the LSTM on them."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from msnode.classify.backbones import DENSENET_GRID, INCEPTION_GRID
from msnode.classify.hybrid import Hybrid
from msnode.classify.single_branch import SingleBranch
from msnode.learn.synth.augment import Augment, mixup
from msnode.learn.synth.composition import SlicePool, bearing, compose
from msnode.learn.train.lesion_heads import cells
from msnode.learn.train.loop import Schedule, mixed, run

SIDES = {INCEPTION_GRID: 5, DENSENET_GRID: 7}
"""Locations along each side of the two maps."""

BATCH = 32
"""Cached examples per step."""


@dataclass(frozen=True, slots=True)
class Features:
    """Cached output of the extractors.

    Attributes:
        sequences: (n, 74, 512) float16; 25 or 49 locations for one half alone.
        labels: (n,) float32, 1 for lesion-bearing.
        cells: (n, locations) float16, amount of lesion at every location; nan where unknown.
    """

    sequences: Tensor
    labels: Tensor
    cells: Tensor


def as_input(images: Tensor) -> Tensor:
    """(n, 1, rows, cols) to three channels in the memory format the backbones are fastest in."""
    return images.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def extract(model: Hybrid | SingleBranch, images: Tensor, batch: int = 16) -> Tensor:
    """Run the frozen extractors.

    Args:
        model: in evaluation mode.
        images: (n, 1, 224, 224) in [0, 1].
        batch: images at once.

    Returns:
        (n, 74, 512) float16.
    """
    where = next(model.parameters()).device
    with mixed(where):
        parts = [
            model.sequence(model.maps(as_input(part.to(where).float()))).half().cpu()
            for part in torch.split(images, batch)
        ]
    return torch.cat(parts)


def cache(
    model: Hybrid | SingleBranch,
    heads: SlicePool,
    examples: int,
    a: Augment,
    seed: int = 0,
    batch: int = 16,
) -> Iterable[Features]:
    """Features of freshly composed examples, batch by batch.

    Args:
        model: whose extractors are trained.
        heads: the pool of training slices.
        examples: how many.
        a: ranges of the augmentation.
        seed: of the composition.
        batch: examples at once.
    """
    for start in range(0, examples, batch):
        torch.manual_seed(seed * 1_000_003 + start)
        images, masks = compose(heads, torch.randint(0, len(heads), (batch,)), a)
        amounts = [cells(masks, grid, SIDES[grid]).flatten(1) for grid in model.grids]
        known = bearing(masks).cpu(), torch.cat(amounts, 1).half().cpu()
        yield Features(extract(model, images, batch), *known)


def joined(parts: Iterable[Features]) -> Features:
    """Many caches as one."""
    listed = list(parts)
    return Features(
        torch.cat([p.sequences for p in listed]),
        torch.cat([p.labels for p in listed]),
        torch.cat([p.cells for p in listed]),
    )


def train_fusion(
    model: Hybrid | SingleBranch, features: Features, steps: int, alpha: float = 0.2, seed: int = 0
) -> None:
    """Train the LSTM and its dense blocks on cached features.

    Where the lesions' locations are known, sequences are recombined: locations trade places
    within each map and are exchanged between images, and the label follows the lesions. So the
    slice's position cannot be learned, and there is no end of examples.

    Args:
        model: its ``fusion`` is trained and replaced by the moving average.
        features: of the training examples.
        steps: of ``BATCH`` examples.
        alpha: of mix-up between feature sequences; 0 turns it off.
        seed: makes it repeatable.
    """
    where = next(model.parameters()).device
    located = not bool(features.cells.isnan().any())

    def loss(fusion: nn.Module, step: int) -> Tensor:
        del step
        rows = torch.randint(0, len(features.labels), (BATCH,))
        sequences, labels = features.sequences[rows].float(), features.labels[rows]
        if located:
            sequences, labels = recombined(features, rows)
        targets = functional.one_hot(labels.long(), 2).float()
        inputs, wanted = mixup(sequences.to(where), targets.to(where), alpha)
        return functional.cross_entropy(fusion(inputs), wanted)

    schedule = Schedule(steps, 1e-3, weight_decay=0.05, seed=seed, every=steps)
    model.fusion = run(model.fusion, loss, schedule)  # type: ignore[assignment]


def recombined(features: Features, rows: Tensor, exchange: float = 0.3) -> tuple[Tensor, Tensor]:
    """Sequences with locations exchanged and permuted, and the labels that follow.

    Args:
        features: with known ``cells``.
        rows: (n,) int64.
        exchange: largest fraction of locations taken from another image.

    Returns:
        (n, locations, 512) float32 and (n,) float32.
    """
    other = torch.randint(0, len(features.labels), (len(rows),))
    count = features.cells.shape[1]
    taken = torch.rand(len(rows), count) < torch.rand(len(rows), 1) * exchange
    sequences = torch.where(
        taken[..., None], features.sequences[other], features.sequences[rows]
    ).float()
    amounts = torch.where(taken, features.cells[other], features.cells[rows])
    keys = torch.rand(len(rows), count)
    if count > SIDES[DENSENET_GRID] ** 2:
        keys[:, SIDES[INCEPTION_GRID] ** 2 :] += 1  # each map keeps its part of the sequence
    order = keys.argsort(1)
    sequences = sequences.gather(1, order[..., None].expand_as(sequences))
    return sequences, (amounts.float().amax(1) > 0.9).float()


@torch.inference_mode()
def logits(model: Hybrid | SingleBranch, sequences: Tensor) -> Tensor:
    """(n,) difference of the two logits of cached (n, 74, 512) features."""
    where = next(model.parameters()).device
    out: Tensor = model.fusion.eval()(sequences.to(where).float()).cpu()
    return out[:, 1] - out[:, 0]
