"""Slices per second of the classifier beside plain eager float32 PyTorch, on the machine at hand.

Both score the same slices with the same weights and all cores, in turn and several times over; the
median counts. Plain PyTorch runs the model as it is, ``batch`` slices a call, without saliency;
msnode's Runner also draws the saliency of every slice.

    python bench/inference.py [--bundle models/hybrid] [--slices 32] [--repeats 5]
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from msnode.classify import Bundle, Manifest, Runner, load_bundle
from msnode.classify.decision import decision, slice_probabilities, study_probability
from msnode.classify.device import bfloat16_pays, phantom
from msnode.config import BUNDLE, Classify
from msnode.records.images import Float32Array, Slices, SourceFrame

Way = Callable[[], Float32Array]


def as_slices(pixels: Float32Array) -> Slices:
    """Slices of a scan with 1 mm pixels, 5 mm apart."""
    affines = np.stack([np.eye(4)] * len(pixels))
    affines[:, 2, 3] = 5.0 * np.arange(len(pixels))
    rows, cols = pixels.shape[-2:]
    frames = tuple(SourceFrame("", str(i), "", None, rows, cols, a) for i, a in enumerate(affines))
    return Slices(pixels, affines, frames, tuple(range(len(pixels))), 5.0, False, 0)


def machine() -> str:
    units = torch.backends.cpu.get_cpu_capability()
    pays = "bfloat16 pays" if bfloat16_pays(torch.device("cpu")) else "bfloat16 does not pay"
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {units}, {pays}; {gpu}; "
        f"torch {torch.__version__}"
    )


def eager(bundle: Bundle, images: Tensor, config: Classify) -> Way:
    """The model as PyTorch runs it."""
    model = bundle.model.to(config.device)

    @torch.inference_mode()
    def score() -> Float32Array:
        parts = [model(part.to(config.device)) for part in torch.split(images, config.batch)]
        logits = torch.cat(parts).cpu().numpy()
        return slice_probabilities(logits, bundle.manifest.calibration)

    return score


def race(ways: dict[str, Way], repeats: int) -> tuple[list[list[float]], list[Float32Array]]:
    """Run all ways in turn: seconds of every run, and the last results, by way."""
    seconds: list[list[float]] = [[] for _ in ways]
    results: list[Float32Array] = []
    for _ in range(repeats):
        results = []
        for way, taken in zip(ways.values(), seconds, strict=True):
            began = time.perf_counter()
            results.append(way())
            taken.append(time.perf_counter() - began)
    return seconds, results


DISTANCE_MM = 7.0
"""Between the slices, which are drawn; as of the scans that the bundle learned from."""


def same_decisions(first: Float32Array, second: Float32Array, m: Manifest) -> bool:
    """Whether every slice falls on the same side, and the study gets the same decision."""
    said = {
        decision(study_probability(p, m.rule, DISTANCE_MM), m.threshold, m.undetermined)
        for p in (first, second)
    }
    return len(said) == 1 and bool(((first >= 0.5) == (second >= 0.5)).all())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--slices", type=int, default=32)
    parser.add_argument("--batch", type=int, default=Classify().batch)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    given = parser.parse_args()

    config = Classify(given.bundle, device=given.device, batch=given.batch)
    bundle = load_bundle(given.bundle)
    manifest = bundle.manifest
    images = phantom(bundle.contract, given.slices)
    slices = as_slices(images.numpy())
    runner = Runner(bundle, config)
    began = time.perf_counter()
    runner.warm_up()
    print(machine())
    print(
        f"{manifest.architecture}, {given.slices} slices, batch {given.batch}, "
        f"{time.perf_counter() - began:.1f} s warm-up"
    )
    ways = {
        "plain eager float32": eager(load_bundle(given.bundle), images, config),
        "msnode Runner": lambda: runner.score(slices).probabilities,
    }
    race(ways, 1)
    seconds, (plain, fast) = race(ways, given.repeats)
    runner.close()
    for name, taken in zip(ways, seconds, strict=True):
        rate = [given.slices / s for s in taken]
        print(
            f"{name:<20}{statistics.median(rate):7.2f} slices/s"
            f"  (median of {len(rate)}, {min(rate):.2f} to {max(rate):.2f})"
        )
    ratio = statistics.median(a / b for a, b in zip(*seconds, strict=True))
    print(f"{'ratio':<20}{ratio:7.2f}  (median over the rounds)")
    print(f"largest difference of a slice's probability: {np.abs(plain - fast).max():.2g}")
    print(f"same decisions: {'yes' if same_decisions(plain, fast, manifest) else 'NO'}")


if __name__ == "__main__":
    main()
