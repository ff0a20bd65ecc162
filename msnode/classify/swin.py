"""Swin Transformer, the most consistent network of RAAK KIEM.HT.01.079: torchvision's swin_t."""

from torch import Tensor, nn
from torchvision.models import swin_t

from msnode.classify.backbones import imagenet
from msnode.classify.contract import Classifier, Grid
from msnode.records.images import InputContract


class Swin(Classifier):
    """Swin-T with global average pooling and Dense 2.

    Args:
        dropout: before the last layer.
    """

    contract = InputContract(("FLAIR",), 224, 224)
    grids = (Grid(stride=32, first=15.5),)

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        whole = swin_t(weights=None)
        self.input = imagenet()
        self.features, self.norm = whole.features, whole.norm
        self.top = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(768, 2)
        )

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """(n, 3, 224, 224) in [0, 1] to (n, 768, 7, 7)."""
        tokens: Tensor = self.norm(self.features(self.input(images)))
        return (tokens.permute(0, 3, 1, 2),)

    def head(self, maps: tuple[Tensor, ...]) -> Tensor:
        """The map to logits (n, 2)."""
        logits: Tensor = self.top(maps[0])
        return logits
