"""The network that outlines: a small U-Net over slices with their neighbours.

Ronneberger et al., MICCAI 2015, with batch normalisation, which the convolutions take in after
training (`Unet.fused`), and nearest-neighbour upsampling, which is deterministic.
"""

import copy
import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from msnode.lesions.inputs import CHANNELS

CLASSES = ("rest", "lesion", "ventricle", "normal_rim")
"""What a pixel is; the normal bright rim of the ventricles is no lesion (see docs/lesions.md)."""
WIDTHS = (16, 32, 64, 96, 128)


class Unet(nn.Module):
    """A U-Net with one level for each width.

    Args:
        widths: channels of the levels, the finest first.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        inputs = (CHANNELS, *widths[:-1])
        self.down = nn.ModuleList(
            _convolved(into, out, 2) for into, out in zip(inputs, widths, strict=True)
        )
        self.up = nn.ModuleList(
            _convolved(fine + coarse, fine, 1) for fine, coarse in itertools.pairwise(widths)
        )
        self.head = nn.Conv2d(widths[0], len(CLASSES), 1)

    @property
    def multiple(self) -> int:
        """Rows and columns of the input must be multiples of it."""
        return int(2 ** len(self.up))

    def forward(self, images: Tensor) -> Tensor:
        """Score every pixel.

        Args:
            images: (n, 4, rows, cols) float32 as ``Planes.input`` makes them.

        Returns:
            (n, 4, rows, cols) logits of `CLASSES`.
        """
        levels: list[Tensor] = []
        x = images
        for number, down in enumerate(self.down):
            x = down(x if number == 0 else functional.max_pool2d(x, 2))
            levels.append(x)
        for skip, up in zip(levels[-2::-1], list(self.up)[::-1], strict=True):
            x = up(torch.cat([skip, functional.interpolate(x, scale_factor=2.0)], 1))
        return cast(Tensor, self.head(x))

    def fused(self) -> "Unet":
        """A copy for outlining, in evaluation mode: each normalisation lies in its convolution."""
        copied = copy.deepcopy(self).eval().requires_grad_(False)
        for block in (*copied.down, *copied.up):
            layers = cast(nn.Sequential, block)
            for number, layer in enumerate(layers):
                if isinstance(layer, nn.BatchNorm2d):
                    before = cast(nn.Conv2d, layers[number - 1])
                    layers[number - 1] = fuse_conv_bn_eval(before, layer)
                    layers[number] = nn.Identity()
        return copied.to(memory_format=torch.channels_last)


def _convolved(into: int, out: int, count: int) -> nn.Sequential:
    """So many 3x3 convolutions, each normalised and rectified."""
    layers: list[nn.Module] = []
    for number in range(count):
        layers += [
            nn.Conv2d(into if number == 0 else out, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
