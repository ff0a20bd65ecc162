"""The papers' tables on one's own data."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from msnode import sample
from msnode.cli.main import main
from msnode.errors import ConfigError
from msnode.learn import Order, Reduction, plan, replicate
from msnode.learn.data import index_csv
from msnode.learn.runs import paper_costs, reduction
from msnode.learn.runs.replicate import TABLES
from msnode.learn.train.cohort import open_cohort

Tiles = Callable[..., Path]


def papers(index: Path, out: Path, *words: str) -> str:
    command = ["papers", str(index), "--out", str(out), *words]
    done = CliRunner(env={"COLUMNS": "120"}).invoke(main, command)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_rivals_stand_beside_the_paper_and_what_is_left_out_is_said(
    tiles: Tiles, tmp_path: Path
) -> None:
    index, out = tiles(persons=7, each=3), tmp_path / "runs"
    less = ("--paper", "shallow", "--epochs", "2", "--persons", "6", "--folds", "3")
    told = papers(index, out, *less)
    assert "shallow CNN" in told[: told.index("in all")]
    text = (out / "papers.md").read_text()
    header, _, *lines = [line for line in text.splitlines() if line.startswith("|")]
    assert "k-fold, by person" in header
    assert "by slice (leaks)" in header
    assert len(lines) == 3 * 6
    tree = next(line for line in lines if line.startswith("| decision tree | accuracy"))
    assert "0.98 or 0.8372 (Rajabzadeh et al. 2025" in tree
    cnn = next(line for line in text.splitlines() if line.startswith("- shallow CNN: "))
    assert "reduced: 12 of 14 persons; 3 folds in place of 5; epochs 2 of 20" in cnn
    assert "starts from random weights" in cnn
    assert not list(out.rglob("by-slice/bundle"))  # nobody should serve what leaked
    before = sorted(out.rglob("*.safetensors"))
    assert "finished" in papers(index, out, *less)  # a finished run is read, not repeated
    assert sorted(out.rglob("*.safetensors")) == before


def test_a_dry_run_trains_nothing(tiles: Tiles, tmp_path: Path) -> None:
    told = papers(tiles(persons=6, each=2), tmp_path / "runs", "--paper", "shallow", "--dry-run")
    assert "decision tree" in told
    assert not list(tmp_path.rglob("config.json"))


def test_an_unknown_table_or_model_is_named(tiles: Tiles, tmp_path: Path) -> None:
    index = tiles(persons=3, each=1)
    with pytest.raises(ConfigError, match="no such table; use one of hybrid, shallow, swin"):
        replicate(index, tmp_path, Order(("vgg",)), lambda *_: None)
    with pytest.raises(ConfigError, match="no such model; use one of Swin-T"):
        replicate(index, tmp_path, Order(("swin",), ("ViT",)), lambda *_: None)


def test_every_model_is_as_in_its_paper_unless_it_says_otherwise() -> None:
    for model in (model for models in TABLES.values() for model in models):
        how = Order().plan(model)
        assert (how.filled, how.locations, how.target) == (False, 0, "label")
        assert reduction.said(model.preset, how, (4, 4), (5, 5)) == ""
    titles = [model.title for model in TABLES["hybrid"]]
    assert "hybrid end to end" in titles
    whole = Order(changes={"target": "lesions"}, less=Reduction(epochs=3, slices=8))
    how = whole.plan(TABLES["hybrid"][3])
    told = reduction.said("hybrid-section-5.5", how, (3, 4), (0, 0))
    assert told == "reduced: 3 of 4 persons; epochs 3 of 10; at most 8 slices of a scan"


def test_slices_are_spread_over_the_scan(tmp_path: Path) -> None:
    index = tmp_path / "index.csv"
    index_csv.write(index, [index_csv.Row(sample.nifti(), "p", "ms", sequence="FLAIR")])
    every, few = (
        open_cohort(index, plan("shallow-cnn", max_slices=most)).examples for most in (0, 4)
    )
    assert len(every.rows) > len(few.rows) == 4
    assert few.heights_mm[0] == every.heights_mm[0]
    assert few.heights_mm[-1] == every.heights_mm[-1]
    assert few.pixels.shape[0] == few.lesions.shape[0] == 4
    with pytest.raises(ConfigError, match="max_slices is -1"):
        plan("shallow-cnn", max_slices=-1)


def test_the_estimate_follows_epochs_images_and_stages(
    tiles: Tiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, look = paper_costs.seconds("shallow_cnn")
    assert 0 < look < step < 1
    monkeypatch.setattr(paper_costs, "seconds", lambda _: (3.0, 1.0))
    monkeypatch.setattr(paper_costs, "_fusion_step", lambda: 0.5)
    how = plan("shallow-cnn", epochs=2)
    split = open_cohort(tiles(persons=5, each=2), how).splits("k-fold")[0]
    taught, watched, tested = (len(p) for p in (split.train, split.validation, split.test))
    judged, epoch = watched + tested, 3 * taught + watched
    assert paper_costs.of_split(how, split) == 2 * epoch + judged
    two = plan("hybrid-section-5.5", epochs=2, examples=32, fusion_steps=10)
    assert paper_costs.of_split(two, split) == 2 * 2 * epoch + 32 + 5 + judged
    assert paper_costs.of_split(plan("svm"), split) < 1
