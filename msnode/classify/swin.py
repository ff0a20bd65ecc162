"""Swin Transformer, the most consistent network of RAAK KIEM.HT.01.079; as torchvision has it."""

from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.models import SwinTransformer

from msnode.classify.backbones import imagenet
from msnode.classify.contract import Classifier, Grid
from msnode.records.images import InputContract

HEAD = 32
"""Channels of an attention head (Liu et al. 2021)."""


class Swin(Classifier):
    """Swin with global average pooling and Dense 2; by default Swin-T, with its names of weights.

    Args:
        dropout: before the last layer.
        width: channels of the first stage; each further one has twice as many.
        depths: blocks of the four stages.
    """

    contract = InputContract(("FLAIR",), 224, 224)
    grids = (Grid(stride=32, first=15.5),)

    def __init__(
        self, dropout: float = 0.2, width: int = 96, depths: Sequence[int] = (2, 2, 6, 2)
    ) -> None:
        super().__init__()
        if width < HEAD or width % HEAD or len(depths) != 4:
            raise ValueError(f"width must be a multiple of {HEAD}, and depths four numbers")
        heads = [width // HEAD * 2**stage for stage in range(4)]
        whole = SwinTransformer([4, 4], width, [*depths], heads, [7, 7], stochastic_depth_prob=0.2)
        self.input = imagenet()
        self.features, self.norm = whole.features, whole.norm
        self.top = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(8 * width, 2)
        )

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """(n, 3, 224, 224) in [0, 1] to (n, 8 * width, 7, 7)."""
        tokens: Tensor = self.norm(self.features(self.input(images)))
        return (tokens.permute(0, 3, 1, 2),)

    def head(self, maps: tuple[Tensor, ...]) -> Tensor:
        """The map to logits (n, 2)."""
        logits: Tensor = self.top(maps[0])
        return logits
