"""Training of the network that outlines: crops of slices, most of them with a lesion near by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from msnode.learn.synth.small_lesions import put_in
from msnode.learn.train import checkpoints
from msnode.learn.train.label_maps import REST, UNKNOWN, Labelled
from msnode.learn.train.loop import Report, Schedule, device, mixed, run
from msnode.lesions.inputs import Planes
from msnode.lesions.outline import LESION, VENTRICLE
from msnode.lesions.unet import CLASSES, Unet

CHECKPOINT = "model.safetensors"
"""Of a run, in its fold's folder."""
CROP = 128
"""Rows and columns of what one step sees of a slice."""
DRAWN = 192
"""Cut out, so that a turned or shrunk crop still has content in its corners."""
NEAR_LESION = 5 / 8
"""Part of the crops that are centred near a lesion."""
STRIPPED = 0.3
"""Part of the crops without skull."""
HEALED = 0.15
"""Part of the crops whose lesions are filled in: heads without lesions are what scans lack here."""
OTHERS = 1 / 3
"""Part of the crops from volumes with the role ``train``, where there are others."""
DEEP_MM, USUAL = 8, 0.25
"""Small lesions are put so far inside of the brain, where it is as bright as its median, about."""
CONNECTED_IN_PLANE = np.stack([np.full((3, 3), middle) for middle in (False, True, False)])
"""Lesions of one slice, connected over edges and corners; a pixel is about 1 mm."""
WEIGHTS = (1.0, 2.0, 1.0, 1.5)
"""Of the classes in the cross-entropy."""
JITTER = 40
"""Pixels by which a crop's centre may be off its lesion, each way."""


@dataclass(frozen=True)
class Volume:
    """What crops of one volume are cut from.

    Attributes:
        inputs: by healed and stripped (0 to 3), (slices, 4, rows, cols) float16.
        labels: by healed (0, 1), (slices, rows, cols) uint8.
        room: (slices, rows, cols) bool, where a small lesion may be put.
        lesions: (places, 3) slice, row, col of every lesion pixel.
        chances: (places,) float32 with which each is drawn: a lesion by the root of its area.
        tissue: (places, 3) of every 16th pixel of the head.
    """

    inputs: tuple[Tensor, ...]
    labels: tuple[Tensor, Tensor]
    room: Tensor
    lesions: Tensor
    chances: Tensor
    tissue: Tensor


@dataclass(frozen=True)
class Pool:
    """All volumes to learn from: those of persons who are tested as well, and those who are not."""

    own: tuple[Volume, ...]
    others: tuple[Volume, ...]


def pool(volumes: Sequence[Labelled]) -> Pool:
    """Put the slices of volumes where crops can be cut from them."""
    own = tuple(_volume(v) for v in volumes if v.row.role != "train")
    return Pool(own, tuple(_volume(v) for v in volumes if v.row.role == "train"))


def _volume(v: Labelled) -> Volume:
    """One volume."""
    lesion = v.labels == LESION
    healed = np.where(lesion, REST, v.labels)
    numbers, count = ndimage.label(lesion, CONNECTED_IN_PLANE)
    areas = np.bincount(numbers.ravel(), minlength=count + 1)
    room = v.inside & (v.labels == REST) & (np.abs(v.planes.pixels - 1) < USUAL)
    deep = ndimage.binary_erosion(v.inside, CONNECTED_IN_PLANE, DEEP_MM)
    looks = (v.planes, v.stripped, v.healed, v.healed_stripped)
    return Volume(
        tuple(torch.from_numpy(_inputs(planes)) for planes in looks),
        (torch.from_numpy(v.labels), torch.from_numpy(healed.astype(np.uint8))),
        torch.from_numpy(room & deep),
        torch.from_numpy(np.argwhere(lesion)),
        torch.from_numpy(1 / np.sqrt(areas[numbers[lesion]])).float(),
        torch.from_numpy(np.argwhere(v.planes.pixels > 0.2)[::16]),
    )


def _inputs(planes: Planes) -> np.ndarray:
    return np.stack([planes.input(n) for n in range(len(planes.pixels))]).astype(np.float16)


def draw(data: Pool, count: int) -> tuple[Tensor, Tensor]:
    """A batch from torch's global generator.

    Returns:
        (count, 4, 128, 128) float32 and (count, 128, 128) int64 labels, augmented.
    """
    cuts = [_cut(_chosen(data)) for _ in range(count)]
    images, labels, room = (torch.stack(part) for part in zip(*cuts, strict=True))
    return augmented(*put_in(images.float(), labels, room, LESION))


def _chosen(data: Pool) -> Volume:
    """Any volume, each as often as the others."""
    other = data.others if not data.own or torch.rand(()) < OTHERS else ()
    volumes = other or data.own
    return volumes[int(torch.randint(len(volumes), ()))]


def _cut(volume: Volume) -> tuple[Tensor, Tensor, Tensor]:
    """One slice's surroundings of a random place: inputs, labels, room."""
    near = len(volume.lesions) and torch.rand(()) < NEAR_LESION
    if near:
        place = volume.lesions[torch.multinomial(volume.chances, 1)[0]]
        place = place + torch.cat([torch.zeros(1, dtype=torch.int64), _jitter()])
    else:
        place = volume.tissue[torch.randint(len(volume.tissue), ())]
    healed, stripped = (torch.rand(2) < torch.tensor([HEALED, STRIPPED])).tolist()
    inputs, labels = volume.inputs[2 * healed + stripped], volume.labels[int(healed)]
    number, *middle = place.tolist()
    middle = [min(max(v, 0), n) for v, n in zip(middle, labels.shape[1:], strict=True)]
    cuts = inputs[number], labels[number], volume.room[number]
    image, label, room = (_around(cut, *middle) for cut in cuts)
    return image, label, room


def _around(image: Tensor, row: int, col: int) -> Tensor:
    """(..., 192, 192) around a place of (..., rows, cols); what lies outside of it is 0."""
    half, (rows, cols) = DRAWN // 2, image.shape[-2:]
    found = image[..., max(row - half, 0) : row + half, max(col - half, 0) : col + half]
    missing = [half - col, col + half - cols, half - row, row + half - rows]
    return functional.pad(found, [max(0, n) for n in missing])


def _jitter() -> Tensor:
    """By which a crop's middle is off its lesion."""
    return torch.randint(-JITTER, JITTER + 1, (2,))


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
    start: str = "",
) -> Unet:
    """Train a network; goes on where a killed run stopped.

    Args:
        volumes: to learn from.
        schedule: how long.
        batch: crops a step.
        checkpoint: written now and then, read if it exists.
        report: called as often.
        start: fold folder of an earlier run, whose weights are the first; empty: random ones.
    """
    torch.manual_seed(schedule.seed)
    model = Unet()
    if start:
        model.load_state_dict(checkpoints.averaged(Path(start) / CHECKPOINT))
    model = model.to(memory_format=torch.channels_last).to(device())
    taught = run(model, _step(pool(volumes), batch), schedule, checkpoint, report)
    assert isinstance(taught, Unet)  # noqa: S101 - it is the model's average
    return taught.cpu()


def _step(data: Pool, batch: int) -> Callable[[nn.Module, int], Tensor]:
    """The loss of one step."""

    def of(model: nn.Module, _: int) -> Tensor:
        images, labels = draw(data, batch)
        images = images.to(device(), memory_format=torch.channels_last)
        with mixed(images.device):
            logits = model(images)
        return loss(logits.float(), labels.to(device()))

    return of


assert len(WEIGHTS) == len(CLASSES)  # noqa: S101 - one each
