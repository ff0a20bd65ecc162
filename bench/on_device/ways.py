"""Ways of running a network, and how many slices a second each does."""

import copy
import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bench.on_device.networks import Network
from bench.on_device.roofline import BFLOAT16, FLOAT32, TF32
from bench.on_device.timing import cudnn, finish, seconds
from msnode.classify.device import SHORT
from msnode.records.images import Float32Array

Scored = Callable[[Tensor], Tensor]
"""Images on the device to scores on the device."""
BEFORE_CAPTURE = 3
"""Calls on a stream of its own before a CUDA graph is captured, as torch asks for."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a network is run.

    Attributes:
        name: for tables.
        number: type in which it convolves.
        folded: with batch norms taken into the convolutions, channels last.
        last: channels last.
        benchmark: cuDNN tries its ways of convolving and keeps the fastest.
        compiled: by torch.compile.
        graph: replayed as a CUDA graph.
    """

    name: str
    number: str
    folded: bool = False
    last: bool = False
    benchmark: bool = False
    compiled: bool = False
    graph: bool = False

    @property
    def special(self) -> bool:
        """Whether it is something that only speed is asked of."""
        return self.benchmark or self.compiled or self.graph


EVERYWHERE = (
    Way("float32", FLOAT32),
    Way("float32, folded", FLOAT32, folded=True, last=True),
    Way("bfloat16", BFLOAT16),
    Way("bfloat16, channels_last", BFLOAT16, last=True),
    Way("bfloat16, folded", BFLOAT16, folded=True, last=True),
)
ON_GPU = (
    Way("TF32 (PyTorch as it is)", TF32),
    Way("TF32, channels_last", TF32, last=True),
    *EVERYWHERE,
    Way("bfloat16, folded, cudnn.benchmark", BFLOAT16, True, True, benchmark=True),
    Way("bfloat16, folded, benchmark, CUDA graph", BFLOAT16, True, True, True, graph=True),
    Way("bfloat16, folded, compiled", BFLOAT16, True, True, compiled=True),
    # finds the kernels of the one before in Inductor's cache, and so is ready sooner
    Way("bfloat16, folded, compiled, CUDA graph", BFLOAT16, True, True, compiled=True, graph=True),
)
PLAIN = EVERYWHERE[0]


MSNODES = "the classifier: bfloat16, folded; the lesion network: TF32, channels_last"
"""As the node runs them on a GPU that computes bfloat16."""


def ways(device: torch.device) -> Sequence[Way]:
    """The ways that a device has."""
    return ON_GPU if device.type == "cuda" else EVERYWHERE


class Whole(nn.Module):
    """A network as one module: images in float32 to scores, the convolutions in any type."""

    def __init__(self, convolutions: nn.Module, finish: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.convolutions = convolutions.to(dtype)
        self.finish = finish
        self.dtype = dtype

    def forward(self, images: Tensor) -> Tensor:
        maps = self.convolutions(images.to(self.dtype))
        wide = maps.float() if isinstance(maps, Tensor) else tuple(m.float() for m in maps)
        scores: Tensor = self.finish(wide)
        return scores


def whole(network: Network, way: Way) -> Whole:
    """A network's module for a way, apart from others."""
    parts = network.folded() if way.folded else copy.deepcopy(network.convolutions)
    if way.last:
        parts = parts.to(memory_format=torch.channels_last)
    dtype = torch.bfloat16 if way.number == BFLOAT16 else torch.float32
    return Whole(parts, copy.deepcopy(network.finish), dtype).eval().requires_grad_(False)


def prepare(module: Whole, way: Way, images: Tensor) -> Scored:
    """Compile and capture, where a way does, for images of this shape on their device."""
    call: Scored = torch.compile(module, dynamic=False) if way.compiled else module
    return _captured(call, images) if way.graph else call


def _captured(call: Scored, images: Tensor) -> Scored:
    """A call as a CUDA graph; its scores are overwritten by the next call."""
    apart = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    apart.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(apart):  # which also puts the stream back where capturing fails
        for _ in range(BEFORE_CAPTURE):
            call(images)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=apart):
            scores = call(images)
    torch.cuda.current_stream().wait_stream(apart)

    def replay(others: Tensor) -> Tensor:
        if others is not images:
            images.copy_(others)
        graph.replay()
        return scores

    return replay


@dataclass(frozen=True, slots=True)
class Rate:
    """What a way did with batches of one size.

    Attributes:
        network: its name.
        way: its name.
        number: type in which it convolved.
        batch: slices at once, on the device before and after.
        seconds: of a batch, one for each repeat; empty where it failed.
        ready_s: until the first batch was done: compiling, capturing and trying included.
        difference: largest of a probability from float32 on the CPU.
        failure: why there are no seconds.
    """

    network: str
    way: str
    number: str
    batch: int
    seconds: tuple[float, ...] = ()
    ready_s: float = 0.0
    difference: float = 0.0
    failure: str = ""

    @property
    def slices_s(self) -> float:
        """The median."""
        return self.batch / statistics.median(self.seconds)


@torch.inference_mode()
def reference(network: Network, images: Tensor) -> Float32Array:
    """Probabilities of plain float32 on the CPU."""
    return network.probabilities(whole(network, PLAIN)(images))


@torch.inference_mode()
def outputs(network: Network, way: Way, images: Tensor, device: torch.device) -> Float32Array:
    """A way's probabilities."""
    with cudnn(way.benchmark, way.number != FLOAT32):
        here = images.to(device)
        scored = prepare(whole(network, way).to(device), way, here)
        return network.probabilities(scored(here))


@dataclass(frozen=True)
class Trial:
    """One way of running one network on a device.

    Attributes:
        network: on the CPU.
        way: how it runs.
        wanted: ``reference`` of its first images.
        device: where it runs.
        repeats: measurements of each batch.
    """

    network: Network
    way: Way
    wanted: Float32Array
    device: torch.device
    repeats: int

    def rates(self, batches: Iterable[int]) -> Iterator[Rate]:
        """Slices a second by size of the batch; ends with the first that is not possible."""
        module = whole(self.network, self.way).to(self.device)
        for batch in batches:
            found = self._tried(module, batch)
            self._release()  # raises where the device itself is lost
            yield found
            if found.failure:
                return

    def _tried(self, module: Whole, batch: int) -> Rate:
        """The rate, or why there is none."""
        try:
            with cudnn(self.way.benchmark, self.way.number != FLOAT32):
                return self._rate(module, batch)
        except (RuntimeError, MemoryError) as error:
            reason = _reason(error)
        return Rate(self.network.name, self.way.name, self.way.number, batch, failure=reason)

    @torch.inference_mode()
    def _rate(self, module: Whole, batch: int) -> Rate:
        images = self.network.images(batch).to(self.device)
        if self.way.last:
            images = images.contiguous(memory_format=torch.channels_last)
        finish(self.device)
        began = time.perf_counter()
        scored = prepare(module, self.way, images)
        first = scored(images)
        finish(self.device)
        ready_s = time.perf_counter() - began
        alike = min(batch, len(self.wanted))
        found = self.network.probabilities(first[:alike])
        difference = float(np.abs(found - self.wanted[:alike]).max())
        taken = tuple(seconds(lambda: scored(images), self.device, self.repeats))
        names = self.network.name, self.way.name, self.way.number
        return Rate(*names, batch, taken, ready_s, difference)

    def _release(self) -> None:
        """Give back what was held, so that the next batch has the whole device."""
        if self.way.compiled:
            torch.compiler.reset()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.synchronize(self.device)


def _reason(error: RuntimeError | MemoryError) -> str:
    """Why a batch was not possible, in short."""
    text = str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(w in text for w in SHORT):
        return "out of memory"
    return f"{type(error).__name__}: {text.strip().partition(chr(10))[0][:100]}"
