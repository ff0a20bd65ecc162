"""Algorithm 1 on backbones that stay as they were pretrained.

Their last maps are cached once for all folds of a run, so that a leave-one-patient-out takes
minutes on a CPU: each fold trains the dense layers and the LSTM on the maps of its own persons.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from msnode.classify import build
from msnode.classify.hybrid import Hybrid
from msnode.errors import ConfigError
from msnode.learn.data import tensor_file
from msnode.learn.synth.augment import mixup
from msnode.learn.train import end_to_end
from msnode.learn.train.end_to_end import Progress, Task
from msnode.learn.train.loop import Schedule, device, run
from msnode.learn.train.recipe import Plan

EVERY = 50
"""Steps between checkpoints."""
SHAPES = (2048, 5, 5), (1024, 7, 7)
"""Of the two backbones' last maps; in the cache they are flattened and concatenated."""


class Top(nn.Module):
    """The hybrid without its backbones; it shares the hybrid's other parts."""

    def __init__(self, model: Hybrid) -> None:
        super().__init__()
        self.inception, self.densenet = model.inception.dense, model.densenet.dense
        self.fusion = model.fusion

    def forward(self, maps: Tensor) -> Tensor:
        """(n, 101376) cached maps to logits (n, 2)."""
        parts = torch.split(maps, [math.prod(shape) for shape in SHAPES], 1)
        both = zip((self.inception, self.densenet), parts, SHAPES, strict=True)
        dense = [head(part.reshape(-1, *shape)).flatten(2) for head, part, shape in both]
        logits: Tensor = self.fusion(torch.cat(dense, 2).transpose(1, 2))
        return logits


def fit(task: Task, plan: Plan, folder: Path, progress: Progress) -> Hybrid:
    """Train the layers above the backbones.

    Args:
        task: what to learn.
        plan: ``weights`` names the backbones' weights.
        folder: of the fold; the maps lie in the folder above, for all folds.
        progress: told of the maps and of every ``EVERY`` steps.

    Raises:
        ConfigError: another architecture, or no weights for both backbones.
    """
    if plan.architecture != "hybrid" or not plan.weights:
        raise ConfigError("frozen is for the hybrid, with weights of both backbones; name them")
    torch.manual_seed(plan.seed)
    model = cast(Hybrid, build("hybrid", plan.arguments))
    if end_to_end.pretrain(model, plan.weights) != len(SHAPES):
        raise ConfigError(f"weights: {plan.weights} fits one backbone only; frozen needs both")
    model = model.to(device()).eval()
    maps = _cached(model, task, plan, folder.parent / "maps.safetensors", progress)
    schedule = Schedule(plan.fusion_steps, 1e-3, 0.05, average=0.98, seed=plan.seed, every=EVERY)

    def report(step: int, _: float, __: nn.Module) -> bool:
        progress("training", step, plan.fusion_steps)
        return False

    top = run(Top(model), _loss(task, plan, maps), schedule, folder / "top.safetensors", report)
    Top(model).load_state_dict(top.state_dict())
    return model.eval()


def _cached(model: Hybrid, task: Task, plan: Plan, file: Path, progress: Progress) -> Tensor:
    """(variants, n, 101376) float16 maps of every image, as it is and augmented."""
    if not file.exists():
        variants = max(1, plan.examples // len(task.pixels))
        made = []
        for number in range(variants):
            made.append(_maps(model, task, plan, number))
            progress("maps", number + 1, variants)
        stacked = torch.stack(made)
        if not stacked.isfinite().all():
            raise ConfigError(
                f"weights: with {plan.weights} the backbones' maps go beyond float16; that is what"
                " weights do that were never trained"
            )
        tensor_file.write(file, {"maps": stacked})
    stored = load_file(file)["maps"]
    if stored.shape[1] != len(task.pixels):
        raise ConfigError(f"{file}: holds the maps of other images; delete it")
    return stored


@torch.inference_mode()
def _maps(model: Hybrid, task: Task, plan: Plan, number: int) -> Tensor:
    """(n, 101376) float16 of one variant of all images; variant 0 is the images themselves."""
    parts = []
    for rows in torch.split(torch.arange(len(task.pixels)), plan.batch):
        torch.manual_seed(plan.seed * 1_000_003 + number * len(task.pixels) + int(rows[0]))
        pixels = end_to_end.images(task, rows, 3)
        if number:
            pixels, _ = end_to_end.changed(task, rows, 3, plan)
        maps = model.maps(pixels.contiguous(memory_format=torch.channels_last))
        parts.append(torch.cat([m.flatten(1).half().cpu() for m in maps], 1))
    return torch.cat(parts)


def _loss(task: Task, plan: Plan, maps: Tensor) -> Callable[[nn.Module, int], Tensor]:
    """Cross-entropy of a random batch of the fold's own persons, of any variant."""

    def loss(top: nn.Module, step: int) -> Tensor:
        rng = np.random.default_rng((plan.seed, step))
        rows = torch.from_numpy(rng.choice(task.train, plan.batch))
        variants = torch.from_numpy(rng.integers(len(maps), size=plan.batch))
        inputs = maps[variants, rows].to(device()).float()
        targets = functional.one_hot(torch.from_numpy(task.labels)[rows], 2).to(inputs)
        inputs, targets = mixup(inputs, targets, plan.mixup)
        return functional.cross_entropy(top(inputs), targets)

    return loss
