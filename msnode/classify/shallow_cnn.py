"""The shallow CNN of Rajabzadeh, Hashemi Kamangar & Jalalzadeh 2025 for 64x64 FLAIR slices."""

from itertools import pairwise

from torch import Tensor, nn

from msnode.classify.contract import Classifier, Grid
from msnode.records.images import InputContract


class ShallowCnn(Classifier):
    """Convolution, ReLU, average pooling (three times), fully connected, dropout, Dense 2.

    The paper names the kinds of layers but not their number and widths.

    Args:
        channels: of the three convolutions.
        hidden: width of the fully connected layer.
        dropout: after it.
    """

    contract = InputContract(("FLAIR",), 64, 64, channels=1, normalisation="zscore")
    grids = (Grid(stride=8, first=3.5),)

    def __init__(
        self,
        channels: tuple[int, int, int] = (16, 32, 64),
        hidden: int = 128,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        widths = (self.contract.channels, *channels)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)]
        self.convolutions = nn.Sequential(*layers)
        self.top = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels[-1] * 8 * 8, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 2),
        )

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """(n, 1, 64, 64), mean 0 and sd 1 an image, to (n, channels, 8, 8)."""
        return (self.convolutions(images),)

    def head(self, maps: tuple[Tensor, ...]) -> Tensor:
        """The map to logits (n, 2)."""
        logits: Tensor = self.top(maps[0])
        return logits
