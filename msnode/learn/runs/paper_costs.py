"""How long the papers' runs will take on this machine, before they begin."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import cast

import torch
from torch.nn import functional

from msnode.classify import build
from msnode.classify.hybrid import Hybrid
from msnode.learn.data.splits import Split
from msnode.learn.train import classical, fusion
from msnode.learn.train.loop import device
from msnode.learn.train.recipe import Plan

TRIED = 4
"""Images in the step that is timed."""
CLASSICAL_S = 0.02
"""For each image, of SVM or decision tree: its features."""


@lru_cache
def seconds(architecture: str) -> tuple[float, float]:
    """Seconds for one image: in a training step, and in a forward pass; measured, after one each.

    Args:
        architecture: a name of ``classify.architectures()``.
    """
    model = build(architecture).to(device())
    wanted = model.contract
    images = torch.rand(TRIED, wanted.channels, wanted.rows, wanted.cols, device=device())
    targets = torch.arange(TRIED, device=device()) % 2

    def taught() -> None:
        loss = functional.cross_entropy(model.train()(images), targets)
        loss.backward()  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def looked() -> None:
        model.eval()(images)

    return _timed(taught), _timed(looked)


def _timed(work: Callable[[], None]) -> float:
    """Seconds an image of the second of two calls."""
    work()
    begun = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - begun) / TRIED


def of_split(plan: Plan, split: Split) -> float:
    """Seconds that a split takes; early stopping may end it sooner.

    Args:
        plan: what is trained.
        split: its images.
    """
    taught, watched, tested = (len(part) for part in (split.train, split.validation, split.test))
    if plan.architecture in classical.KINDS:
        return CLASSICAL_S * (taught + watched + tested)
    _, look = seconds(plan.architecture)
    judged = look * (watched + tested)
    if plan.frozen:  # maps are cached once for all folds; the first fold waits for them
        return judged + look * plan.examples + _fusion(plan)
    if not plan.two_stage:
        return judged + _taught(plan.architecture, plan, taught, watched)
    halves = sum(_taught(half, plan, taught, watched) for half in ("inception", "densenet"))
    return judged + halves + look * plan.examples + _fusion(plan)


def _taught(architecture: str, plan: Plan, taught: int, watched: int) -> float:
    """Every epoch trains on some images and looks at others."""
    step, look = seconds(architecture)
    return plan.epochs * (step * taught + look * watched)


def _fusion(plan: Plan) -> float:
    """The LSTM and its dense layers."""
    return plan.fusion_steps * _fusion_step()


@lru_cache
def _fusion_step() -> float:
    """Seconds of one step on cached features."""
    top = cast(Hybrid, build("hybrid")).fusion.to(device()).train()
    sequences = torch.rand(fusion.BATCH, 74, 512, device=device())

    def step() -> None:
        top(sequences).sum().backward()

    return _timed(step) * TRIED
