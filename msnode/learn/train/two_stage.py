"""The hybrid in two stages (Algorithm 1): branches first, then the LSTM on cached features."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from msnode.classify import build
from msnode.classify.hybrid import Hybrid
from msnode.classify.single_branch import SingleBranch
from msnode.errors import ConfigError
from msnode.learn.data import tensor_file
from msnode.learn.train import end_to_end, fusion
from msnode.learn.train.end_to_end import Progress, Task
from msnode.learn.train.loop import device
from msnode.learn.train.recipe import Plan


def fit(task: Task, plan: Plan, folder: Path, progress: Progress) -> Hybrid:
    """Train InceptionV3 and DenseNet121 each with a top of its own, then the fusion.

    Args:
        task: what to learn.
        plan: ``architecture`` must be ``hybrid``.
        folder: gets a folder for each half, and ``features.safetensors``.
        progress: told after every epoch.

    Raises:
        ConfigError: another architecture.
    """
    if plan.architecture != "hybrid":
        raise ConfigError(f"two_stage is for hybrid, not {plan.architecture}; set it to false")
    torch.manual_seed(plan.seed)
    model = cast(Hybrid, build("hybrid", plan.arguments))
    for half in ("inception", "densenet"):
        own = replace(plan, architecture=half, arguments={}, two_stage=False)
        (folder / half).mkdir(exist_ok=True)
        trained = cast(SingleBranch, end_to_end.fit(task, own, folder / half, progress))
        getattr(model, half).load_state_dict(trained.branch.state_dict())
    features = _cached(
        model.to(device()).eval(), task, plan, folder / "features.safetensors", progress
    )
    fusion.train_fusion(model, features, plan.fusion_steps, plan.mixup, plan.seed)
    return model.eval()


def _cached(
    model: Hybrid, task: Task, plan: Plan, file: Path, progress: Progress
) -> fusion.Features:
    """Features of augmented training images, from the file if an earlier run wrote it."""
    if not file.exists():
        parts = []
        for start in range(0, plan.examples, plan.batch):
            torch.manual_seed(plan.seed * 1_000_003 + start)
            rows = np.random.default_rng((plan.seed, start)).choice(task.train, plan.batch)
            pixels = _plain(task, torch.from_numpy(rows), plan)
            parts.append((fusion.extract(model, pixels), torch.from_numpy(task.labels[rows])))
            progress("features", min(start + plan.batch, plan.examples), plan.examples)
        sequences, labels = (torch.cat(part) for part in zip(*parts, strict=True))
        tensor_file.write(file, {"sequences": sequences, "labels": labels.float()})
    stored = load_file(file)
    unknown = torch.full(stored["sequences"].shape[:2], torch.nan)
    return fusion.Features(stored["sequences"], stored["labels"], unknown)


def _plain(task: Task, rows: Tensor, plan: Plan) -> Tensor:
    """(n, 1, rows, cols) augmented grey images."""
    pixels, _ = end_to_end.changed(task, rows, 1, plan)
    return pixels
