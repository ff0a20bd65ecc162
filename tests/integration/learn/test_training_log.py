"""Losses while a run learns: as CSV, for TensorBoard, or both; a resumed run leaves no trace."""

import csv
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from msnode.cli import extras
from msnode.cli.main import main
from msnode.learn import open_cohort, plan
from msnode.learn.train import end_to_end, training_log

Tiles = Callable[..., Path]
QUICK = replace(plan("shallow-cnn", lr=3e-3, batch=16), epochs=4, patience=0)


class Killed(Exception):
    """Stands for a kill between two epochs."""


def losses(file: Path) -> list[tuple[int, float]]:
    with file.open() as source:
        return [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(source)]


def scalars(folder: Path) -> list[tuple[int, float]]:
    found = EventAccumulator(str(folder))
    found.Reload()
    return [(event.step, event.value) for event in found.Scalars("loss")]


def fitted(index: Path, folder: Path, kind: str, stop: int | None = None) -> Path:
    def progress(_: str, done: int, __: int) -> None:
        if done == stop:
            raise Killed

    cohort = open_cohort(index, QUICK)
    folder.mkdir(exist_ok=True)
    with training_log.logging_as(kind):
        end_to_end.fit(cohort.task(cohort.splits("holdout")[0]), QUICK, folder, progress)
    return folder


def test_both_tell_the_same_and_a_killed_run_tells_it_once(tiles: Tiles, tmp_path: Path) -> None:
    index = tiles(persons=4, each=4)
    whole = fitted(index, tmp_path / "whole", "both")
    written = losses(whole / "checkpoint-log.csv")
    assert len(written) == 4
    shown = scalars(whole / "tensorboard/checkpoint")
    assert [step for step, _ in shown] == [step for step, _ in written]
    assert [loss for _, loss in shown] == pytest.approx([loss for _, loss in written], rel=1e-4)
    assert len(scalars(whole / "tensorboard/validation")) == 4
    with pytest.raises(Killed):
        fitted(index, tmp_path / "killed", "both", stop=3)
    resumed = fitted(index, tmp_path / "killed", "both")
    assert losses(resumed / "checkpoint-log.csv") == written
    assert scalars(resumed / "tensorboard/checkpoint") == scalars(whole / "tensorboard/checkpoint")


def test_one_kind_writes_nothing_of_the_other(tiles: Tiles, tmp_path: Path) -> None:
    index = tiles(persons=4, each=2)
    words = ["train", str(index), "--preset", "shallow-cnn", "--set", "epochs=1"]
    for kind in ("csv", "tensorboard"):
        done = CliRunner().invoke(main, [*words, "--out", str(tmp_path / kind), "--log", kind])
        assert done.exit_code == 0, done.output
    assert list((tmp_path / "csv").rglob("*-log.csv"))
    assert not list((tmp_path / "csv").rglob("tensorboard"))
    assert list((tmp_path / "tensorboard").rglob("events.*"))
    assert not list((tmp_path / "tensorboard").rglob("*-log.csv"))


def test_without_tensorboard_the_extra_is_named_before_the_work(
    tiles: Tiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        extras, "find_spec", lambda name: None if name == "tensorboard" else find_spec(name)
    )
    index, out = tiles(persons=3, each=1), tmp_path / "run"
    words = ["train", str(index), "--out", str(out), "--log", "both"]
    assert "pip install -e '.[tensorboard]'" in CliRunner().invoke(main, words).output
    assert not out.exists()
