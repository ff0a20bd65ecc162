"""Training throughput of the hybrid's halves, beside a plain PyTorch loop in the same run.

Prints slices a second: the plain loop (whole slices, default memory format, float32, memory as the
C library has it), ours (channels_last, crops while the location loss teaches, bfloat16 where the
CPU computes it natively, freed memory kept), and a step of the fusion on cached features. Needs no
data: the images are noise.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from msnode.classify.hybrid import Hybrid
from msnode.learn.train import fusion as fusion_stage
from msnode.learn.train import heap, lesion_heads
from msnode.learn.train.lesion_supervised import CROPS
from msnode.learn.train.loop import mixed

BATCH = 16


def throughput(step: Callable[[], Tensor], repeats: int) -> float:
    """Slices a second of a training step, the first one not counted."""
    step().backward()  # type: ignore[no-untyped-call]
    start = time.perf_counter()
    for _ in range(repeats):
        step().backward()  # type: ignore[no-untyped-call]
    return repeats * BATCH / (time.perf_counter() - start)


def half(name: str, size: int, last: bool) -> Callable[[], Tensor]:
    """A location-taught step on slices of ``size`` pixels."""
    model: nn.Module = lesion_heads.taught(name).train()
    images = torch.rand(BATCH, 3, size, size)
    if last:
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    masks = torch.zeros(BATCH, 1, size, size)
    grids = lesion_heads.taught(name).grids

    def step() -> Tensor:
        with mixed(images.device) if last else nullcontext():
            maps = model(images)
        return lesion_heads.location_loss(maps, masks, grids)

    return step


def fusion() -> Callable[[], Tensor]:
    """A step on cached features."""
    model = Hybrid().fusion.train()
    cells = torch.zeros(BATCH, 74)
    features = fusion_stage.Features(torch.rand(BATCH, 74, 512).half(), torch.zeros(BATCH), cells)

    def step() -> Tensor:
        sequences, _ = fusion_stage.recombined(features, torch.arange(BATCH))
        return nn.functional.cross_entropy(model(sequences), torch.zeros(BATCH, dtype=torch.long))

    return step


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table = Table("step", "plain loop, slices/s", "ours, slices/s", "times")
    plain = {n: throughput(half(n, 224, last=False), arguments.repeats) for n in CROPS}
    heap.keep_freed()  # for good
    for name, crop in CROPS.items():
        ours = throughput(half(name, crop, last=True), arguments.repeats)
        table.add_row(name, f"{plain[name]:.1f}", f"{ours:.1f}", f"{ours / plain[name]:.1f}")
    table.add_row("fusion on cached features", "", f"{throughput(fusion(), 20):.0f}", "")
    Console().print(table)


if __name__ == "__main__":
    main()
