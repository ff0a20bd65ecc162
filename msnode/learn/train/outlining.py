"""Training of the network that outlines: crops of slices, most of them with a lesion near by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from msnode.learn.data.label_maps import REST, UNKNOWN, Labelled
from msnode.learn.train.loop import Report, Schedule, device, run
from msnode.lesions.inputs import Planes
from msnode.lesions.outline import LESION, VENTRICLE
from msnode.lesions.unet import CLASSES, Unet

CROP = 128
"""Rows and columns of what one step sees of a slice."""
DRAWN = 192
"""Cut out, so that a turned or shrunk crop still has content in its corners."""
NEAR_LESION = 5 / 8
"""Part of the crops that are centred near a lesion."""
STRIPPED = 0.3
"""Part of the crops without skull, of the volumes whose brain is known."""
WEIGHTS = (1.0, 2.0, 1.0, 1.5)
"""Of the classes in the cross-entropy."""
JITTER = 40
"""Pixels by which a crop's centre may be off its lesion, each way."""


@dataclass(frozen=True)
class Pool:
    """All slices to learn from.

    Attributes:
        inputs: (slices, 4, rows, cols) float16 of every volume, as it is and stripped.
        labels: (slices, rows, cols) uint8 likewise.
        lesions: rows (volume, slice, row, col) of every lesion pixel.
        tissue: likewise of every 16th pixel of the heads.
        stripped: by volume, the number of its stripped twin; itself where there is none.
    """

    inputs: tuple[Tensor, ...]
    labels: tuple[Tensor, ...]
    lesions: Tensor
    tissue: Tensor
    stripped: tuple[int, ...]


def pool(volumes: Sequence[Labelled]) -> Pool:
    """Put the slices of volumes where crops can be cut from them."""
    seen = [v.planes for v in volumes]
    twins, labels = list(range(len(volumes))), [v.labels for v in volumes]
    for number, volume in enumerate(volumes):
        if volume.stripped is not None:
            twins[number] = len(seen)
            seen.append(volume.stripped)
            labels.append(volume.labels)
    lesions = [_places(n, v.labels == LESION) for n, v in enumerate(volumes)]
    tissue = [_places(n, v.planes.pixels > 0.2)[::16] for n, v in enumerate(volumes)]
    return Pool(
        tuple(_padded(torch.from_numpy(_inputs(planes))) for planes in seen),
        tuple(_padded(torch.from_numpy(label), REST) for label in labels),
        torch.from_numpy(np.concatenate(lesions)),
        torch.from_numpy(np.concatenate(tissue)),
        tuple(twins),
    )


def _places(number: int, where: np.ndarray) -> np.ndarray:
    found = np.argwhere(where)
    return np.column_stack([np.full(len(found), number), found])


def _inputs(planes: Planes) -> np.ndarray:
    return np.stack([planes.input(n) for n in range(len(planes.pixels))]).astype(np.float16)


def _padded(images: Tensor, value: float = 0) -> Tensor:
    """With a margin, so that a crop at the border needs no care."""
    return functional.pad(images, [DRAWN // 2] * 4, value=value)


def draw(data: Pool, count: int) -> tuple[Tensor, Tensor]:
    """A batch from torch's global generator.

    Returns:
        (count, 4, 128, 128) float32 and (count, 128, 128) int64 labels, augmented.
    """
    images, labels = zip(*(_cut(data) for _ in range(count)), strict=True)
    return augmented(torch.stack(images).float(), torch.stack(labels))


def _cut(data: Pool) -> tuple[Tensor, Tensor]:
    """One slice's surroundings of a random place."""
    near = torch.rand(()) < NEAR_LESION
    places = data.lesions if near else data.tissue
    volume, number, row, col = places[torch.randint(len(places), ())].tolist()
    if near:
        row, col = (v + int(torch.randint(-JITTER, JITTER + 1, ())) for v in (row, col))
    chosen = data.stripped[volume] if torch.rand(()) < STRIPPED else volume
    inputs, labels = data.inputs[chosen][number], data.labels[chosen][number]
    # the margin is half of what is cut out, so the place itself is the cut's corner
    row, col = (min(max(v, 0), n - DRAWN) for v, n in zip((row, col), labels.shape, strict=True))
    area = slice(row, row + DRAWN), slice(col, col + DRAWN)
    return inputs[:, *area], labels[area]


def augmented(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Other heads and scanners: turned, scaled, mirrored, in another contrast, uneven, noisy.

    Args:
        images: (n, 4, 192, 192) float32.
        labels: (n, 192, 192) uint8.
    """
    n = len(images)
    grid = _grid(n)
    images = functional.grid_sample(images, grid, align_corners=False)
    shown = functional.grid_sample(labels[:, None].float(), grid, "nearest", align_corners=False)
    pixels, contrast = images[:, :3], images[:, 3:]
    power = torch.exp(0.2 * torch.randn(n, 1, 1, 1))
    strength = torch.empty(n, 1, 1, 1).uniform_(0.75, 1.35)
    pixels = pixels.clamp(min=1e-3) ** power
    contrast = contrast * strength * power
    coarse = 0.12 * torch.randn(n, 1, 3, 3)
    uneven = functional.interpolate(coarse, CROP, mode="bicubic", align_corners=False)
    pixels = pixels * torch.exp(uneven)
    noise = torch.empty(n, 1, 1, 1).uniform_(0, 0.06)
    pixels = pixels + noise * torch.randn_like(pixels)
    contrast = contrast + noise * torch.randn_like(contrast)
    alone = torch.rand(n, 1, 1, 1) < 0.1  # the first or last slice of a stack, or a gap
    pixels = torch.where(alone, pixels[:, 1:2].expand_as(pixels), pixels)
    images = torch.cat([pixels, contrast], 1)
    soft = functional.avg_pool2d(images, 3, 1, 1)
    images = torch.where(torch.rand(n, 1, 1, 1) < 0.2, soft, images)
    return images, shown[:, 0].long()


def _grid(n: int) -> Tensor:
    """(n, 128, 128, 2) where each crop's pixels are taken from."""
    angle = torch.deg2rad(15 * torch.randn(n).clamp(-2, 2))
    scale = torch.exp(0.12 * torch.randn(n)).clamp(0.75, 1.33) * CROP / DRAWN
    mirror = torch.where(torch.rand(n) < 0.5, 1.0, -1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    zero = torch.zeros(n)
    # rows run along the patient's x: a head is mirrored along them
    rows = [torch.stack([cos, -sin * mirror, zero], 1), torch.stack([sin, cos * mirror, zero], 1)]
    return functional.affine_grid(torch.stack(rows, 1), [n, 1, CROP, CROP], align_corners=False)


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, and one minus the Dice coefficients of lesion and ventricle.

    Args:
        logits: (n, 4, rows, cols).
        labels: (n, rows, cols) int64; `UNKNOWN` counts nowhere.
    """
    known = labels != UNKNOWN
    weights = torch.tensor(WEIGHTS, device=logits.device)
    entropy = functional.cross_entropy(logits, labels, weights, ignore_index=UNKNOWN)
    probabilities = logits.softmax(1) * known[:, None]
    missed = torch.zeros((), device=logits.device)
    for one in (LESION, VENTRICLE):
        p, truth = probabilities[:, one], (labels == one).float()
        missed = missed + 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)
    return entropy + missed / 2


def fit(
    volumes: Sequence[Labelled],
    schedule: Schedule,
    batch: int,
    checkpoint: Path | None,
    report: Report | None = None,
) -> Unet:
    """Train a network; goes on where a killed run stopped.

    Args:
        volumes: to learn from.
        schedule: how long.
        batch: crops a step.
        checkpoint: written now and then, read if it exists.
        report: called as often.
    """
    torch.manual_seed(schedule.seed)
    model = Unet().to(memory_format=torch.channels_last).to(device())
    taught = run(model, _step(pool(volumes), batch), schedule, checkpoint, report)
    assert isinstance(taught, Unet)  # noqa: S101 - it is the model's average
    return taught.cpu()


def _step(data: Pool, batch: int) -> Callable[[nn.Module, int], Tensor]:
    """The loss of one step."""

    def of(model: nn.Module, _: int) -> Tensor:
        images, labels = draw(data, batch)
        images = images.to(device(), memory_format=torch.channels_last)
        return loss(model(images), labels.to(device()))

    return of


assert len(WEIGHTS) == len(CLASSES)  # noqa: S101 - one each
