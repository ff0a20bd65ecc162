"""A bundle knows whom it learned from, and says so when it is measured on them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from msnode.classify import load_bundle
from msnode.cli.main import main
from msnode.learn import open_cohort, plan, train
from msnode.learn.data import index_csv
from msnode.records import learned_persons as persons_module
from msnode.records.learned_persons import LearnedPersons, learned_persons

Tiles = Callable[..., Path]
QUICK = plan("shallow-cnn", lr=3e-3, epochs=2, batch=16)


@pytest.fixture
def trained(tiles: Tiles, tmp_path: Path) -> tuple[Path, Path]:
    """An index, and a bundle that learned from most of its persons."""
    index = tiles(persons=8, each=2)
    train(index, tmp_path / "run", QUICK)
    return index, tmp_path / "run" / "bundle"


def evaluated(index: Path, bundle: Path, out: Path) -> tuple[str, dict[str, object], str]:
    words = ["evaluate", str(index), "--bundle", str(bundle), "--out", str(out)]
    done = CliRunner(env={"COLUMNS": "200"}).invoke(main, [*words, "--preset", "shallow-cnn"])
    assert done.exit_code == 0, done.output
    found = json.loads((out / "metrics.json").read_text())
    return done.output, found, (out / "papers.md").read_text()


def test_persons_of_the_training_are_told_and_measured_apart(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    index, bundle = trained
    told, written, report = evaluated(index, bundle, tmp_path / "same")
    warning = "THE BUNDLE LEARNED FROM 12 OF THESE 16 PERSONS"
    assert warning in told.replace("\n", " ")
    assert warning in report
    assert "2 of these 16 persons set the bundle's calibration" in report
    persons = written["persons"]
    assert isinstance(persons, dict)
    assert (persons["known"], persons["learned"], persons["calibrated"], persons["unseen"]) == (
        True, 12, 2, 2,
    )  # fmt: skip
    for group in ("of_unseen", "of_seen"):
        assert 0 <= persons[group]["slices"]["accuracy"]["value"] <= 1
        assert persons[group]["studies"]["accuracy"]["low"] is not None
    assert "| measure, per image | unseen persons | seen persons |" in report
    cohort = open_cohort(index, QUICK)
    split = cohort.splits("holdout")[0]
    strangers = {cohort.persons[row] for row in split.test}
    fresh = tmp_path / "tiles" / "fresh.csv"
    index_csv.write(fresh, [row for row in index_csv.read(index) if row.person in strangers])
    told, written, report = evaluated(fresh, bundle, tmp_path / "fresh")
    assert "WARNING" not in told
    assert written["persons"] == {"known": True, "learned": 0, "calibrated": 0, "unseen": 2}


def test_a_bundle_without_a_list_says_that_it_is_not_known(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    index, bundle = trained
    manifest = yaml.safe_load((bundle / "bundle.yaml").read_text())
    del manifest["persons"]
    (bundle / "bundle.yaml").write_text(yaml.safe_dump(manifest))
    assert load_bundle(bundle).manifest.persons is None, "the digest does not cover it"
    told, written, report = evaluated(index, bundle, tmp_path / "old")
    assert "not known whether the bundle learned from these persons" in told.replace("\n", " ")
    assert "not known whether" in report
    assert written["persons"] == {"known": False}


def test_the_list_recognises_persons_and_names_nobody(trained: tuple[Path, Path]) -> None:
    index, bundle = trained
    text = (bundle / "bundle.yaml").read_text()
    assert not [row.person for row in index_csv.read(index) if row.person in text]
    first, second = (learned_persons(["p1", "p2"], ["p2", "p3"]) for _ in range(2))
    assert not set(first.learned) & set(second.learned), "each bundle has a salt of its own"
    found = [first.acquaintance(name) for name in ("p1", "p2 ", "p3", "p4")]
    assert found == ["learned", "learned", "calibrated", "unseen"]
    assert persons_module.COST >= 2**13


def test_going_on_from_another_run_is_told(tiles: Tiles, tmp_path: Path) -> None:
    from msnode.learn.evaluate.seen_persons import acquainted

    known: LearnedPersons = replace(learned_persons(["a"]), others=True)
    assert acquainted(known, ["b"]).warnings == (
        "an earlier run taught the bundle persons that it does not list",
    )
