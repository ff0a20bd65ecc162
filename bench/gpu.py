"""What one device does with both networks: Markdown tables for docs/performance.md, in one command.

    python -m bench.gpu [--device cuda|cpu] [--quick] [--parts rates,study] [--out FILE]

Agreement with float32 on the CPU, slices a second of several ways beside the device's measured
roofline, the latency of one study, a training step beside a plain PyTorch loop, and two processes
at once. Everything is drawn or random; without the bundles' weights random ones are used, and the
tables say so. Figures go to stdout, progress to stderr, raw numbers as JSON to ``--out``, after
each part, so that a run that is stopped loses one part only.

It runs from the source tree with Python 3.11 or newer, torch 2.11 or newer and its torchvision
(with pillow), numpy, scipy, safetensors, attrs, cattrs, pyyaml, prometheus-client, and cryptography
with cffi; nothing else of msnode's dependencies need be there. attrs, cattrs and prometheus-client
are pure Python. torch.compile needs Triton and a C compiler; a GPU's driver is told by nvidia-smi.
"""

import argparse
import itertools
import json
import statistics
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.on_device import study
from bench.on_device.machine import described
from bench.on_device.networks import (
    Network,
    classifier,
    classifier_bundle,
    lesion_network,
    outlining_bundle,
)
from bench.on_device.processes import slices_s
from bench.on_device.rate_table import UNITS, best, ceiling_table, needed, table
from bench.on_device.roofline import ceilings
from bench.on_device.ways import MSNODES, Rate, Trial, outputs, reference, ways
from bench.training import compared
from msnode.config import BUNDLE, LESIONS
from msnode.learn.evaluate.markdown import header, row


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        batches: slices at once.
        compiled_at: batch for which ways that compile do so; None: they are left out.
        checked: slices that are compared with the CPU.
        study: slices of a study.
        latencies: times that a study is done.
        training: batches of a training step.
        shared: slices at once of processes that share the device.
        shared_s: seconds for which they do.
    """

    batches: tuple[int, ...]
    compiled_at: int | None
    checked: int
    study: int
    latencies: int
    training: tuple[int, ...]
    shared: int
    shared_s: float


GPU = Sizes((1, 8, 32, 128, 512, 2048), 128, 32, 36, 50, (16, 128), 128, 10.0)
CPU = Sizes((1, 8), None, 8, 36, 3, (16,), 8, 10.0)
QUICK_GPU = replace(GPU, batches=(1, 32, 512), compiled_at=None, training=(16,), shared_s=3.0)
QUICK_CPU = Sizes((1, 4), None, 4, 8, 2, (4,), 4, 3.0)


@dataclass
class Run:
    """What is measured where, and what has come out.

    Attributes:
        device: that is measured.
        sizes: of everything.
        repeats: of each measurement.
        folders: of the classifier's and the lesion network's bundle.
        kept: raw numbers by part.
        out: where they go.
    """

    device: torch.device
    sizes: Sizes
    repeats: int
    folders: tuple[Path, Path]
    out: Path | None
    kept: dict[str, Any] = field(default_factory=dict)

    def networks(self) -> tuple[Network, Network]:
        """Both, on the CPU."""
        bundles = classifier_bundle(self.folders[0]), outlining_bundle(self.folders[1])
        return classifier(bundles[0]), lesion_network(bundles[1])

    def keep(self, part: str, numbers: Any) -> None:
        """Raw numbers of a part, at once on the disk."""
        self.kept[part] = numbers
        if self.out is not None:
            self.out.write_text(json.dumps(self.kept, indent=1) + "\n")


THREADS = torch.get_num_threads()
Lines = Iterator[str]


def tell(what: str) -> None:
    """Progress."""
    print(f"bench.gpu: {what}", file=sys.stderr, flush=True)


def show(lines: Iterable[str]) -> None:
    """Lines of Markdown as soon as they are known, with an empty one after them."""
    for line in lines:
        print(line, flush=True)
    print(flush=True)


def correctness(run: Run) -> Lines:
    """Differences from the CPU in float32."""
    names = ("network", "weights", "way", "largest difference of a probability", "decisions")
    yield from header(names)
    kept = []
    for network in run.networks():
        images = network.images(run.sizes.checked)
        tell(f"{network.name}: float32 on the CPU")
        wanted = reference(network, images)
        for way in (w for w in ways(run.device) if not w.special):
            found = outputs(network, way, images, run.device)
            difference = float(np.abs(found - wanted).max())
            said = network.agreement(wanted, found)
            yield row((network.name, network.weights, way.name, f"{difference:.1e}", said))
            kept.append([network.name, network.weights, way.name, difference, said])
    run.keep("correctness", kept)


def rates(run: Run) -> Lines:
    """The device's own rates, and slices a second by way and batch."""
    tell("the device's own rates")
    can = ceilings(run.device, run.repeats)
    networks = run.networks()
    found: list[list[Rate]] = [[] for _ in networks]
    for network, own in zip(networks, found, strict=True):
        for rate in _rates(run, network):
            own.append(rate)
            run.keep("rates", [asdict(one) for some in found for one in some])
    can = can.higher(ceilings(run.device, run.repeats))  # others may have used it the first time
    run.keep("ceilings", asdict(can))
    yield from ceiling_table(can)
    for network, own in zip(networks, found, strict=True):
        wanted = needed(network, run.sizes.batches)
        yield from ("", f"The {network.name} ({network.weights}), {UNITS}", "")
        yield from (*table(own, wanted, can), "", best(own, wanted, can))
    yield from ("", f"As the node runs them on a GPU: {MSNODES}.")
    if run.device.type == "cpu":
        yield "CUDA graphs, TF32 and torch.compile are measured on a GPU only, and were left out."


def _rates(run: Run, network: Network) -> Iterator[Rate]:
    tell(f"{network.name}: float32 on the CPU")
    wanted = reference(network, network.images(min(run.sizes.checked, max(run.sizes.batches))))
    at = run.sizes.compiled_at
    for way in ways(run.device):
        batches = run.sizes.batches if not way.compiled else () if at is None else (at,)
        for rate in Trial(network, way, wanted, run.device, run.repeats).rates(batches):
            said = rate.failure or f"{rate.slices_s:,.1f} slices/s"
            tell(f"{network.name}, {way.name}, {rate.batch} at once: {said}")
            yield rate


def latency(run: Run) -> Lines:
    """One study, from the host's memory and back."""
    count, times = run.sizes.study, run.sizes.latencies
    yield from header((f"one study of {count} slices", "median, ms", f"range of {times}"))
    parts = itertools.chain(
        study.classified(classifier_bundle(run.folders[0]), count, run.device, times),
        study.outlined(outlining_bundle(run.folders[1]), count, run.device, times),
    )
    kept = {}
    for name, taken in parts:
        tell(name)
        low, middle, high = (1000 * f(taken) for f in (min, statistics.median, max))
        yield row((name, f"{middle:,.2f}", f"{low:,.2f} to {high:,.2f}"))
        kept[name] = taken
    run.keep("study", kept)


def training(run: Run) -> Lines:
    """A step of each extractor beside a plain loop."""
    yield from header(("step", "batch", "plain loop, slices/s", "ours, slices/s", "times"))
    kept = []
    for batch in run.sizes.training:
        tell(f"training, batches of {batch}")
        for name, plain, ours in compared(run.repeats, batch, run.device):
            yield row((name, str(batch), f"{plain:,.1f}", f"{ours:,.1f}", f"{ours / plain:.1f}"))
            kept.append([name, batch, plain, ours])
    run.keep("training", kept)


def sharing(run: Run) -> Lines:
    """Two processes on the device beside one."""
    together = f"slices/s together, {run.sizes.shared} at once, from the host and back"
    yield from header(("processes", together, "times one"))
    found: list[float] = []
    for count in (1, 2):
        tell(f"{count} processes")
        found.append(
            slices_s(count, run.folders[0], run.device, run.sizes.shared, run.sizes.shared_s)
        )
        yield row((str(count), f"{found[-1]:,.1f}", f"{found[-1] / found[0]:.2f}"))
    run.keep("processes", found)


PARTS: dict[str, Callable[[Run], Lines]] = {
    "correctness": correctness,
    "rates": rates,
    "study": latency,
    "training": training,
    "processes": sharing,
}


def done(name: str, run: Run) -> bool:
    """Measure a part and print it; False where it failed, so that the others are measured."""
    torch.set_num_threads(THREADS)  # the part before may have taken fewer
    try:
        show(PARTS[name](run))
    except Exception:  # noqa: BLE001 - told, and the exit status says so
        traceback.print_exc()
        show(["", f"{name}: failed."])
        return False
    return True


def parts(text: str) -> Sequence[str]:
    """Names of parts, in the order in which they are measured."""
    wanted = text.split(",")
    if unknown := set(wanted) - set(PARTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}; use {', '.join(PARTS)}")
    return [name for name in PARTS if name in wanted]


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    there = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cuda", "cpu"), default=there)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--lesions", type=Path, default=LESIONS)
    parser.add_argument("--repeats", type=int, help="5; with --quick 2")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller measurements")
    parser.add_argument("--parts", type=parts, default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--out", type=Path, help="raw numbers as JSON")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    given = arguments()
    device = torch.device(given.device)
    gpu = device.type == "cuda"
    sizes = (QUICK_GPU if gpu else QUICK_CPU) if given.quick else (GPU if gpu else CPU)
    repeats = given.repeats or (2 if given.quick else 5)
    run = Run(device, sizes, repeats, (given.bundle, given.lesions), given.out)
    machine = described(device)
    run.keep("machine", machine)
    show([machine, "", f"Medians of {repeats}, classifier and lesion network on {device.type}."])
    failed = [name for name in given.parts if not done(name, run)]
    sys.exit(f"bench.gpu: failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
