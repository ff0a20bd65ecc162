"""Heads get their lesions exchanged, and a classifier learns from them what lesions say of MS."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any, cast

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner

from msnode.classify import load_bundle
from msnode.cli.main import main
from msnode.config import LESIONS
from msnode.learn.data.examples import load as load_examples
from msnode.learn.data.index_csv import Row
from msnode.learn.data.ras_nifti import load as load_volume
from msnode.learn.synth.looks import CHANGES
from msnode.lesions import load
from msnode.records.images import InputContract
from msnode.sample import LJUBLJANA, TABRIZ
from tests.acceptance.small_model import small_model


def invoke(*words: object) -> str:
    done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def every_second_slice(folder: Path) -> Path:
    """Of the sample of Ljubljana, for half of the work."""
    file = folder / "two.nii.gz"
    scan = cast(Any, nibabel.load(LJUBLJANA.nifti))
    scan.slicer[:, :, ::2].to_filename(file)
    return file


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample scans, and their twins with and without the lesions of somebody else."""
    folder = tmp_path_factory.mktemp("twins")
    mask = np.zeros((91, 109, 91), np.uint8)
    for x, y, z in ((38, 78, 46), (52, 78, 48), (36, 60, 50), (56, 56, 50), (40, 70, 54)):
        mask[x - 2 : x + 3, y - 3 : y + 3, z - 2 : z + 3] = 1
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-90, -126, -72]
    (folder / "masks").mkdir()
    nibabel.Nifti1Image(mask, affine).to_filename(folder / "masks/one.nii.gz")
    with (folder / "index.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("path", "person", "label", "site"))
        writer.writerow((TABRIZ.nifti, "one", "ms", "a"))
        writer.writerow((every_second_slice(folder), "two", "other", "b"))
    told = invoke(
        "data", "exchange", folder / "index.csv", "--masks", folder / "masks", "--out",
        folder / "out",
    )  # fmt: skip
    assert "2 scans and 5 twins" in told
    return folder / "out/index.csv"


@pytest.fixture(scope="module")
def run(twins: Path) -> Path:
    """A run upon them."""
    folder = twins.parent.parent / "run"
    small_model(twins.parent / "model")
    told = invoke("calibrate", twins, "--bundle", twins.parent / "model", "--out", folder)
    assert "sensitivity" in told
    return folder


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def test_twins_are_labelled_by_the_lesions_that_they_have(twins: Path) -> None:
    found = [(row["person"], row["label"], row["role"]) for row in rows(twins)]
    assert found == [
        ("one", "ms", ""),
        ("one", "healed", "train"),
        ("one", "ms", "train"),
        ("two", "other", ""),
        ("two", "healed", "train"),
        ("two", "ms", "train"),
        ("two", "ms", "train"),
    ]


def test_what_is_filled_in_is_not_outlined_and_what_is_moved_in_is(run: Path) -> None:
    counts = [int(row["count"]) for row in rows(run / "scans.csv")]
    one, healed, moved, two, healed_too, moved_too, added = counts
    assert healed < one / 3
    assert healed_too < two
    assert moved > healed
    assert moved_too > healed_too
    assert added >= two


def test_the_bundle_has_a_rule_for_this_network_and_loads(run: Path, twins: Path) -> None:
    made, before = load_bundle(run / "bundle"), load_bundle(twins.parent / "model")
    rule = made.manifest.pattern
    assert rule is not None
    assert rule.network == load(LESIONS).manifest.digest
    assert rule.count >= 0
    assert rule.place >= 0
    assert made.manifest.rule.top_mm == 20
    assert made.manifest.digest != before.manifest.digest
    assert made.manifest.sensitivity is None  # of the rule before


def test_a_run_that_goes_on_outlines_nothing_again(run: Path, twins: Path) -> None:
    for file in (run / "outlines").iterdir():
        seen = json.loads(file.read_bytes())
        file.write_text(json.dumps(seen | {"count": 7}))
    invoke("calibrate", twins, "--bundle", twins.parent / "model", "--out", run)
    assert {row["count"] for row in rows(run / "scans.csv")} == {"7"}


def test_another_classifier_may_be_asked_for_a_person(
    run: Path, twins: Path, tmp_path: Path
) -> None:
    small_model(tmp_path / "other", seed=1)
    (tmp_path / "who.csv").write_text(f"person,bundle\ntwo,{tmp_path / 'other'}\n")
    (tmp_path / "run").mkdir()
    shutil.copytree(run / "outlines", tmp_path / "run/outlines")
    usual = {row["path"]: row["classifier"] for row in rows(run / "scans.csv")}
    told = ("--bundle", twins.parent / "model", "--classifiers", tmp_path / "who.csv")
    invoke("calibrate", twins, *told, "--out", tmp_path / "run")
    for row in rows(tmp_path / "run/scans.csv"):
        assert (row["classifier"] == usual[row["path"]]) == (row["person"] == "one"), row["path"]


def test_an_index_of_one_class_is_refused_before_any_work(twins: Path, tmp_path: Path) -> None:
    words = ["calibrate", str(twins), "--positive", "nobody", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code != 0
    assert "'nobody'" in done.output
    assert not (tmp_path / "run").exists()


def test_a_scan_is_varied_as_others_would_have_made_it(tmp_path: Path) -> None:
    with (tmp_path / "index.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("path", "person", "label", "site"))
        writer.writerow((every_second_slice(tmp_path), "two", "other", "b"))
    told = invoke("data", "vary", tmp_path / "index.csv", "--out", tmp_path / "out")
    assert f"1 scans and {len(CHANGES)} copies" in " ".join(told.split())
    made = rows(tmp_path / "out/index.csv")
    assert [row["role"] for row in made] == ["", *["train"] * len(CHANGES)]
    assert {(row["person"], row["label"], row["site"]) for row in made} == {("two", "other", "b")}
    copies = [load_volume(tmp_path / "out" / row["path"]) for row in made[1:]]
    # the sagittal one is the thin one, stored along another axis
    assert len({copy.voxels.tobytes() for copy in copies}) == len(CHANGES) - 1
    thick = [float(copy.spacing_mm[2]) for copy in copies]
    assert min(thick) < 1.1
    assert max(thick) > 5.5


def test_of_a_sagittal_scan_the_slices_that_were_made_count(tmp_path: Path) -> None:
    scan = cast(Any, nibabel.load(TABRIZ.nifti))
    voxels, affine = CHANGES["3-D, sagittal"]((np.asarray(scan.dataobj, np.float32), scan.affine))
    file = tmp_path / "sagittal.nii.gz"
    nibabel.Nifti1Image(voxels, affine).to_filename(file)
    examples = load_examples([Row(file, "one", "ms")], InputContract(("FLAIR",), 224, 224))
    assert set(examples.acquisition[:, 1]) == {3.0}, "not the 0.9 mm of its own slices"
