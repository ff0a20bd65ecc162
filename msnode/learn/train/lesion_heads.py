"""Stage one of Algorithm 1: training the extractors with lesion masks.

Beside the 7x7 and 5x5 maps that the fusion sees, two finer maps of each backbone get a linear
head for the same question, "is there a lesion here?" (deep supervision). These heads exist during
training only; with them a few hundred slices suffice to train a deep network from scratch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from msnode.classify.backbones import (
    DENSENET_GRID,
    INCEPTION_GRID,
    Branch,
    densenet_branch,
    inception_branch,
)
from msnode.classify.contract import Grid
from msnode.learn.synth.composition import bearing


def cells(masks: Tensor, grid: Grid, count: int) -> Tensor:
    """Amount of lesion in every cell of a feature map.

    Args:
        masks: (n, 1, rows, cols) float32.
        grid: where the cells lie on the image.
        count: cells along each side.

    Returns:
        (n, count, count) float32 in [0, 1]: 1 for four or more lesion pixels in a cell.
    """
    start = round(grid.first - grid.stride / 2)
    end = start + grid.stride * count
    margin = (max(0, -start), max(0, end - masks.shape[-1]))
    start, end = start + margin[0], end + margin[0]
    region = functional.pad(masks, margin * 2)[..., start:end, start:end]
    amount = functional.avg_pool2d(region, grid.stride) * grid.stride**2
    return (amount / 4).clamp(0, 1)[:, 0]


class LesionSupervised(nn.Module):
    """A branch of the hybrid with two more lesion heads, on finer maps.

    Args:
        branch: backbone, dense head and its own location head.
        taps: names of the backbone's children whose outputs get a head, with their channels
            and grid; finest first.
        last: grid of the branch's last map.
    """

    def __init__(self, branch: Branch, taps: dict[str, tuple[int, Grid]], last: Grid) -> None:
        super().__init__()
        self.branch, self.taps = branch, tuple(taps)
        self.grids = [*(grid for _, grid in taps.values()), last]
        self.heads = nn.ModuleList(_head(channels) for channels, _ in taps.values())

    def forward(self, images: Tensor) -> list[Tensor]:
        """(n, 3, rows, cols) to one (n, cells, cells) map of logits per head, finest first."""
        value, maps = images, []
        for name, layer in self.branch.backbone.named_children():
            value = layer(value)
            if name in self.taps:
                maps.append(value)
        fine = [head(m)[:, 0] for head, m in zip(self.heads, maps, strict=True)]
        return [*fine, self.branch.locations(value)]


def _head(channels: int) -> nn.Sequential:
    """(n, channels, h, w) to (n, 1, h, w) logits, which start at "no lesion"."""
    last = nn.Conv2d(channels, 1, 1)
    nn.init.constant_(last.bias, -3.0)  # type: ignore[arg-type]
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), last)


def location_loss(
    logits: list[Tensor], masks: Tensor, grids: list[Grid], positive: float = 3.0
) -> Tensor:
    """Mean over resolutions of the binary cross-entropy per location.

    Args:
        logits: from ``LesionSupervised``.
        masks: (n, 1, rows, cols) float32.
        grids: where the cells lie.
        positive: weight of a lesion cell; they are few.
    """
    weight = torch.tensor(positive, device=masks.device)
    losses = [
        functional.binary_cross_entropy_with_logits(
            out.float(), cells(masks, grid, out.shape[-1]), pos_weight=weight
        )
        for out, grid in zip(logits, grids, strict=True)
    ]
    return torch.stack(losses).mean()


def label_loss(logits: list[Tensor], masks: Tensor) -> Tensor:
    """Cross-entropy of "a lesion somewhere?", answered by each map's highest location.

    This is all that can be asked without lesion locations (multiple-instance learning); for
    comparison with ``location_loss``.

    Args:
        logits: from ``LesionSupervised``.
        masks: (n, 1, rows, cols) float32.
    """
    wanted = bearing(masks)
    losses = [
        functional.binary_cross_entropy_with_logits(out.float().flatten(1).amax(1), wanted)
        for out in logits
    ]
    return torch.stack(losses).mean()


def taught(half: str) -> LesionSupervised:
    """A fresh ``inception`` or ``densenet`` branch with its lesion heads."""
    if half == "inception":
        taps = {"Mixed_5d": (288, Grid(8, 13)), "Mixed_6e": (768, Grid(16, 21))}
        model = LesionSupervised(inception_branch(), taps, INCEPTION_GRID)
    else:
        taps = {"denseblock2": (512, Grid(8, 2)), "denseblock3": (1024, Grid(16, 6))}
        model = LesionSupervised(densenet_branch(), taps, DENSENET_GRID)
    return model
