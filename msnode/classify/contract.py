"""What a classifier is, and the table of them: name -> "module:Class", imported when asked for.

A classifier maps a batch of images to two logits a slice. It does so in two halves, because every
use needs the seam between them: ``maps`` (the expensive, convolutional part, run in whatever
precision the device likes best) and ``head`` (cheap, in float32). Grad-CAM differentiates the
head alone; the location-wise loss of training and the location-wise saliency sit on the same maps.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar

from torch import Tensor, nn

from msnode.errors import ConfigError
from msnode.records.images import InputContract

CLASSES = ("no MS pattern", "MS pattern")
"""Meaning of the two logits; index 1 is what the node looks for."""

TABLE = {
    "hybrid": "msnode.classify.hybrid:Hybrid",
    "inception": "msnode.classify.single_branch:Inception",
    "densenet": "msnode.classify.single_branch:DenseNet",
    "shallow_cnn": "msnode.classify.shallow_cnn:ShallowCnn",
    "swin": "msnode.classify.swin:Swin",
}
"""The classifiers of this package."""

ENTRY_POINTS = "msnode.classifiers"
"""Entry-point group through which other packages offer classifiers."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the cells of a feature map lie on the input image.

    Follows from the strides and paddings of the layers: a map is not simply the image made
    smaller. InceptionV3's unpadded convolutions leave 5 cells for 224 pixels, the first centred
    on pixel 37, the last on pixel 165.

    Attributes:
        stride: pixels between the centres of neighbouring cells.
        first: centre of the first cell; 0 is the centre of the first pixel.
    """

    stride: int
    first: float


class Classifier(nn.Module, ABC):
    """Base of every classifier: images (n, channels, rows, cols) float32 to logits (n, 2).

    Attributes:
        contract: the images it wants; a bundle may narrow it.
        grids: one for each of the feature maps.
    """

    contract: ClassVar[InputContract]
    grids: ClassVar[tuple[Grid, ...]]

    @abstractmethod
    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Last feature maps of the convolutional part, each (n, channels, h, w)."""

    @abstractmethod
    def head(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Logits (n, 2) from the feature maps; class 1 is the MS pattern."""

    def locations(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Logit of a lesion in every cell, (n, h, w) a map; empty without such a head."""
        del maps
        return ()

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, rows, cols) float32 to logits (n, 2)."""
        return self.head(self.maps(images))

    def forward_with_locations(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits (n, 2) together with ``locations``, from one pass over the images."""
        maps = self.maps(images)
        return self.head(maps), self.locations(maps)


def architectures() -> dict[str, str]:
    """Every known classifier, "module:Class" by name: this package's and the installed ones."""
    return {e.name: e.value for e in entry_points(group=ENTRY_POINTS)} | TABLE


def build(architecture: str, arguments: dict[str, Any] | None = None) -> Classifier:
    """Make a classifier with fresh weights.

    Args:
        architecture: a name of ``architectures()``.
        arguments: of its class.

    Raises:
        ConfigError: no such architecture, or it does not take these arguments.
    """
    known = architectures()
    if architecture not in known:
        raise ConfigError(
            f"architecture {architecture!r} is unknown; use one of {', '.join(sorted(known))}, "
            f"or install the package that offers it (entry-point group {ENTRY_POINTS})"
        )
    module, _, name = known[architecture].partition(":")
    try:
        model = getattr(import_module(module), name)(**(arguments or {}))
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"architecture {architecture!r} cannot be built: {error}") from error
    if not isinstance(model, Classifier):
        raise ConfigError(f"architecture {architecture!r}: {name} is no msnode.classify.Classifier")
    return model
