"""The shipped bundle's training: extractors taught by lesion masks on composed slices.

Nothing but lesions separates the two classes here (see ``synth.composition``), so neither position
nor scanner helps. Both halves learn where lesions are; the LSTM then learns from their features,
recombined location by location (see ``fusion``).
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from msnode.classify import build
from msnode.classify.hybrid import Hybrid
from msnode.classify.single_branch import SingleBranch
from msnode.errors import ConfigError
from msnode.learn.data import tensor_file
from msnode.learn.synth import composition
from msnode.learn.synth.augment import Augment
from msnode.learn.train import checkpoints, fusion
from msnode.learn.train.end_to_end import Progress, Task
from msnode.learn.train.lesion_heads import LesionSupervised, label_loss, location_loss, taught
from msnode.learn.train.loop import Schedule, device, mixed, run
from msnode.learn.train.recipe import Plan

CROPS = {"inception": 144, "densenet": 128}
"""Rows and columns of the crops that most steps see: a third of the work of whole slices."""
WHOLE = 0.85
"""After this fraction of the steps whole slices are shown, half as many per step."""
EVERY = 50
"""Steps between checkpoints; each is 400 MB."""
MILD = Augment(rotation_deg=12, scale=0.12)
"""For the cached features; with the plan's parts of filled and moved lesions."""


def fit(task: Task, plan: Plan, folder: Path, progress: Progress) -> Hybrid | SingleBranch:
    """Train on lesion masks in two stages; goes on where a killed run stopped.

    Args:
        task: slices with lesion masks.
        plan: ``architecture`` is ``hybrid`` or one of its halves; each half gets all the epochs.
        folder: gets the halves' checkpoints and ``features.safetensors``.
        progress: told after every epoch.

    Raises:
        ConfigError: another architecture, or slices without masks.
    """
    if plan.architecture not in ("hybrid", *CROPS) or not task.masked[task.train].all():
        raise ConfigError(
            "teaching by lesions needs a mask in every row, and architecture hybrid, inception or"
            " densenet"
        )
    torch.manual_seed(plan.seed)
    model = cast(Hybrid | SingleBranch, build(plan.architecture, plan.arguments))
    pool = _pool(task, plan)
    for half, branch in _branches(model, plan).items():
        trained = _extractor(half, pool, plan, folder / f"{half}.safetensors", progress)
        branch.load_state_dict(trained.branch.state_dict())
    model.eval().to(memory_format=torch.channels_last).to(device())
    features = _features(model, pool, plan, folder / "features.safetensors")
    fusion.train_fusion(model, features, plan.fusion_steps, plan.mixup, plan.seed)
    return model.eval()


def _branches(model: Hybrid | SingleBranch, plan: Plan) -> dict[str, nn.Module]:
    """The extractors to be trained."""
    if isinstance(model, Hybrid):
        return {"inception": model.inception, "densenet": model.densenet}
    return {plan.architecture: model.branch}


def _pool(task: Task, plan: Plan) -> composition.SlicePool:
    """The training slices with their edits."""
    pixels = task.pixels[torch.from_numpy(task.train)].float().numpy()
    lesions = task.lesions[torch.from_numpy(task.train)].numpy()
    return composition.make(pixels, lesions, np.random.default_rng(plan.seed)).to(device())


def _extractor(
    half: str, pool: composition.SlicePool, plan: Plan, checkpoint: Path, progress: Progress
) -> LesionSupervised:
    """Train one branch to locate lesions."""
    per_epoch = max(1, -(-len(pool) // plan.batch))
    steps = plan.epochs * per_epoch
    torch.manual_seed(plan.seed)
    model = taught(half)
    if plan.start:
        model.load_state_dict(checkpoints.averaged(Path(plan.start) / f"{half}.safetensors"))
    model.to(memory_format=torch.channels_last).to(device())
    schedule = Schedule(steps, plan.lr, plan.weight_decay, seed=plan.seed, every=EVERY)

    def report(step: int, _: float, __: nn.Module) -> bool:
        progress(f"teaching {half}", step, steps)
        return False

    loss = _loss(pool, plan, steps, CROPS[half])
    return cast(LesionSupervised, run(model, loss, schedule, checkpoint, report))


def _loss(
    pool: composition.SlicePool, plan: Plan, steps: int, crop: int
) -> Callable[[nn.Module, int], Tensor]:
    """Location loss of one step: crops first, whole slices at the end."""

    def loss(model: nn.Module, step: int) -> Tensor:
        whole = step >= WHOLE * steps
        rows = torch.randint(0, len(pool), (max(2, plan.batch // 2) if whole else plan.batch,))
        ranges = Augment(crop=0 if whole else crop, filled=plan.pseudo_controls, moved=plan.moved)
        images, masks = composition.compose(pool, rows, ranges)
        inputs, grids = fusion.as_input(images), cast(LesionSupervised, model).grids
        with mixed(inputs.device):
            maps = model(inputs)
        if not plan.locations:
            return label_loss(maps, masks)
        return plan.locations * location_loss(maps, masks, grids)

    return loss


def _features(
    model: Hybrid | SingleBranch, pool: composition.SlicePool, plan: Plan, file: Path
) -> fusion.Features:
    """Features of composed slices, from the file if an earlier run wrote it."""
    if not file.exists():
        ranges = replace(MILD, filled=plan.pseudo_controls, moved=plan.moved)
        made = fusion.joined(fusion.cache(model, pool, plan.examples, ranges, plan.seed))
        parts = {"sequences": made.sequences, "labels": made.labels, "cells": made.cells}
        tensor_file.write(file, parts)
    return fusion.Features(**load_file(file))
