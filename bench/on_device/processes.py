"""Two processes on one device: each classifies as the node does, for the same seconds."""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

import torch

from bench.on_device.networks import classifier, classifier_bundle, settings
from msnode.classify.device import Compute

START_S = 300.0
"""Until all have loaded and warmed up, at most."""


@dataclass(frozen=True, slots=True)
class Task:
    """What each process does.

    Attributes:
        folder: of the classifier's bundle.
        device: that computes.
        batch: slices at once, from the host and back.
        lasts_s: for so long.
        threads: of a CPU.
    """

    folder: Path
    device: torch.device
    batch: int
    lasts_s: float
    threads: int


_together: list[Barrier] = []
"""In a process: where it waits for the others."""


def _begin(start: Barrier) -> None:
    """A process has started."""
    _together.append(start)


def slices_s(count: int, folder: Path, device: torch.device, batch: int, lasts_s: float) -> float:
    """Slices a second of so many processes, together.

    A CPU's cores are divided among them.
    """
    spawn = multiprocessing.get_context("spawn")  # a fork cannot use CUDA
    task = Task(folder, device, batch, lasts_s, max(1, (os.cpu_count() or 1) // count))
    start = (spawn.Barrier(count),)
    with ProcessPoolExecutor(count, spawn, _begin, start) as pool:
        return sum(pool.map(_classify, [task] * count))


def _classify(task: Task) -> float:
    """Slices a second of this process."""
    try:
        bundle = classifier_bundle(task.folder)
        images = classifier(bundle).images(task.batch)
        compute = Compute(bundle, settings(task.device, task.batch, task.threads))
        compute.warm_up()
        compute(images)
    except BaseException:
        _together[0].abort()  # the others need not wait
        raise
    _together[0].wait(START_S)
    began, done = time.perf_counter(), 0
    while (taken := time.perf_counter() - began) < task.lasts_s:
        compute(images)
        done += task.batch
    compute.close()
    return done / taken
