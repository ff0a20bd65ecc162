"""The network that outlines: it learns, killed runs go on, its bundle serves `msnode lesions`."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from pydicom.uid import generate_uid
from torch import nn

from msnode import lesions, sample
from msnode.cli.main import main
from msnode.learn.data.index_csv import Row, read, write
from msnode.learn.train import label_maps, outlining
from msnode.learn.train.label_maps import REST
from msnode.learn.train.loop import Schedule
from msnode.lesions.outline import LESION, VENTRICLE, probabilities
from msnode.sample import TABRIZ, Identity
from tests.unit.lesions.heads import head, lesion_at

PLACES = ((-24.0, -36.0, 24.0), (-38.0, 30.0, 30.0), (28.0, 8.0, 34.0), (26.0, -50.0, 30.0))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three persons, each with lesions elsewhere, of another brightness."""
    folder = tmp_path_factory.mktemp("heads")
    rng = np.random.default_rng(0)
    rows = []
    for person in range(3):
        drawn = head(slices=9, thickness=12.0)
        for x, y, z in PLACES[person:] + PLACES[:person][:2]:
            lesion_at(drawn, (x, y, z), (10.0, 8.0, 1 + person % 2))
        noisy = drawn.volume.voxels * (1 + person) + rng.normal(0, 3, drawn.labels.shape)
        names = {
            "flair": noisy.astype(np.float32),
            "lesions": (drawn.labels == 1).astype(np.uint8),
            "ventricles": (drawn.labels == 2).astype(np.uint8),
            "brain": (drawn.volume.voxels > 0).astype(np.uint8),
        }
        paths: dict[str, Any] = {name: folder / f"{person}_{name}.nii.gz" for name in names}
        for name, voxels in names.items():
            nibabel.Nifti1Image(voxels, drawn.volume.affine).to_filename(paths[name])
        if person == 2:  # not everybody's brain was outlined
            del paths["brain"]
        rows.append(Row(paths.pop("flair"), f"p{person}", "ms", **paths))
    write(folder / "index.csv", rows)
    return folder / "index.csv"


def test_it_learns_to_tell_lesion_from_ventricle_and_rest(index: Path) -> None:
    *taught, unseen = label_maps.load(read(index))
    model = outlining.fit(taught, Schedule(40, 1e-2), 4, None)
    x, y = unseen.volume.voxels.shape[:2]
    maps = probabilities(unseen.planes, model, (x, y))
    for one in (LESION, VENTRICLE):
        where = unseen.labels == one
        brain = unseen.planes.pixels > 0.2
        rest = brain & (unseen.labels == REST)
        assert maps[one][where].mean() > 3 * maps[one][rest].mean(), one


def test_a_killed_training_goes_on_to_the_same_weights(index: Path, tmp_path: Path) -> None:
    volumes = label_maps.load(read(index)[:1])
    whole = outlining.fit(volumes, Schedule(4, 1e-3, every=2), 2, None)

    def kill(step: int, _: float, __: nn.Module) -> bool:
        if step == 4:
            raise KeyboardInterrupt
        return False

    checkpoint = tmp_path / "model.safetensors"
    with pytest.raises(KeyboardInterrupt):
        outlining.fit(volumes, Schedule(4, 1e-3, every=2), 2, checkpoint, kill)
    resumed = outlining.fit(volumes, Schedule(4, 1e-3, every=2), 2, checkpoint)
    for (name, one), other in zip(
        whole.state_dict().items(), resumed.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name


def test_another_site_alone_may_teach(index: Path, tmp_path: Path) -> None:
    """The recipe of docs/lesions.md: rows that are only learned from, one site that is tested."""
    kinds = (("there", "train"), ("there", "train"), ("here", ""))
    pairs = zip(read(index), kinds, strict=True)
    rows = [replace(row, site=site, role=role) for row, (site, role) in pairs]
    write(tmp_path / "index.csv", rows)
    out = tmp_path / "elsewhere"
    few = ("--preset", "lesions", "--set", "steps=2", "--set", "batch=2")
    invoke("crossval", tmp_path / "index.csv", "--out", out, "--scheme", "leave-one-site-out", *few)
    metrics = json.loads((out / "metrics.json").read_text())
    assert [row["person"] for row in metrics["persons"]] == ["p2"]


def invoke(*words: object) -> str:
    done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def bundle(index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cross-validated and then trained on everyone, in a few steps."""
    folder = tmp_path_factory.mktemp("runs")
    few = ("--preset", "lesions", "--set", "steps=6", "--set", "batch=2")
    told = invoke("crossval", index, "--out", folder / "cv", "--folds", 3, *few)
    assert "naive: voxel Dice" in told
    metrics = json.loads((folder / "cv/metrics.json").read_text())
    assert {row["person"] for row in metrics["persons"]} == {"p0", "p1", "p2"}
    before = (folder / "cv/fold-1/persons.json").stat().st_mtime_ns
    invoke("crossval", index, "--out", folder / "cv", "--folds", 3, *few)
    assert (folder / "cv/fold-1/persons.json").stat().st_mtime_ns == before, "not trained again"
    final = ("--scheme", "everyone", "--measured", folder / "cv")
    invoke("train", index, "--out", folder / "final", *few, *final)
    return folder / "final/bundle"


def test_the_bundle_says_what_was_measured(bundle: Path) -> None:
    loaded = lesions.load(bundle)
    assert "3 persons" in loaded.manifest.measured_on
    assert set(loaded.manifest.figures) >= {"dice", "f1", "naive", "volume_bias"}
    card = (bundle / "CARD.md").read_text()
    assert "95 % interval over persons" in card
    assert "| p2 |" in card


def test_a_finished_bundle_is_measured_on_others(bundle: Path, index: Path, tmp_path: Path) -> None:
    """Persons that taught it are told, and stand apart."""
    known, other = read(index)[:2]
    write(tmp_path / "index.csv", [known, replace(other, person="new")])
    words = ("--preset", "lesions", "--bundle", bundle)
    told = invoke("evaluate", tmp_path / "index.csv", "--out", tmp_path / "run", *words)
    assert "THE BUNDLE LEARNED FROM 1 OF THESE 2 PERSONS" in " ".join(told.split())
    assert "unseen persons" in told
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["acquaintance"] == {"learned": 1, "calibrated": 0, "unseen": 1}
    of = {row["person"]: row["dice"] for row in metrics["persons"]}
    assert metrics["unseen"]["dice"]["value"] == pytest.approx(of["new"])
    assert metrics["figures"]["dice"]["value"] == pytest.approx((of["p0"] + of["new"]) / 2)


def test_scans_by_hand_become_masks_and_one_table(bundle: Path, tmp_path: Path) -> None:
    nifti = tmp_path / "flair.nii.gz"
    nifti.write_bytes(sample.nifti().read_bytes())
    sample.write_study(tmp_path / "scan")
    out = tmp_path / "out"
    invoke("lesions", nifti, tmp_path / "scan", "--out", out, "--model", bundle)
    assert {path.name for path in out.iterdir()} == {
        "flair_lesions.nii.gz", "scan_lesions.nii.gz", "lesions.csv",
    }  # fmt: skip
    source: Any = nibabel.load(nifti)
    mask: Any = nibabel.load(out / "flair_lesions.nii.gz")
    assert mask.get_data_dtype() == np.uint8
    assert mask.shape == source.shape
    assert np.allclose(mask.affine, source.affine)
    labels = np.asarray(mask.dataobj)
    assert set(np.unique(labels)) <= {0, 1, 2, 3}
    with (out / "lesions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("flair_lesions.nii.gz", "scan_lesions.nii.gz"):
        mine = [row for row in rows if row["volume"] == name]
        written: Any = nibabel.load(out / name)
        is_lesion = np.asarray(written.dataobj) == 1
        mm3 = np.prod(written.header.get_zooms()) * is_lesion.sum()
        assert sum(float(row["mm3"]) for row in mine) == pytest.approx(mm3, rel=1e-3, abs=1)
        shown = {int(n) - 1 for row in mine for n in row["images"].split(";")}
        assert shown == set(np.flatnonzero(is_lesion.any(axis=(0, 1))).tolist())
        assert [int(row["id"]) for row in mine] == list(range(1, len(mine) + 1))
        assert {row["laterality"] for row in mine} <= {
            "left",
            "right",
            "both",
            "midline",
            "unknown",
        }
        assert len({row["doubts"] for row in mine}) <= 1, "of the scan, not of the lesion"


def test_headers_of_two_patients_and_days_between_are_told(bundle: Path, tmp_path: Path) -> None:
    for name, date, patient in (("then", "20240101", "A"), ("now", "20240131", "B")):
        identity = Identity(patient_id=patient, study_uid=str(generate_uid()), study_date=date)
        replace(TABRIZ, identity=identity).write(tmp_path / name)
    words = (tmp_path / "now", "--out", tmp_path / "out", "--model", bundle)
    told = " ".join(invoke("lesions", *words, "--prior", tmp_path / "then").split())
    assert "since the earlier scan (30 days before)" in told
    assert "are of different patients by their headers (PatientID)" in told
    assert (tmp_path / "out/now_change.nii.gz").exists()


def test_no_mask_of_an_earlier_run_stands_for_a_scan_that_failed(
    bundle: Path, tmp_path: Path
) -> None:
    bad, old = tmp_path / "bad.nii", tmp_path / "out/bad_lesions.nii.gz"
    bad.write_bytes(b"no scan")
    old.parent.mkdir()
    old.write_bytes(sample.nifti().read_bytes())
    words = ["lesions", bad, "--out", old.parent, "--model", bundle]
    assert CliRunner().invoke(main, [str(word) for word in words]).exit_code == 1
    assert not old.exists()


def test_one_bad_scan_ends_itself(bundle: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.nii.gz"
    nibabel.Nifti1Image(np.zeros((40, 40, 20), np.float32), np.eye(4)).to_filename(bad)
    words = ["lesions", bad, sample.nifti(), "--out", tmp_path / "out", "--model", bundle]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 1
    assert "bad: not outlined" in done.output
    assert "1 of 2 scans were not outlined" in done.output
    stem = sample.nifti().name.partition(".")[0]
    assert (tmp_path / f"out/{stem}_lesions.nii.gz").exists()
