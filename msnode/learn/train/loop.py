"""The training loop, seeded at every step: a resumed run equals an uninterrupted one."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from msnode.classify.device import bfloat16_pays
from msnode.learn.train import checkpoints, heap, training_log


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast a stage learns."""

    steps: int
    """Optimizer steps."""
    lr: float
    """Highest learning rate; warmed up over 5 % of the steps, then a cosine down to 1 %."""
    weight_decay: float = 0.02
    """Of AdamW."""
    average: float = 0.995
    """Decay of the weights' moving average, which is what is kept at the end."""
    seed: int = 0
    """Makes the run repeatable."""
    every: int = 100
    """Steps between checkpoints and reports."""


def device() -> torch.device:
    """The first GPU, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def mixed(where: torch.device) -> torch.autocast:
    """Products in bfloat16 where that is faster; elsewhere nothing changes."""
    return torch.autocast(where.type, torch.bfloat16, enabled=bfloat16_pays(where))


Report = Callable[[int, float, nn.Module], bool]
"""Called with the step, the mean loss since the last call and the averaged model; True stops."""


def run(
    model: nn.Module,
    loss: Callable[[nn.Module, int], Tensor],
    schedule: Schedule,
    checkpoint: Path | None = None,
    report: Report | None = None,
) -> nn.Module:
    """Train, or go on where a killed run left its checkpoint.

    Args:
        model: trained in place.
        loss: (model, step) to a scalar; draws its batch from torch's global generator.
        schedule: how long.
        checkpoint: written every ``schedule.every`` steps and read if it exists.
        report: called as often; True stops early.

    Returns:
        The moving average of the model, in evaluation mode.
    """
    heap.keep_freed()
    average = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=schedule.lr, weight_decay=schedule.weight_decay
    )
    pair = {"model": model, "average": average}
    done = 0
    if checkpoint is not None and checkpoint.exists():
        done, _ = checkpoints.load(checkpoint, pair, optimizer)
    total, since = 0.0, done
    for step in range(done, schedule.steps):
        total += _step(model, average, loss, optimizer, schedule, step)
        if (step + 1) % schedule.every and step + 1 < schedule.steps:
            continue
        mean = total / (step + 1 - since)
        enough = report is not None and report(step + 1, mean, average.eval())
        if checkpoint is not None:
            told = {"loss": mean, "learning_rate": schedule.lr * rate(step, schedule.steps)}
            training_log.record(checkpoint.with_suffix(""), step + 1, told)
        if checkpoint is not None:  # last, so that a kill repeats the report and loses nothing
            checkpoints.save(checkpoint, pair, optimizer, step + 1)
        if enough:
            break
        total, since = 0.0, step + 1
    return average.eval()


def _step(
    model: nn.Module,
    average: nn.Module,
    loss: Callable[[nn.Module, int], Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    step: int,
) -> float:
    """One optimizer step; returns the loss."""
    torch.manual_seed(schedule.seed * 1_000_003 + step)
    for group in optimizer.param_groups:
        group["lr"] = schedule.lr * rate(step, schedule.steps)
    value = loss(model.train(), step)
    optimizer.zero_grad(set_to_none=True)
    value.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    _blend(average, model, min(schedule.average, (1 + step) / (10 + step)))
    return float(value.detach())


def rate(step: int, steps: int) -> float:
    """Learning rate of a step relative to the highest: linear warm-up, then a cosine."""
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


@torch.no_grad()
def _blend(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights and batch-norm statistics towards the model's."""
    old, new = average.state_dict(), model.state_dict()
    for name, value in old.items():
        if value.is_floating_point():
            value.lerp_(new[name], 1 - decay)
        else:
            value.copy_(new[name])
