"""The papers' tables on one's own data."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from msnode.cli.main import main
from msnode.errors import ConfigError
from msnode.learn import replicate

Tiles = Callable[..., Path]


@pytest.mark.long
def test_the_rivals_stand_beside_the_paper(tiles: Tiles, tmp_path: Path) -> None:
    index, out = tiles(persons=6, each=3), tmp_path / "runs"
    words = ["papers", str(index), "--out", str(out), "--paper", "shallow", "--set", "epochs=2"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    text = (out / "papers.md").read_text()
    header, _, *lines = [line for line in text.splitlines() if line.startswith("|")]
    assert "k-fold, by person" in header
    assert "by slice (leaks)" in header
    assert len(lines) == 3 * 6
    tree = next(line for line in lines if line.startswith("| decision tree | accuracy"))
    assert "0.98 or 0.8372 (Rajabzadeh et al. 2025" in tree
    assert not list(out.rglob("by-slice/bundle"))  # nobody should serve what leaked
    before = sorted(out.rglob("*.safetensors"))
    assert CliRunner().invoke(main, words).exit_code == 0  # a finished run is read, not repeated
    assert sorted(out.rglob("*.safetensors")) == before


def test_an_unknown_table_is_named(tiles: Tiles, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such table; use one of hybrid, shallow, swin"):
        replicate(tiles(persons=3, each=1), tmp_path, ["vgg"], {}, lambda *_: None)
