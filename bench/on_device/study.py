"""One study from the host's memory to its results there: how long each part takes."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from bench.inference import as_slices
from bench.on_device.networks import classifier, drawn_planes, settings
from bench.on_device.roofline import BFLOAT16
from bench.on_device.timing import seconds
from bench.on_device.ways import Way, whole
from msnode.classify import Bundle, Runner
from msnode.classify.device import bfloat16_pays
from msnode.lesions import lesion_bundle
from msnode.lesions.outline import probabilities

Latencies = Iterator[tuple[str, list[float]]]
"""What was done, and the seconds of each time."""


def classified(bundle: Bundle, slices: int, device: torch.device, repeats: int) -> Latencies:
    """The classifier, by parts and as the node runs it; the bundle moves to the device."""
    network = classifier(bundle)
    images = network.images(slices)
    number = BFLOAT16 if bfloat16_pays(device) else "float32"
    module = whole(network, Way("folded", number, folded=True, last=True)).to(device)

    def there() -> torch.Tensor:
        given = images.pin_memory() if device.type == "cuda" else images.clone()
        return given.to(device, non_blocking=True, memory_format=torch.channels_last)

    def latency(call: Callable[[], Any]) -> list[float]:
        return seconds(call, device, repeats, least_s=0)

    with torch.inference_mode():
        here = there()
        scores = module(here)
        yield "classifier: to the device", latency(there)
        yield f"classifier: forward, {number}, folded", latency(lambda: module(here))
        yield "classifier: back", latency(scores.cpu)
        yield "classifier: all three", latency(lambda: module(there()).cpu())
    runner = Runner(bundle, settings(device, slices))
    runner.warm_up()
    drawn = as_slices(images.numpy())
    yield "classifier: msnode's Runner, saliency drawn", latency(lambda: runner.score(drawn))
    runner.close()


def outlined(
    bundle: lesion_bundle.Bundle, slices: int, device: torch.device, repeats: int
) -> Latencies:
    """The lesion network as the node runs it."""
    here = bundle.on(device.type)
    seen = drawn_planes(slices)
    shape = seen.pixels.shape[1], seen.pixels.shape[2]
    taken = seconds(lambda: probabilities(seen, here.model, shape), device, repeats, least_s=0)
    yield "lesion network: msnode's outline.probabilities", taken
