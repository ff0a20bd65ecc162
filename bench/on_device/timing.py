"""Seconds of a call on any device, and the switches of cuDNN that change them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

MOST_CALLS = 1000
"""In one measurement."""


def finish(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(
    call: Callable[[], Any], device: torch.device, repeats: int, least_s: float = 0.1
) -> list[float]:
    """Seconds of a call, measured so many times.

    Args:
        call: gives a device work; need not wait for it.
        device: that does it.
        repeats: measurements.
        least_s: of a measurement; short calls are repeated in it without waiting. 0: each call is
            waited for, which gives its latency.
    """

    def timed(count: int) -> float:
        finish(device)
        began = time.perf_counter()
        for _ in range(count):
            call()
        finish(device)
        return (time.perf_counter() - began) / count

    timed(1)  # what only a first call does
    count = min(MOST_CALLS, max(1, round(least_s / timed(1))))
    return [timed(count) for _ in range(repeats)]


@contextmanager
def cudnn(benchmark: bool, tf32: bool) -> Iterator[None]:
    """Let cuDNN try its ways of convolving, and round float32 for tensor cores, or not."""
    switches = torch.backends.cudnn
    before = switches.benchmark, switches.allow_tf32
    switches.benchmark, switches.allow_tf32 = benchmark, tf32
    try:
        yield
    finally:
        switches.benchmark, switches.allow_tf32 = before
