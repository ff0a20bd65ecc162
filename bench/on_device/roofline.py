"""How fast a device could be: what it copies and multiplies in a second, and what a network needs.

The floor of a network is the sum over its layers (convolutions and matrix products) of the longer
of two times: its operations at the measured rate of matrix products, and its input, weights and
output, each moved once at the measured rate of copying. Everything between the layers counts as
free. A network whose neighbouring layers meet in a cache can stay below this floor, and a library
that convolves with fewer operations (Winograd) above either rate.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from bench.on_device.timing import seconds

FLOAT32, TF32, BFLOAT16 = "float32", "TF32", "bfloat16"
BYTES = {FLOAT32: 4, TF32: 4, BFLOAT16: 2}
"""Of a number in memory."""
COPIED_BYTES = {"cuda": 2**31, "cpu": 2**28}
"""Far more than caches hold."""
SIDE = {"cuda": 8192, "cpu": 2048}
"""Rows and columns of the matrices that are multiplied."""


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What a device does in a second at most.

    Attributes:
        copied: bytes read and written by a copy inside its memory.
        products: floating-point operations of matrix products, by type.
    """

    copied: float
    products: dict[str, float]

    def higher(self, other: "Ceilings") -> "Ceilings":
        """The highest rates of two measurements."""
        products = {t: max(rate, other.products[t]) for t, rate in self.products.items()}
        return Ceilings(max(self.copied, other.copied), products)


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution or matrix product.

    Attributes:
        flops: floating-point operations; a multiplication and an addition are two.
        elements: numbers that it reads and writes.
    """

    flops: int
    elements: int


def ceilings(device: torch.device, repeats: int) -> Ceilings:
    """Measure a device; the fastest of the repeats counts, so that no share is flattered."""
    types = [FLOAT32, TF32, BFLOAT16] if device.type == "cuda" else [FLOAT32, BFLOAT16]
    return Ceilings(_copied(device, repeats), {t: _product(device, t, repeats) for t in types})


def _copied(device: torch.device, repeats: int) -> float:
    size = COPIED_BYTES[device.type]
    source = torch.rand(size // 4, device=device)
    target = torch.empty_like(source)
    return 2 * size / min(seconds(lambda: target.copy_(source), device, repeats))


def _product(device: torch.device, number: str, repeats: int) -> float:
    side = SIDE[device.type]
    dtype = torch.bfloat16 if number == BFLOAT16 else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if number == TF32 else "highest")
    try:
        return 2 * side**3 / min(seconds(lambda: a @ b, device, repeats))
    finally:
        torch.set_float32_matmul_precision(before)


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Lists the layers that run under it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers: list[Layer] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        flops = flop_registry.get(func._overloadpacket)
        if flops is not None:
            touched = [x for x in tree_leaves((args, kwargs, out)) if isinstance(x, Tensor)]
            count = flops(*args, **(kwargs or {}), out_val=out)
            self.layers.append(Layer(count, sum(x.numel() for x in touched)))
        return out


@torch.no_grad()
def layers(network: nn.Module, shape: Sequence[int]) -> list[Layer]:
    """The layers of a network for images of a shape; nothing is computed."""
    shadow = copy.deepcopy(network).to("meta")
    counting = _Counting()
    with counting:
        shadow(torch.empty(tuple(shape), device="meta"))
    return counting.layers


def floor_s(needed: Sequence[Layer], can: Ceilings, number: str) -> float:
    """Seconds that layers need at least; see the module's docstring."""
    rate, size = can.products.get(number, math.nan), BYTES[number]
    return sum(max(x.flops / rate, x.elements * size / can.copied) for x in needed)


def products_s(needed: Sequence[Layer], can: Ceilings, number: str) -> float:
    """Seconds that the operations alone need."""
    return sum(x.flops for x in needed) / can.products.get(number, math.nan)
