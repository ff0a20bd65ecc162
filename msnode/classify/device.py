"""A classifier on its device: images in, logits and saliency grids out, as fast as it can.

What was measured (a Sapphire Rapids Xeon without AMX, hybrid, milliseconds of one core a slice):
plain eager float32 205 at 32 slices a call, of which 75 are the kernel handing out fresh pages,
and 128 at 2 to 8 slices; channels last and folded batch norms, 4 slices a call, 98; with packed
weights and fused ReLU 88. bfloat16 took twice as long as float32 there, and half as long on an
EPYC of Zen 4: where a CPU has AVX512_BF16 but no AMX, a convolution is asked. torch.compile needs a
C++ compiler and minutes, and is left out for that. OpenVINO's int8 was 4.0 times as fast as float32
on that EPYC, but moved slices by up to 0.08, and is left out for that (docs/performance.md).
"""

import logging
import os
import timeit
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from msnode.classify.bundle import Bundle
from msnode.classify.decision import slice_probabilities
from msnode.classify.fuse_layers import fold, pack
from msnode.classify.saliency import METHODS, Explained
from msnode.config import Classify
from msnode.errors import ConfigError, TryLater
from msnode.records.images import Float32Array, InputContract

log = logging.getLogger(__name__)

CPU_CHUNK = 4
"""Slices at once on a CPU core: their activations stay near the cache, and below the size from
which malloc gives memory back to the kernel after every layer."""

TOLERANCE = 0.01
"""Largest difference of a calibrated probability from plain float32 that counts as the same."""

PAYS = 0.8
"""Part of float32's time below which bfloat16 is worth its rounding."""

SHORT = ("out of memory", "can't allocate memory", "ALLOC_FAILED")
"""Words of torch, CUDA and cuBLAS for memory that is short, whatever the class of the error."""

Maps = Callable[[Tensor], tuple[Tensor, ...]]


def choose(wanted: str) -> torch.device:
    """The configured device.

    Raises:
        ConfigError: ``cuda`` is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "classify.device is cuda, but torch finds no GPU; use auto or cpu, or install the "
            "driver and a CUDA build of torch"
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


@cache
def bfloat16_pays(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32: on a GPU from Ampere on, and on a CPU with AMX.

    With AVX512_BF16 alone it depends on the CPU, and is measured, within some 0.1 s.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.cpu._is_amx_tile_supported() or not torch.cpu._is_avx512_bf16_supported():
        return bool(torch.cpu._is_amx_tile_supported())
    return _convolution_s(torch.bfloat16) < PAYS * _convolution_s(torch.float32)


@torch.inference_mode()
def _convolution_s(dtype: torch.dtype) -> float:
    """Seconds of a convolution as DenseNet121 has them, the fastest of some."""
    images, weights = (
        torch.ones(shape, dtype=dtype).contiguous(memory_format=torch.channels_last)
        for shape in ((CPU_CHUNK, 128, 28, 28), (128, 128, 3, 3))
    )
    conv = partial(functional.conv2d, images, weights, padding=1)
    return min(timeit.repeat(conv, number=1, repeat=8))


class Compute:
    """One model on one device.

    The CPU gets one thread a core, each with a few slices of its own: all cores stay busy where a
    small layer cannot be divided. A GPU gets whole batches from one thread.

    Args:
        bundle: the model.
        config: device, precision, batch and threads.

    Attributes:
        is_sound: False since the device failed; most such errors stay until the process ends.
    """

    def __init__(self, bundle: Bundle, config: Classify) -> None:
        self.bundle = bundle
        self.is_sound = True
        self.device = choose(config.device)
        gpu = self.device.type == "cuda"
        self.chunk = config.batch if gpu else min(CPU_CHUNK, config.batch)
        self._precision = config.precision
        self._explain = METHODS[bundle.manifest.saliency]
        self._model = bundle.model.to(self.device)
        self._maps: Maps = self._model.maps
        workers = 1 if gpu else config.threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(workers, "device", initializer=self._begin)

    def _begin(self) -> None:
        """The pool's threads divide the slices, not the operators."""
        if self.device.type == "cpu":
            torch.set_num_threads(1)

    def warm_up(self) -> str:
        """Take the fastest way of computing that decides as plain float32 does.

        Returns:
            Its name, for the log.
        """
        images = phantom(self.bundle.contract, self.chunk)
        reference = self(images)[0]
        for name, make in self._ways():
            try:
                self._maps = self._pool.submit(make).result()
                difference = self._difference(self(images)[0], reference)
            except Exception as error:  # noqa: BLE001 - any model must run, if not fast
                log.warning("classifier: %s is not possible here: %s", name, error)
                continue
            if difference <= TOLERANCE:
                return name
            log.warning("classifier: %s differs by %.3f and is not used", name, difference)
        self._maps = self._model.maps
        return "plain float32"

    def _ways(self) -> Iterator[tuple[str, Callable[[], Maps]]]:
        """Ways of computing the maps, the fastest first."""
        auto = self._precision == "auto" and bfloat16_pays(self.device)
        if auto or self._precision == "bfloat16":
            yield "folded bfloat16", lambda: self._folded(torch.bfloat16)
        yield "folded float32", lambda: self._folded(torch.float32)

    def _folded(self, dtype: torch.dtype) -> Maps:
        """The rewritten convolutional part in the given type."""
        graph = fold(self._model).to(dtype)
        if self.device.type == "cpu":
            example = phantom(self.bundle.contract, self.chunk).to(dtype)
            pack(graph, example.contiguous(memory_format=torch.channels_last))
        return lambda images: graph(images.to(dtype))

    def _difference(self, logits: Tensor, reference: Tensor) -> float:
        """Largest difference of a calibrated probability; infinite where one is no number."""
        values = [
            slice_probabilities(z.numpy(), self.bundle.manifest.calibration)
            for z in (logits, reference)
        ]
        return float(np.nan_to_num(np.abs(values[0] - values[1]), nan=np.inf).max())

    def __call__(self, images: Tensor) -> Explained:
        """Run the model.

        Args:
            images: (n, channels, rows, cols) float32 on the CPU, n at least 1.

        Raises:
            TryLater: not even one slice fits into memory, or the device failed.
        """
        while True:
            try:
                parts = list(self._pool.map(self._part, torch.split(images, self.chunk)))
            except (MemoryError, RuntimeError) as error:
                self._shrink(error)
            else:
                self.is_sound = True  # what passed was not one that stays
                logits, grids = zip(*parts, strict=True)
                return torch.cat(logits), tuple(map(torch.cat, zip(*grids, strict=True)))

    def _part(self, images: Tensor) -> Explained:
        """Outputs of up to ``chunk`` slices.

        The CPU's chunks are filled up: packed weights are laid out for one size, and a slice's
        result depends on its company by rounding alone.
        """
        count = len(images)
        if self.device.type == "cuda":
            images = images.pin_memory()
        else:
            images = torch.cat([images, images[-1:].expand(self.chunk - count, -1, -1, -1)])
        with torch.inference_mode():
            here = images.to(self.device, non_blocking=True, memory_format=torch.channels_last)
            maps = tuple(m.float() for m in self._maps(here))
        logits, grids = self._explain(self._model, maps)
        return logits[:count].cpu(), tuple(g[:count].cpu() for g in grids)

    def _shrink(self, error: MemoryError | RuntimeError) -> None:
        """Halve the chunk where memory was short; what cannot be helped is raised."""
        kinds = (MemoryError, torch.OutOfMemoryError)
        if isinstance(error, kinds) or any(word in str(error) for word in SHORT):
            if self.chunk == 1:
                raise TryLater(f"{self.device}: no memory for a single slice") from error
            self.chunk = (self.chunk + 1) // 2
            log.warning("classifier: out of memory; from now on %d slices at once", self.chunk)
            torch.cuda.empty_cache()
        elif isinstance(error, torch.AcceleratorError) or str(error).startswith("CUDA error"):
            if self.is_sound:
                log.error(
                    "classifier: %s has failed: %s", self.device, str(error).partition("\n")[0]
                )
            self.is_sound = False
            raise TryLater(f"{self.device} failed ({error}); restart if it lasts") from error
        else:
            raise error

    def close(self) -> None:
        """End the pool's threads."""
        self._pool.shutdown()


def phantom(contract: InputContract, count: int) -> Tensor:
    """Drawn heads, each with one bright spot more than the one before: the fixed warm-up batch.

    Args:
        contract: size, channels and normalisation.
        count: of slices.

    Returns:
        (count, channels, rows, cols) float32.
    """
    y, x = np.mgrid[-1 : 1 : contract.rows * 1j, -1 : 1 : contract.cols * 1j]
    rng = np.random.default_rng(0)
    slices = []
    for spots in range(count):
        image = 0.45 * ((x / 0.7) ** 2 + (y / 0.85) ** 2 < 1) + 0.02 * rng.random(x.shape)
        for row, col in rng.uniform(-0.4, 0.4, (spots, 2)):
            image += 0.5 * np.exp(-((y - row) ** 2 + (x - col) ** 2) / 0.004)
        slices.append(_normalised(image.astype(np.float32), contract))
    return torch.from_numpy(np.stack(slices))


def _normalised(image: Float32Array, contract: InputContract) -> Float32Array:
    """(rows, cols) to (channels, rows, cols), normalised as the contract asks."""
    if contract.normalisation == "minmax":
        image = (image - image.min()) / np.ptp(image)
    else:
        image = (image - image.mean()) / image.std()
    return np.repeat(image[None], contract.channels, 0)
