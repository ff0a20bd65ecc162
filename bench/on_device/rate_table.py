"""Slices a second of a network as a table: a way a row, a batch a column."""

import statistics
from collections.abc import Sequence

from bench.on_device.networks import Network
from bench.on_device.roofline import Ceilings, Layer, floor_s, layers, products_s
from bench.on_device.ways import Rate, Way, whole
from msnode.learn.evaluate.markdown import header, row

LEAST = Way("folded", "float32", folded=True)
"""The way with the fewest operations: what counts as needed, whichever way is measured."""


UNITS = (
    "slices/s and in brackets the part of the roofline, by slices at once, which are on the device "
    "before and after:"
)

Needed = dict[int, list[Layer]]
"""The layers of a batch, by its size."""


def needed(network: Network, batches: Sequence[int]) -> Needed:
    """What batches of a network's images need."""
    module = whole(network, LEAST)
    return {batch: layers(module, (batch, *network.drawn.shape[1:])) for batch in batches}


def shares(rate: Rate, wanted: Needed, can: Ceilings) -> tuple[float, float]:
    """Parts of the roofline and of the rate of matrix products that a rate reaches."""
    taken, of = statistics.median(rate.seconds), wanted[rate.batch]
    return floor_s(of, can, rate.number) / taken, products_s(of, can, rate.number) / taken


def ceiling_table(can: Ceilings) -> list[str]:
    """What the device does at most."""
    lines = header(("the device's own rates, the fastest seen", ""))
    lines.append(row(("copy in its memory, read and written", f"{can.copied / 1e9:,.0f} GB/s")))
    for number, rate in can.products.items():
        lines.append(row((f"matrix product, {number}", f"{rate / 1e12:,.2f} TFLOP/s")))
    return lines


def table(rates: Sequence[Rate], wanted: Needed, can: Ceilings) -> list[str]:
    """All rates of a network; in brackets the part of the roofline."""
    lines = header(("way", *map(str, wanted), "ready after, s", "largest difference"))
    for way in dict.fromkeys(rate.way for rate in rates):
        found = {rate.batch: rate for rate in rates if rate.way == way}
        cells = [cell(found[b], wanted, can) if b in found else "" for b in wanted]
        lines.append(row((way, *cells, *_about(list(found.values())))))
    return lines


def _about(found: Sequence[Rate]) -> tuple[str, str]:
    """How long the way took to get ready, and how far its probabilities are off."""
    good = [rate for rate in found if not rate.failure]
    if not good:
        return "", ""
    return f"{max(r.ready_s for r in good):.1f}", f"{max(r.difference for r in good):.1e}"


def cell(rate: Rate, wanted: Needed, can: Ceilings) -> str:
    """Slices a second and the part of the roofline, or why there are none."""
    if rate.failure:
        return rate.failure
    return f"{_figure(rate.slices_s)} ({100 * shares(rate, wanted, can)[0]:.0f} %)"


def _figure(slices_s: float) -> str:
    return f"{slices_s:,.0f}" if slices_s >= 100 else f"{slices_s:.1f}"


def best(rates: Sequence[Rate], wanted: Needed, can: Ceilings) -> str:
    """The fastest in a sentence, with its range and its rate of operations."""
    good = [rate for rate in rates if not rate.failure]
    if not good:
        return "No way ran."
    top = max(good, key=lambda rate: rate.slices_s)
    of_roofline, of_products = (f"{100 * x:.0f} %" for x in shares(top, wanted, can))
    gflops = sum(layer.flops for layer in wanted[top.batch]) / top.batch / 1e9
    low, high = (_figure(top.batch / f(top.seconds)) for f in (max, min))
    return (
        f"Fastest: {top.way}, {top.batch} at once, {_figure(top.slices_s)} slices/s ({low} to "
        f"{high}); {gflops:.2f} GFLOP a slice, {gflops * top.slices_s / 1000:.2f} TFLOP/s, "
        f"{of_products} of the rate of {top.number} matrix products, {of_roofline} of the roofline."
    )
