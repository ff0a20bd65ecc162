"""Every classifier of the table keeps the contract."""

from importlib.metadata import EntryPoint

import pytest
import torch
from torch import nn

from msnode.classify import TABLE, architectures, build, contract
from msnode.errors import ConfigError


@pytest.mark.parametrize("name", TABLE)
def test_images_become_two_logits(name: str) -> None:
    model = build(name).eval()
    c = model.contract
    with torch.inference_mode():
        maps = model.maps(torch.rand(1, c.channels, c.rows, c.cols))
        logits, locations = model.head(maps), model.locations(maps)
    assert logits.shape == (1, 2)
    assert logits.isfinite().all()
    assert len(maps) == len(model.grids)
    for grid, features in zip(model.grids, maps, strict=True):
        assert grid.first >= 0
        assert grid.first + grid.stride * (features.shape[-1] - 1) < c.cols
    if locations:
        assert [x.shape for x in locations] == [(1, *m.shape[2:]) for m in maps]


def test_an_unknown_architecture_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'hybird' is unknown; use one of densenet, hybrid"):
        build("hybird")


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ConfigError, match=r"'shallow_cnn' cannot be built.*depth"):
        build("shallow_cnn", {"depth": 3})


def test_a_wrong_activation_is_named() -> None:
    with pytest.raises(ConfigError, match="activation is 'gelu'; use tanh or relu"):
        build("hybrid", {"activation": "gelu"})


def test_other_packages_add_classifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("theirs", "msnode.classify.shallow_cnn:ShallowCnn", contract.ENTRY_POINTS),
        EntryPoint("hybrid", "nowhere:Nothing", contract.ENTRY_POINTS),
        EntryPoint("no_classifier", "torch.nn:Identity", contract.ENTRY_POINTS),
    ]
    monkeypatch.setattr(contract, "entry_points", lambda group: points)
    assert architectures()["hybrid"] == TABLE["hybrid"], "nobody replaces ours"
    assert isinstance(build("theirs"), nn.Module)
    with pytest.raises(ConfigError, match=r"Identity is no msnode\.classify\.Classifier"):
        build("no_classifier")
