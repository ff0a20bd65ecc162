"""The two networks as the ways of running them take them, with their images and decisions.

Weights are the bundles'; where a bundle's weights are not there, the same architecture gets random
ones, always the same, whose batch norms have seen the images, so that its outputs vary.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from bench.inference import same_decisions
from msnode.classify import Bundle, Classifier, Manifest, load_bundle
from msnode.classify.decision import slice_probabilities
from msnode.classify.device import phantom
from msnode.classify.fuse_layers import Maps, fold
from msnode.classify.hybrid import Hybrid
from msnode.config import Classify
from msnode.lesions import lesion_bundle
from msnode.lesions.inputs import Planes, planes
from msnode.lesions.outline import LESION
from msnode.lesions.unet import Unet
from msnode.records.images import Float32Array
from msnode.records.ras_volume import RasVolume

DRAWN = 32
"""Different slices; a larger batch repeats them."""
SPACING_MM = (1.0, 1.0, 5.0)
RANDOM = "random"


@dataclass(frozen=True)
class Network:
    """A network that gives probabilities for slices.

    Attributes:
        name: for tables.
        weights: where they are from.
        convolutions: images to maps, in whatever type; float32 as it is, on the CPU.
        folded: makes the same with batch norms taken into the convolutions.
        finish: maps to scores, always in float32.
        drawn: (n, channels, rows, cols) float32, different slices.
        probabilities: scores to probabilities.
        agreement: whether two such decide alike, in words.
    """

    name: str
    weights: str
    convolutions: nn.Module
    folded: Callable[[], nn.Module]
    finish: nn.Module
    drawn: Tensor
    probabilities: Callable[[Tensor], Float32Array]
    agreement: Callable[[Float32Array, Float32Array], str]

    def images(self, count: int) -> Tensor:
        """(count, channels, rows, cols) float32."""
        return self.drawn[torch.arange(count) % len(self.drawn)]


class _Head(nn.Module):
    """``head`` of a classifier as a module of its own."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        return self.model.head(maps)


def classifier_bundle(folder: Path) -> Bundle:
    """The classifier in a folder, or the hybrid with random weights."""
    if any(folder.glob("*.safetensors")):
        return load_bundle(folder)
    torch.manual_seed(0)
    model = Hybrid()
    _settle(model, phantom(model.contract, 8))
    manifest = Manifest(RANDOM, "0", "hybrid", model.contract, saliency="locations")
    return Bundle(manifest, model.requires_grad_(False))


def outlining_bundle(folder: Path) -> lesion_bundle.Bundle:
    """The lesion network in a folder, or one with random weights."""
    if any(folder.glob("*.safetensors")):
        return lesion_bundle.load(folder)
    torch.manual_seed(0)
    model = Unet()
    _settle(model, _inputs(drawn_planes(8)))
    return lesion_bundle.Bundle(lesion_bundle.Manifest(RANDOM, "0"), model.requires_grad_(False))


@torch.no_grad()
def _settle(model: nn.Module, images: Tensor) -> None:
    """Let batch norms learn the images' statistics; random layers would fade out without."""
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.momentum = None  # the plain average of what it sees
    model.train()(images)
    model.eval()


def settings(device: torch.device, batch: int, threads: int = 0) -> Classify:
    """What the node would be told to classify on a device."""
    return Classify(device="cuda" if device.type == "cuda" else "cpu", batch=batch, threads=threads)


def _told(name: str, version: str) -> str:
    return (
        "random weights, the trained ones are not here" if name == RANDOM else f"{name} {version}"
    )


def classifier(bundle: Bundle) -> Network:
    """A classifier, from slices to logits."""
    manifest = bundle.manifest

    def probabilities(logits: Tensor) -> Float32Array:
        return slice_probabilities(logits.cpu().numpy(), manifest.calibration)

    def agreement(first: Float32Array, second: Float32Array) -> str:
        return "the same" if same_decisions(first, second, manifest) else "NOT the same"

    return Network(
        "classifier",
        _told(manifest.name, manifest.version),
        Maps(bundle.model),
        lambda: fold(bundle.model),
        _Head(bundle.model),
        phantom(bundle.contract, DRAWN),
        probabilities,
        agreement,
    )


def lesion_network(bundle: lesion_bundle.Bundle) -> Network:
    """The lesion network, from slices with their neighbours to probabilities of every pixel."""
    threshold = bundle.manifest.threshold

    def labels(maps: Float32Array) -> Float32Array:
        return np.where(maps[:, LESION] >= threshold, LESION, maps.argmax(1))

    def agreement(first: Float32Array, second: Float32Array) -> str:
        other = int((labels(first) != labels(second)).sum())
        return f"{other:,} of {labels(first).size:,} pixels differ" if other else "the same"

    return Network(
        "lesion network",
        _told(bundle.manifest.name, bundle.manifest.version),
        bundle.model,
        lambda: fuse(bundle.model),
        nn.Softmax(1),
        _inputs(drawn_planes(DRAWN)),
        lambda scores: scores.cpu().numpy(),
        agreement,
    )


def drawn_planes(count: int) -> Planes:
    """Drawn heads, one above the other, as the lesion network sees a scan."""
    heads = phantom(Hybrid.contract, count)[:, 0].numpy()
    return planes(RasVolume(heads.transpose(1, 2, 0), np.diag([*SPACING_MM, 1.0])))


def _inputs(seen: Planes) -> Tensor:
    """(slices, 4, rows, cols) float32."""
    return torch.from_numpy(np.stack([seen.input(n) for n in range(len(seen.pixels))]))
