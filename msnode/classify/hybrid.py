"""The fused CNN-LSTM: InceptionV3 and DenseNet121 read by an LSTM, location by location.

Palaniappan & Rathinavelayutham 2025. The dense layers behind each backbone act on every location
of its last map, 25 and 49 of them; the 74 locations of 512 features are the sequence of the LSTM.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from msnode.classify.backbones import (
    DENSENET_GRID,
    INCEPTION_GRID,
    densenet_branch,
    inception_branch,
)
from msnode.classify.contract import Classifier
from msnode.records.images import InputContract

PRESETS: dict[str, dict[str, Any]] = {"section-5.5": {"units": 100}, "section-4.5": {"units": 150}}
"""Arguments of ``Hybrid`` by the section of the paper that describes them."""

STEPS, WIDTH = 74, 512


class ReluLstm(nn.Module):
    """An LSTM with ReLU in place of both tanh, as in the paper; cuDNN and oneDNN have tanh only.

    Args:
        features: of a step of the input.
        units: of the state.
    """

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.units = units
        self.inputs = nn.Linear(features, 4 * units)
        self.recurrent = nn.Linear(units, 4 * units, bias=False)
        nn.init.orthogonal_(self.recurrent.weight, gain=0.5)  # unbounded states must not run away

    def forward(self, sequence: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(n, steps, features) to (n, steps, units), and the last state and cell (n, units)."""
        state = cell = sequence.new_zeros(len(sequence), self.units)
        states = []
        for step in self.inputs(sequence).unbind(1):
            gates = step + self.recurrent(state)
            i, f, g, o = gates.chunk(4, 1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.relu()
            state = o.sigmoid() * cell.relu()
            states.append(state)
        return torch.stack(states, 1), (state, cell)


class Fusion(nn.Module):
    """LSTM with batch norm, Flatten, two Dense+BatchNorm+ReLU blocks, Dense 2.

    The paper gives no widths for the two blocks; ``hidden`` keeps them small for small cohorts.

    Args:
        units: of the LSTM.
        activation: of the LSTM.
        hidden: widths of the two blocks.
        dropout: between the blocks.
    """

    def __init__(
        self,
        units: int,
        activation: Literal["tanh", "relu"],
        hidden: tuple[int, int],
        dropout: float,
    ) -> None:
        super().__init__()
        if activation not in ("tanh", "relu"):
            raise ValueError(f"activation is {activation!r}; use tanh or relu")
        relu = activation == "relu"
        self.lstm = ReluLstm(WIDTH, units) if relu else nn.LSTM(WIDTH, units, batch_first=True)
        self.norm = nn.BatchNorm1d(units)
        first, second = hidden
        self.blocks = nn.Sequential(
            nn.Flatten(),
            *_block(STEPS * units, first),
            nn.Dropout(dropout),
            *_block(first, second),
            nn.Linear(second, 2),
        )

    def forward(self, sequence: Tensor) -> Tensor:
        """(n, 74, 512) to logits (n, 2)."""
        states, _ = self.lstm(sequence)
        logits: Tensor = self.blocks(self.norm(states.transpose(1, 2)))
        return logits


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Dense, batch norm, ReLU."""
    return nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()


class Hybrid(Classifier):
    """The default classifier; see the module's docstring.

    Args:
        units: of the LSTM; ``PRESETS`` has the paper's two values.
        activation: of the LSTM; tanh is served, relu is the paper's.
        hidden: widths of the two dense blocks.
        dropout: between them.
    """

    contract = InputContract(("FLAIR",), 224, 224)
    grids = (INCEPTION_GRID, DENSENET_GRID)

    def __init__(
        self,
        units: int = 100,
        activation: Literal["tanh", "relu"] = "tanh",
        hidden: tuple[int, int] = (256, 64),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.inception = inception_branch()
        self.densenet = densenet_branch()
        self.fusion = Fusion(units, activation, hidden, dropout)

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """(n, 3, 224, 224) in [0, 1] to (n, 2048, 5, 5) and (n, 1024, 7, 7)."""
        return self.inception.backbone(images), self.densenet.backbone(images)

    def sequence(self, maps: tuple[Tensor, ...]) -> Tensor:
        """The maps to (n, 74, 512): 25 locations of InceptionV3, then 49 of DenseNet121.

        Algorithm 1's stacked features: cache these to train ``fusion`` alone.
        """
        parts = self.inception.sequence(maps[0]), self.densenet.sequence(maps[1])
        return torch.cat(parts, 1)

    def head(self, maps: tuple[Tensor, ...]) -> Tensor:
        """The maps to logits (n, 2)."""
        logits: Tensor = self.fusion(self.sequence(maps))
        return logits

    def locations(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The maps to lesion logits (n, 5, 5) and (n, 7, 7)."""
        return self.inception.locations(maps[0]), self.densenet.locations(maps[1])
