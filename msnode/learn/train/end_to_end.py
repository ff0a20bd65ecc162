"""Train one network on prepared images: end to end, or in the two stages of Algorithm 1."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from msnode.classify import Classifier, build
from msnode.errors import ConfigError
from msnode.learn.data import tensor_file
from msnode.learn.synth.augment import Augment, affine, appearance, mixup, warp
from msnode.learn.train import loop, training_log
from msnode.learn.train.lesion_heads import cells
from msnode.learn.train.loop import Schedule, mixed, run
from msnode.learn.train.recipe import Plan
from msnode.records.images import Float64Array

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done, and steps in all."""
GENTLE = Augment(bias=0.1, noise=0.01, blur=0.0, saturate=0.0, gamma=0.2, detail=0.0)
"""The ranges used here; the shipped bundle's slices are varied more."""


@dataclass(frozen=True, slots=True)
class Task:
    """Images and what is to be learned from them.

    Attributes:
        pixels: (n, rows, cols) or (n, 3, rows, cols) float16.
        labels: (n,) 0 or 1.
        lesions: (n, rows, cols) bool.
        masked: (n,) bool, where ``lesions`` is known.
        train: rows to learn from.
        validation: rows for early stopping.
    """

    pixels: Tensor
    labels: NDArray[np.int64]
    lesions: Tensor
    masked: NDArray[np.bool_]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]


def images(task: Task, rows: Tensor, channels: int) -> Tensor:
    """(n, channels, rows, cols) float32 of some rows, on the device."""
    pixels = task.pixels[rows].to(loop.device()).float()
    if pixels.ndim == 4:
        return pixels if channels == 3 else pixels.mean(1, keepdim=True)
    return pixels[:, None].expand(-1, channels, -1, -1).contiguous()


def fit(task: Task, plan: Plan, folder: Path, progress: Progress) -> Classifier:
    """Train ``plan.architecture`` end to end; goes on where a killed run stopped.

    Args:
        task: what to learn.
        plan: how.
        folder: gets ``checkpoint.safetensors``, ``best.safetensors`` and ``history.csv``.
        progress: told after every epoch.

    Returns:
        The network of the epoch with the lowest validation loss, in evaluation mode.
    """
    _both_classes(task)
    torch.manual_seed(plan.seed)
    model = build(plan.architecture, plan.arguments).to(loop.device())
    if plan.weights:
        pretrain(model, plan.weights)
    per_epoch = max(1, -(-len(task.train) // plan.batch))
    schedule = Schedule(
        plan.epochs * per_epoch,
        plan.lr,
        plan.weight_decay,
        average=0.98,
        seed=plan.seed,
        every=per_epoch,
    )
    watch = _Watch(task, plan, folder, per_epoch, progress)
    if not watch.satisfied():
        run(model, _loss(task, plan, per_epoch), schedule, folder / "checkpoint.safetensors", watch)
    model.load_state_dict(load_file(folder / "best.safetensors"))
    return model.eval()


def _both_classes(task: Task) -> None:
    """Refuse images that are all of one class."""
    for name, rows in (("training", task.train), ("validation", task.validation)):
        if len(rows) and len(np.unique(task.labels[rows])) < 2:
            raise ConfigError(
                f"the {name} images are all of one class; add persons of the other, or check"
                " the label column and the positive class"
            )


def _loss(task: Task, plan: Plan, per_epoch: int) -> Callable[[nn.Module, int], Tensor]:
    """The loss of one step: class probabilities, and lesion locations where masks are known."""

    def loss(model: nn.Module, step: int) -> Tensor:
        if not isinstance(model, Classifier):
            raise TypeError("fit trains classifiers")
        rows = _batch(task.train, plan, step, per_epoch)
        pixels, masks = changed(task, rows, model.contract.channels, plan)
        targets = functional.one_hot(torch.from_numpy(task.labels[rows.numpy()]), 2)
        targets = targets.to(pixels).float()
        if plan.mixup > 0:
            pixels, targets = mixup(pixels, targets, plan.mixup)
        with mixed(pixels.device):
            logits, found = model.forward_with_locations(pixels)
        value = functional.cross_entropy(logits.float(), targets)
        known = torch.from_numpy(task.masked[rows.numpy()]).to(pixels.device)
        if plan.locations and plan.mixup == 0 and found and known.any():
            value = value + plan.locations * _location_loss(model, found, masks, known)
        return value

    return loss


def _location_loss(
    model: Classifier, found: tuple[Tensor, ...], masks: Tensor, known: Tensor
) -> Tensor:
    """Mean binary cross-entropy of the locations of images whose lesions are known."""
    losses = [
        functional.binary_cross_entropy_with_logits(
            logits[known].float(), cells(masks[known], grid, logits.shape[-1])
        )
        for logits, grid in zip(found, model.grids, strict=True)
    ]
    return torch.stack(losses).mean()


def _batch(train: NDArray[np.int64], plan: Plan, step: int, per_epoch: int) -> Tensor:
    """Rows of a step; every epoch goes through all of them in a new order."""
    epoch, position = divmod(step, per_epoch)
    order = np.random.default_rng((plan.seed, epoch)).permutation(train)
    rows = order[position * plan.batch : (position + 1) * plan.batch]
    missing = max(0, 2 - len(rows))  # batch norm needs two
    return torch.from_numpy(np.append(rows, order[:missing]))


def changed(task: Task, rows: Tensor, channels: int, plan: Plan) -> tuple[Tensor, Tensor]:
    """Augmented images and their masks."""
    pixels = images(task, rows, channels)
    masks = task.lesions[rows].to(pixels.device).float()[:, None]
    if not plan.augment:
        return pixels, masks
    size = pixels.shape[-1]
    both = warp(torch.cat([pixels, masks], 1), affine(len(rows), GENTLE, size, pixels.device), size)
    pixels, masks = both[:, :-1], both[:, -1:]
    if float(pixels.min()) >= 0:  # z-scored images keep their intensities
        pixels = _per_image(pixels)
    return pixels, masks


def _per_image(pixels: Tensor) -> Tensor:
    """Appearance changes; colour images get the brightness change of their mean."""
    grey = pixels.mean(1, keepdim=True)
    return (pixels + appearance(grey, GENTLE) - grey).clamp(0, 1)


@torch.inference_mode()
def predict(
    model: Classifier, task: Task, rows: NDArray[np.int64], batch: int = 32
) -> Float64Array:
    """(n,) difference of the two logits of some rows."""
    model.eval()
    parts = [
        model(images(task, part, model.contract.channels))
        for part in torch.split(torch.from_numpy(rows), batch)
    ]
    out = torch.cat(parts).double().cpu().numpy() if parts else np.zeros((0, 2))
    return np.asarray(out[:, 1] - out[:, 0], np.float64)


class _Watch:
    """After every epoch: validation loss, history, the best weights, early stopping."""

    def __init__(
        self, task: Task, plan: Plan, folder: Path, per_epoch: int, progress: Progress
    ) -> None:
        self.task, self.plan, self.folder = task, plan, folder
        self.per_epoch, self.progress = per_epoch, progress
        self.history = folder / "history.csv"

    def __call__(self, step: int, loss: float, model: nn.Module) -> bool:
        if not isinstance(model, Classifier):
            raise TypeError("fit trains classifiers")
        epoch = step // self.per_epoch
        value = self._validation(model) if len(self.task.validation) else loss
        past = [float(row["validation"]) for row in read_history(self.history)][: epoch - 1]
        if not past or value < min(past):
            tensor_file.write(self.folder / "best.safetensors", model.state_dict())
        _append(self.history, epoch, loss, value)
        training_log.record(self.folder / "validation", step, {"loss": value})
        self.progress("training", epoch, self.plan.epochs)
        return self.satisfied()

    def satisfied(self) -> bool:
        """Whether the loss has not fallen for as many epochs as the plan's patience."""
        losses = [float(row["validation"]) for row in read_history(self.history)]
        since = len(losses) - 1 - int(np.argmin(losses)) if losses else 0
        return bool(self.plan.patience and since >= self.plan.patience)

    def _validation(self, model: Classifier) -> float:
        """Mean cross-entropy on the validation rows."""
        logits = predict(model, self.task, self.task.validation)
        signs = 1 - 2 * self.task.labels[self.task.validation]
        return float(np.logaddexp(0, signs * logits).mean())


def read_history(file: Path) -> list[dict[str, str]]:
    """Rows of a history.csv; none where there is no file yet."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as source:
        return list(csv.DictReader(source))


def _append(file: Path, epoch: int, loss: float, value: float) -> None:
    """Add an epoch, or replace it and what came after when a run resumed before it."""
    rows = [row for row in read_history(file) if int(row["epoch"]) < epoch]
    rows.append({"epoch": str(epoch), "training": repr(loss), "validation": repr(value)})
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ["epoch", "training", "validation"])
        writer.writeheader()
        writer.writerows(rows)


def pretrain(model: nn.Module, weights: str) -> int:
    """Load backbones' pretrained weights by torchvision's names; the top is left untrained.

    Args:
        model: with backbones that keep torchvision's names.
        weights: torchvision state dictionaries, saved as safetensors; commas between the files.

    Returns:
        The number of backbones that were loaded.

    Raises:
        ConfigError: a file cannot be read, or they fit no part of the model.
    """
    state: dict[str, Tensor] = {}
    for file in weights.split(","):
        try:
            state |= {k.removeprefix("features."): v for k, v in load_file(file.strip()).items()}
        except (OSError, ValueError, SafetensorError) as error:
            raise ConfigError(f"weights: {file} is no safetensors file: {error}") from error
    backbones = [m for m in model.modules() if isinstance(m, nn.Sequential) and _fits(m, state)]
    for backbone in backbones:
        backbone.load_state_dict(state, strict=False)
    if not backbones:
        raise ConfigError(f"weights: {weights} fits no backbone of this architecture")
    return len(backbones)


def _fits(backbone: nn.Sequential, state: dict[str, Tensor]) -> bool:
    """Whether every weight of a backbone is there; old files lack batch norm's counters."""
    own = {k: v for k, v in backbone.state_dict().items() if not k.endswith("batches_tracked")}
    return bool(own) and all(k in state and state[k].shape == v.shape for k, v in own.items())
