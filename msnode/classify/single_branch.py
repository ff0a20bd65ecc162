"""The two halves of the hybrid, each alone: the paper's single networks, for the ablation."""

from torch import Tensor, nn

from msnode.classify.backbones import (
    DENSENET_GRID,
    INCEPTION_GRID,
    Branch,
    densenet_branch,
    inception_branch,
)
from msnode.classify.contract import Classifier
from msnode.records.images import InputContract


class SingleBranch(Classifier):
    """One branch, its features flattened, Dense 2.

    Args:
        branch: the backbone with its dense layers.
        features: the branch's output for one image: locations x 512.
        dropout: before the last layer.
    """

    contract = InputContract(("FLAIR",), 224, 224)

    def __init__(self, branch: Branch, features: int, dropout: float) -> None:
        super().__init__()
        self.branch = branch
        self.fusion = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(features, 2))

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """(n, 3, 224, 224) in [0, 1] to the backbone's last map."""
        return (self.branch.backbone(images),)

    def sequence(self, maps: tuple[Tensor, ...]) -> Tensor:
        """The map to its locations (n, h x w, 512), as ``Hybrid.sequence``."""
        return self.branch.sequence(maps[0])

    def head(self, maps: tuple[Tensor, ...]) -> Tensor:
        """The map to logits (n, 2)."""
        logits: Tensor = self.fusion(self.sequence(maps))
        return logits

    def locations(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The map to lesion logits (n, h, w)."""
        return (self.branch.locations(maps[0]),)


class Inception(SingleBranch):
    """m-InceptionV3 alone: 12,800 features."""

    grids = (INCEPTION_GRID,)

    def __init__(self, dropout: float = 0.5) -> None:
        super().__init__(inception_branch(), 12_800, dropout)


class DenseNet(SingleBranch):
    """m-DenseNet121 alone: 25,088 features."""

    grids = (DENSENET_GRID,)

    def __init__(self, dropout: float = 0.5) -> None:
        super().__init__(densenet_branch(), 25_088, dropout)
