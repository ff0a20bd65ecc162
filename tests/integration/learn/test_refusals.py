"""What cannot be run is refused before its folder is claimed and its images are prepared."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from msnode.cli import extras
from msnode.cli.main import main
from msnode.learn import plan, train
from msnode.learn.data import index_csv
from msnode.learn.train import cohort, label_maps

Tiles = Callable[..., Path]

BAD = {
    "no such architecture": ["train", "--set", "architecture=vgg"],
    "an argument that it does not take": ["train", "--set", "arguments={heads: 3}"],
    "two stages of what has one": ["crossval", "--preset", "swin", "--set", "two_stage=true"],
    "frozen without weights": ["crossval", "--set", "frozen=true"],
    "weights that are not there": ["train", "--set", "weights=nowhere.safetensors"],
    "too many folds": ["crossval", "--preset", "svm", "--folds", "99"],
    "one site": ["crossval", "--preset", "svm", "--scheme", "leave-one-site-out"],
    "no masks": ["train", "--preset", "shipped"],
    "no masks to outline": ["train", "--preset", "lesions"],
    "an earlier run that is not there": ["train", "--preset", "lesions", "--set", "start=x"],
    "a label that nobody has": ["train", "--preset", "svm", "--set", "positive=als"],
    "a bundle of a rival": ["train", "--preset", "svm", "--scheme", "everyone"],
    "folds of the naive classifier": ["baseline", "--folds", "2"],
}


@pytest.mark.parametrize("words", BAD.values(), ids=BAD)
def test_settings_that_cannot_work_claim_no_folder(
    words: list[str], tiles: Tiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepared(*_: object) -> None:
        pytest.fail("images were prepared")

    monkeypatch.setattr(cohort, "load", prepared)
    monkeypatch.setattr(label_maps, "load", prepared)
    index, out = tiles(persons=3, each=1), tmp_path / "runs" / "one"
    command, *settings = words
    done = CliRunner().invoke(main, [command, str(index), "--out", str(out), *settings])
    assert done.exit_code == 1, done.output
    assert done.output.strip().startswith("Error: ")
    assert not out.parent.exists()


def test_weights_without_effect_are_refused(tiles: Tiles, tmp_path: Path) -> None:
    index = tiles(persons=3, each=1)
    rows = [replace(row, lesions=row.path) for row in index_csv.read(index)]
    index_csv.write(index, rows)
    save_file({"x": torch.zeros(1)}, tmp_path / "some.safetensors")
    words = ["--preset", "shipped", "--set", f"weights={tmp_path / 'some.safetensors'}"]
    done = CliRunner().invoke(main, ["train", str(index), "--out", str(tmp_path / "run"), *words])
    assert "teaches from scratch" in done.output


def test_another_runs_folder_is_left_as_it_was(tiles: Tiles, tmp_path: Path) -> None:
    index, out = tiles(persons=4, each=2), tmp_path / "run"
    train(index, out, plan("svm"))
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*")}
    done = CliRunner().invoke(
        main, ["train", str(index), "--out", str(out), "--preset", "decision-tree"]
    )
    assert "holds a run with another configuration" in done.output
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*")} == before
    assert json.loads((out / "config.json").read_text())["plan"]["architecture"] == "svm"


@pytest.mark.parametrize(
    "words",
    [
        ["train"],
        ["crossval"],
        ["evaluate", "--bundle", "x"],
        ["baseline"],
        ["papers"],
        ["ablate", "--test", "{index}"],
        ["data", "check"],
        ["data", "draft"],
        ["data", "thicken"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_without_the_extra_each_command_says_so_first(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    index = tmp_path / "index.csv"
    index.write_text("nothing that could be read\n")
    told = [word.format(index=index) for word in words]
    at = 2 if told[0] == "data" else 1
    command = [*told[:at], str(index), "--out", str(tmp_path / "out"), *told[at:]]
    done = CliRunner().invoke(main, command)
    assert "scikit-learn and matplotlib are missing" in done.output
    assert "pip install -e '.[learn]'" in done.output
    assert not (tmp_path / "out").exists()
