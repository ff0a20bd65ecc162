"""Learning on real scans and on the whole hybrid; small, so that it stays a test."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from msnode.classify import load_bundle
from msnode.cli.main import main
from msnode.errors import ConfigError
from msnode.learn import check, open_cohort, plan, train
from msnode.learn.data import index_csv, ras_nifti
from msnode.learn.data.splits import Split
from msnode.learn.synth import generator
from msnode.learn.synth.dataset import synthesize
from msnode.learn.train import lesion_supervised
from msnode.learn.train.cohort import Cohort


@pytest.fixture
def tabriz(shared: Path, tmp_path: Path) -> Path:
    """An index of four real FLAIR scans with lesion masks."""
    with (shared / "volumes.csv").open(newline="") as file:
        found = [
            row
            for row in csv.DictReader(file)
            if row["site"] == "tabriz" and row["sequence"] == "FLAIR"
        ]
    rows = [
        index_csv.Row(
            shared / row["path"], row["person"], "ms", "tabriz", lesions=shared / row["lesions"]
        )
        for row in found[:4]
    ]
    index_csv.write(tmp_path / "index.csv", rows)
    return tmp_path / "index.csv"


def test_a_rival_learns_lesions_of_real_slices(tabriz: Path, tmp_path: Path) -> None:
    outcome = train(tabriz, tmp_path / "run", plan("svm", target="lesions"))
    assert 0.4 < outcome.slices["auc"].value <= 1
    assert outcome.naive["auc"].value > 0.5  # position alone tells much here
    assert any("one class" in warning for warning in outcome.warnings)  # every scan has lesions


def test_position_is_found_as_a_confound(tabriz: Path) -> None:
    cohort = open_cohort(tabriz, plan("shallow-cnn", target="lesions"))
    assert 0.2 < cohort.labels.mean() < 0.8
    assert check(cohort).images == len(cohort.labels)


@pytest.fixture
def discs() -> Cohort:
    """A pretence of four heads with bright lesions, prepared already."""
    from msnode.learn.data.examples import Examples

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:224, :224] - 112
    pixels = np.tile(np.where(np.hypot(x, y) < 90, 0.45, 0.0), (8, 1, 1))
    lesions = np.zeros(pixels.shape, np.bool_)
    lesions[1::2] = np.hypot(x - 20, y) < 6
    pixels = np.clip(pixels + 0.3 * lesions + rng.normal(0, 0.01, pixels.shape), 0, 1)
    numbers = np.arange(8) // 2
    examples = Examples(
        torch.from_numpy(pixels).half(),
        numbers,
        np.zeros(8),
        np.ones((8, 2)),
        torch.from_numpy(lesions),
        np.ones(8, np.bool_),
        np.full(8, np.nan),
    )
    rows = [index_csv.Row(Path(f"{n}.nii"), f"p{n}", "ms", number=n + 2) for n in range(4)]
    return Cohort(rows, examples, np.asarray(lesions.any((1, 2)), np.int64))


@pytest.mark.long
def test_the_shipped_recipe_resumes_where_it_was_killed(discs: Cohort, tmp_path: Path) -> None:
    quick = replace(plan("shipped"), epochs=1, batch=4, examples=16, fusion_steps=3)
    split = Split("all", np.arange(8), np.arange(0), np.arange(0))
    first = lesion_supervised.fit(discs.task(split), quick, tmp_path, lambda *_: None)
    (tmp_path / "features.safetensors").unlink()
    again = lesion_supervised.fit(discs.task(split), quick, tmp_path, lambda *_: None)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize(
    "ingredients",
    [{}, pytest.param({"locations": 0.0, "pseudo_controls": 0.0}, marks=pytest.mark.long)],
)
def test_one_half_learns_alone(
    discs: Cohort, tmp_path: Path, ingredients: dict[str, float]
) -> None:
    quick = plan("shipped", architecture="densenet", epochs=1, batch=4, examples=16, **ingredients)
    split = Split("all", np.arange(8), np.arange(0), np.arange(0))
    three = replace(quick, fusion_steps=3)
    model = lesion_supervised.fit(discs.task(split), three, tmp_path, lambda *_: None)
    onward = replace(quick, start=str(tmp_path), fusion_steps=3)
    (tmp_path / "on").mkdir()
    again = lesion_supervised.fit(discs.task(split), onward, tmp_path / "on", lambda *_: None)
    images = discs.examples.pixels[:2, None].float().expand(-1, 3, -1, -1)
    with torch.inference_mode():
        assert torch.isfinite(model(images)).all()
        assert not torch.equal(model(images), again(images))


@pytest.fixture
def healthy(shared: Path) -> Path:
    """Tissue labels of a healthy person."""
    return min((shared / "volumes/oasis").glob("*_tissues*"))


@pytest.fixture
def masks(shared: Path) -> list[Path]:
    """Lesion masks of patients, in MNI space."""
    return sorted((shared / "lesion_masks_mni").glob("*.nii.gz"))


def test_synthetic_pairs_differ_in_their_lesions_alone(healthy: Path, masks: list[Path]) -> None:
    lesions = [ras_nifti.load(mask) for mask in masks[3:5]]
    sick, clear = generator.pair(ras_nifti.load(healthy), lesions, seed=1)
    drawn = sick.masks["lesions"]
    assert sick.voxels.shape == clear.voxels.shape == drawn.shape
    assert drawn.sum() > 50
    assert not clear.masks["lesions"].any()
    assert (sick.voxels - clear.voxels)[drawn].mean() > 0.05
    fluid = clear.masks["ventricles"]
    assert fluid.sum() > 50
    assert (fluid <= clear.masks["brain"]).all()
    assert clear.voxels[fluid].mean() < clear.voxels[clear.masks["brain"] & ~fluid].mean()
    without = ~drawn.any((0, 1))
    assert np.abs(sick.voxels - clear.voxels)[..., without].mean() < 0.01


@pytest.mark.long
def test_synthetic_scans_are_an_index_that_networks_learn_from(
    healthy: Path, masks: list[Path], tmp_path: Path
) -> None:
    arguments = ["data", "synthesize", str(healthy), "--lesions", str(masks[0].parent)]
    done = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "drawn"), "--count", "1"])
    assert done.exit_code == 0, done.output
    assert "2 scans of 1 heads" in done.output
    cohort = open_cohort(tmp_path / "drawn/index.csv", plan("shipped"))
    assert set(cohort.of("label")) == {"ms", "control"}
    assert cohort.labels[cohort.of("label") == "ms"].any()
    assert not cohort.labels[cohort.of("label") == "control"].any()
    assert set(cohort.of("role")) == {"train"}


def test_what_cannot_be_drawn_from_is_named(
    healthy: Path, masks: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "broken.nii.gz").write_bytes(b"no NIfTI")
    with pytest.raises(ConfigError, match=r"broken\.nii\.gz: cannot be read as NIfTI"):
        synthesize([tmp_path / "broken.nii.gz"], masks, tmp_path, 1)
    with pytest.raises(ConfigError, match="labels must be 0, 1 CSF, 2 grey matter, 3 white"):
        synthesize([masks[0]], masks, tmp_path, 1)
    with pytest.raises(ConfigError, match=r"broken\.nii\.gz"):
        synthesize([healthy], [tmp_path / "broken.nii.gz"], tmp_path, 1)


def test_the_shipped_bundle_says_what_it_learned_from() -> None:
    manifest = load_bundle(Path(__file__).parents[2] / "models" / "hybrid").manifest
    assert "Research use only" in manifest.notice
    assert {source.licence for source in manifest.training_data} >= {"MIT", "CC-BY"}
    card = (Path(__file__).parents[2] / "models" / "hybrid" / "CARD.md").read_text()
    for needed in ("Not a medical device", "95 %", "position alone", "Limits", "0.9967"):
        assert needed in card


def test_a_dicom_folder_is_an_image_of_the_index(
    sample_study: Sequence[Path], tmp_path: Path
) -> None:
    folder = sample_study[0].parent
    index_csv.write(tmp_path / "index.csv", [index_csv.Row(folder, "p1", "ms")])
    cohort = open_cohort(tmp_path / "index.csv", plan("svm"))
    assert 20 < len(cohort.labels) <= len(sample_study)
    assert cohort.examples.pixels.shape[1:] == (64, 64)
    assert (np.diff(cohort.examples.heights_mm) < 0).all()  # from the feet to the head
