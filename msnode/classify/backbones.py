"""The convolutional halves of the hybrid: torchvision's networks without their tops.

Children keep torchvision's names, so that its state dictionaries fit, and so that a training loop
can tap any of them. Both networks take images in [0, 1] and begin with the standardisation that
their ImageNet weights were trained with.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torchvision.models import densenet121, inception_v3

from msnode.classify.contract import Grid

INCEPTION_GRID = Grid(stride=32, first=37)
DENSENET_GRID = Grid(stride=32, first=14)


class Standardize(nn.Module):
    """(x - mean) / std for each channel, in one pass; no part of the state dictionary."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.scale: Tensor
        self.shift: Tensor
        scale = 1 / torch.tensor(std).view(-1, 1, 1)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", -torch.tensor(mean).view(-1, 1, 1) * scale, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, rows, cols) float32 to the same."""
        return torch.addcmul(self.shift, images, self.scale)


def imagenet() -> Standardize:
    """The standardisation of torchvision's ImageNet weights, for images in [0, 1]."""
    return Standardize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def inception() -> nn.Sequential:
    """InceptionV3 without pooling and top: (n, 3, 224, 224) to (n, 2048, 5, 5).

    Its ImageNet weights were trained on images in [-1, 1]; torchvision's ``transform_input``
    only undoes the other standardisation of its own pipeline, and is not needed here.
    """
    whole = inception_v3(weights=None, aux_logits=False, init_weights=False)
    for layer in whole.modules():
        if isinstance(layer, nn.Conv2d):  # its signal would die out on the way, as DenseNet's not
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    kept = [(n, m) for n, m in whole.named_children() if n not in ("avgpool", "dropout", "fc")]
    return nn.Sequential(OrderedDict([("input", Standardize((0.5,) * 3, (0.5,) * 3)), *kept]))


def densenet() -> nn.Sequential:
    """DenseNet121 without pooling and top: (n, 3, 224, 224) to (n, 1024, 7, 7)."""
    kept = densenet121(weights=None).features.named_children()
    return nn.Sequential(OrderedDict([("input", imagenet()), *kept, ("relu5", nn.ReLU())]))


class Branch(nn.Module):
    """A backbone with dense layers that act on every location of its last map.

    A dense layer on every location is a 1x1 convolution. ``locate`` is the auxiliary head: one
    logit a location, "is there a lesion here?"; it is trained where lesion masks exist.

    Args:
        backbone: images to (n, channels, h, w).
        channels: of the backbone's last map.
        hidden: width of a dense layer with dropout before the last one; 0 leaves it out.
        width: features a location.
        dropout: after the hidden layer.
    """

    def __init__(
        self,
        backbone: nn.Sequential,
        channels: int,
        hidden: int = 0,
        width: int = 512,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        first = [nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Dropout(dropout)] if hidden else []
        self.backbone = backbone
        self.dense = nn.Sequential(*first, nn.Conv2d(hidden or channels, width, 1), nn.ReLU())
        self.locate = nn.Conv2d(width, 1, 1)
        nn.init.constant_(self.locate.bias, -3.0)  # type: ignore[arg-type]  # lesions are rare

    def sequence(self, features: Tensor) -> Tensor:
        """The backbone's map (n, channels, h, w) as a sequence (n, h * w, width), row by row."""
        dense: Tensor = self.dense(features)
        return dense.flatten(2).transpose(1, 2)

    def locations(self, features: Tensor) -> Tensor:
        """The backbone's map (n, channels, h, w) to logits (n, h, w)."""
        logits: Tensor = self.locate(self.dense(features))
        return logits[:, 0]


def inception_branch() -> Branch:
    """m-InceptionV3 of the paper: Dense 1024, Dropout 0.5, Dense 512; 5x5x512 = 12,800 features."""
    return Branch(inception(), 2048, hidden=1024)


def densenet_branch() -> Branch:
    """m-DenseNet121 of the paper: dense to 512; 7x7x512 = 25,088 features."""
    return Branch(densenet(), 1024)
