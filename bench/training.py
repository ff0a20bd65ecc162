"""Training throughput of the hybrid's halves, beside a plain PyTorch loop in the same run.

Prints slices a second: the plain loop (whole slices, default memory format, float32, memory as the
C library has it), ours (channels_last, crops while the location loss teaches, bfloat16 where the
device computes it natively, freed memory kept), and a step of the fusion on cached features. Needs
no data: the images are noise. ``bench.gpu`` has the same for a GPU.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from bench.on_device.timing import seconds
from msnode.classify.hybrid import Hybrid
from msnode.learn.evaluate.markdown import header, row
from msnode.learn.train import fusion as fusion_stage
from msnode.learn.train import heap, lesion_heads
from msnode.learn.train.lesion_supervised import CROPS
from msnode.learn.train.loop import mixed

BATCH = 16
WHOLE = 224
"""Rows and columns of a slice."""
CPU = torch.device("cpu")

Step = Callable[[], Tensor]
"""Gives the loss."""


def throughput(step: Step, repeats: int, batch: int = BATCH, device: torch.device = CPU) -> float:
    """Slices a second of a training step, forward and backward; the median of the repeats."""

    def both() -> None:
        step().backward()  # type: ignore[no-untyped-call]

    return batch / statistics.median(seconds(both, device, repeats))


def half(name: str, size: int, last: bool, batch: int = BATCH, device: torch.device = CPU) -> Step:
    """A location-taught step on slices of ``size`` pixels."""
    taught = lesion_heads.taught(name).train().to(device)
    grids = taught.grids
    model: nn.Module = taught
    images = torch.rand(batch, 3, size, size, device=device)
    if last:
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    masks = torch.zeros(batch, 1, size, size, device=device)

    def step() -> Tensor:
        with mixed(device) if last else nullcontext():
            maps = model(images)
        return lesion_heads.location_loss(maps, masks, grids)

    return step


def fusion() -> Step:
    """A step on cached features."""
    model = Hybrid().fusion.train()
    cells = torch.zeros(BATCH, 74)
    features = fusion_stage.Features(torch.rand(BATCH, 74, 512).half(), torch.zeros(BATCH), cells)

    def step() -> Tensor:
        sequences, _ = fusion_stage.recombined(features, torch.arange(BATCH))
        return nn.functional.cross_entropy(model(sequences), torch.zeros(BATCH, dtype=torch.long))

    return step


def compared(
    repeats: int, batch: int = BATCH, device: torch.device = CPU
) -> Iterator[tuple[str, float, float]]:
    """Each extractor's name, and slices a second of the plain loop and of ours."""

    def rate(name: str, size: int, last: bool) -> float:
        return throughput(half(name, size, last, batch, device), repeats, batch, device)

    plain = {name: rate(name, WHOLE, last=False) for name in CROPS}
    heap.keep_freed()  # for good
    for name, crop in CROPS.items():
        yield name, plain[name], rate(name, crop, last=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print("\n".join(header(("step", "plain loop, slices/s", "ours, slices/s", "times"))))
    for name, plain, ours in compared(arguments.repeats):
        print(row((name, f"{plain:.1f}", f"{ours:.1f}", f"{ours / plain:.1f}")))
    print(row(("fusion on cached features", "", f"{throughput(fusion(), 20):.0f}", "")))


if __name__ == "__main__":
    main()
