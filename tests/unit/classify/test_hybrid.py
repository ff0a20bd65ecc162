"""The hybrid as the paper describes it, and the geometry of its maps."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import densenet121, inception_v3

from msnode.classify import build
from msnode.classify.backbones import DENSENET_GRID, INCEPTION_GRID, densenet, inception
from msnode.classify.contract import Grid
from msnode.classify.hybrid import PRESETS, Hybrid, ReluLstm
from msnode.records.images import Float64Array


@pytest.fixture(scope="module")
def maps(hybrid: Hybrid) -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    with torch.inference_mode():
        return hybrid.maps(torch.rand(2, 3, 224, 224))


def test_inception_gives_12_800_features(hybrid: Hybrid, maps: tuple[Tensor, ...]) -> None:
    assert maps[0].shape == (2, 2048, 5, 5)
    assert hybrid.inception.sequence(maps[0]).flatten(1).shape == (2, 12_800)


def test_densenet_gives_25_088_features(hybrid: Hybrid, maps: tuple[Tensor, ...]) -> None:
    assert maps[1].shape == (2, 1024, 7, 7)
    assert hybrid.densenet.sequence(maps[1]).flatten(1).shape == (2, 25_088)


def test_the_lstm_reads_74_steps_of_512(hybrid: Hybrid, maps: tuple[Tensor, ...]) -> None:
    sequence = hybrid.sequence(maps)
    assert sequence.shape == (2, 74, 512)
    # row by row: step 1 is the second column of the first row
    torch.testing.assert_close(sequence[:, 1], hybrid.inception.dense(maps[0])[:, :, 0, 1])
    torch.testing.assert_close(sequence[:, 25 + 8], hybrid.densenet.dense(maps[1])[:, :, 1, 1])


@pytest.mark.parametrize(("preset", "units"), [("section-5.5", 100), ("section-4.5", 150)])
def test_presets(preset: str, units: int) -> None:
    model = build("hybrid", PRESETS[preset])
    assert isinstance(model, Hybrid)
    assert isinstance(model.fusion.lstm, torch.nn.LSTM)
    assert model.fusion.lstm.hidden_size == units


def test_the_papers_activation_is_an_option() -> None:
    model = build("hybrid", {"activation": "relu"}).eval()
    assert isinstance(model, Hybrid)
    assert isinstance(model.fusion.lstm, ReluLstm)
    assert model.fusion(torch.rand(2, 74, 512)).shape == (2, 2)


def test_dense_layers_have_the_papers_widths_and_dropout(hybrid: Hybrid) -> None:
    first, _, dropout, last, _ = hybrid.inception.dense
    assert isinstance(first, torch.nn.Conv2d)
    assert isinstance(last, torch.nn.Conv2d)
    assert isinstance(dropout, torch.nn.Dropout)
    assert (first.out_channels, dropout.p, last.out_channels) == (1024, 0.5, 512)
    assert first.kernel_size == last.kernel_size == (1, 1)


def test_locations_come_with_the_logits(hybrid: Hybrid) -> None:
    with torch.inference_mode():
        logits, (fives, sevens) = hybrid.forward_with_locations(torch.rand(1, 3, 224, 224))
    assert (logits.shape, fives.shape, sevens.shape) == ((1, 2), (1, 5, 5), (1, 7, 7))


def test_torchvisions_weights_fit() -> None:
    theirs = inception_v3(weights=None, aux_logits=False, init_weights=False).state_dict()
    assert set(inception().state_dict()) == {k for k in theirs if not k.startswith("fc.")}
    assert set(densenet().state_dict()) == set(densenet121(weights=None).features.state_dict())


def relu_lstm(cell: ReluLstm, sequence: Float64Array) -> Float64Array:
    """The equations, one sequence and one step at a time."""
    w, b, u = (p.detach().double().numpy() for p in (
        cell.inputs.weight, cell.inputs.bias, cell.recurrent.weight
    ))  # fmt: skip
    state = memory = np.zeros(cell.units)
    states = []
    for step in sequence:
        i, f, g, o = np.split(w @ step + b + u @ state, 4)
        sigmoid_i, sigmoid_f, sigmoid_o = (1 / (1 + np.exp(-x)) for x in (i, f, o))
        memory = sigmoid_f * memory + sigmoid_i * np.maximum(g, 0)
        state = sigmoid_o * np.maximum(memory, 0)
        states.append(state)
    return np.stack(states)


def test_relu_lstm_follows_its_equations() -> None:
    torch.manual_seed(0)
    cell = ReluLstm(6, 4)
    sequence = torch.randn(3, 5, 6)
    states, (last, _) = cell(sequence)
    expected = np.stack([relu_lstm(cell, one.double().numpy()) for one in sequence])
    np.testing.assert_allclose(states.detach().numpy(), expected, atol=1e-5)
    torch.testing.assert_close(states[:, -1], last)


@pytest.mark.parametrize(("number", "grid"), [(0, INCEPTION_GRID), (1, DENSENET_GRID)])
def test_cells_lie_where_the_grid_says(hybrid: Hybrid, number: int, grid: Grid) -> None:
    torch.manual_seed(0)
    images = torch.rand(2, 3, 224, 224, requires_grad=True)
    backbone = copy.deepcopy((hybrid.inception, hybrid.densenet)[number].backbone)
    for layer in backbone.modules():
        if isinstance(layer, nn.Conv2d):  # small weights: the border cuts off little of the field
            layer.reset_parameters()
    cell = 2
    (gradient,) = torch.autograd.grad(backbone(images)[:, :, cell, cell + 1].sum(), images)
    weight = gradient.abs().sum((0, 1)).numpy()
    row = np.average(np.arange(224), weights=weight.sum(1))
    col = np.average(np.arange(224), weights=weight.sum(0))
    assert row == pytest.approx(grid.first + grid.stride * cell, abs=6)
    assert col == pytest.approx(grid.first + grid.stride * (cell + 1), abs=6)
