"""What a researcher gets wrong is named; nothing is measured on other data than it seems."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from msnode import learn, sample
from msnode.cli import learn_train
from msnode.cli.main import main
from msnode.errors import ConfigError
from msnode.learn import crossval, evaluate, open_cohort, plan, train
from msnode.learn.data import examples, index_csv
from msnode.learn.data.index_csv import Row
from msnode.learn.synth import dataset
from msnode.records.images import InputContract

Tiles = Callable[..., Path]
TREE, CNN = plan("decision-tree"), plan("shallow-cnn", epochs=1)


def change(index: Path, edit: Callable[[list[Row]], Sequence[Row]]) -> Path:
    """Rewrite an index in place."""
    index_csv.write(index, edit(index_csv.read(index)))
    return index


def with_labels(*labels: str) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [Row(r.path, r.person, labels[k % len(labels)]) for k, r in enumerate(rows)]


def test_a_run_does_not_go_on_with_other_data(tiles: Tiles, tmp_path: Path) -> None:
    index = tiles(persons=3, each=2)
    rows = index_csv.read(index)
    crossval(index, tmp_path / "run", TREE, count=3)
    crossval(index, tmp_path / "run", TREE, count=3)
    fewer, another_order, other_labels = rows[:-2], rows[::-1], with_labels("ms", "control")(rows)
    for others in (fewer, another_order, other_labels):
        index_csv.write(index, others)
        with pytest.raises(ConfigError, match="another configuration or of other data"):
            crossval(index, tmp_path / "run", TREE, count=3)
    index_csv.write(index, rows)
    crossval(index, tmp_path / "run", TREE, count=3)
    os.utime(rows[4].path)
    with pytest.raises(ConfigError, match="another configuration or of other data"):
        crossval(index, tmp_path / "run", TREE, count=3)


def test_a_file_in_a_dicom_folder_counts(tmp_path: Path) -> None:
    folder = tmp_path / "study/series"
    folder.mkdir(parents=True)
    (folder / "1.dcm").write_bytes(b"one")
    rows = [Row(tmp_path / "study", "p", "ms")]
    before = examples.digest(rows)
    (folder / "2.dcm").write_bytes(b"two")
    assert examples.digest(rows) != before


def test_paths_may_be_relative(
    tiles: Tiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles(persons=2)
    monkeypatch.chdir(tmp_path)
    (index,) = Path("tiles").glob("*.csv")
    rows = index_csv.read(index)
    assert all(row.path.is_absolute() for row in rows)
    index_csv.write(Path("elsewhere/deep/index.csv"), rows)
    assert [row.path for row in index_csv.read(Path("elsewhere/deep/index.csv"))] == [
        row.path for row in rows
    ]


def as_colour(index: Path, mode: str, count: int) -> Path:
    for row in index_csv.read(index)[:count]:
        Image.open(row.path).convert(mode).save(row.path)
    return index


def test_colour_images_are_learned_from_and_kept(tiles: Tiles, tmp_path: Path) -> None:
    index = as_colour(tiles(persons=3), "RGB", 999)
    contract = InputContract(("FLAIR",), 64, 64)
    for _ in range(2):  # the second from the cache
        pixels = examples.load(index_csv.read(index), contract, tmp_path / "cache").pixels
        assert pixels.shape[1:] == (3, 64, 64)


@pytest.mark.parametrize("mode", ["P", "LA"])
def test_grey_images_in_other_modes_are_grey(tiles: Tiles, mode: str) -> None:
    index = as_colour(tiles(persons=2), mode, 3)
    contract = InputContract(("FLAIR",), 64, 64)
    assert examples.load(index_csv.read(index), contract).pixels.shape[1:] == (64, 64)


def test_colour_and_grey_side_by_side_are_named(tiles: Tiles) -> None:
    index = as_colour(tiles(persons=2), "RGB", 22)
    with pytest.raises(ConfigError, match="lines 24, 25 are grey images, the others in colour"):
        examples.load(index_csv.read(index), InputContract(("FLAIR",), 64, 64))


def test_a_label_in_two_spellings_is_refused(tiles: Tiles) -> None:
    index = change(tiles(persons=2), with_labels("ms", "MS", "control"))
    with pytest.raises(ConfigError, match="spelt in more than one way"):
        open_cohort(index, TREE)
    with pytest.raises(ConfigError, match="positive is ms: a label is spelt"):
        open_cohort(change(index, with_labels("MS", "control")), TREE)


def test_healthy_people_alone_measure_the_specificity(tiles: Tiles, tmp_path: Path) -> None:
    train(tiles(persons=6, each=2), tmp_path / "run", CNN)
    index = tiles(persons=3, folder="healthy")
    change(index, lambda rows: [row for row in rows if row.label == "control"])
    outcome = evaluate(tmp_path / "run/bundle", index, tmp_path / "healthy-run", CNN)
    assert 0 <= outcome.slices["specificity"].value <= 1
    assert np.isnan(outcome.slices["sensitivity"].value)
    assert any("one class" in warning for warning in outcome.warnings)
    written = json.loads((outcome.folder / "metrics.json").read_text())
    for part in ("slices", "naive"):
        assert written[part]["precision"]["value"] is None
        assert written[part]["auc"]["reason"] == "one class only"
    table = (outcome.folder / "metrics.csv").read_text()
    assert "slices,precision,,," in table
    for file in ("metrics.json", "metrics.csv", "papers.md"):
        assert "nan" not in (outcome.folder / file).read_text().casefold()
    code, told = invoke(
        "evaluate", index, "--bundle", tmp_path / "run/bundle", "--out", tmp_path / "healthy-run",
        "--preset", "shallow-cnn", "--set", "epochs=1",
    )  # fmt: skip
    assert code == 0, told
    assert "not defined: one class only" in told
    assert "nan" not in told


def shifted(source: Path, path: Path, mm: float) -> Path:
    image = nibabel.load(source)
    affine = image.affine.copy()  # type: ignore[attr-defined]
    affine[0, 3] += mm
    voxels = np.zeros(image.shape, np.uint8)  # type: ignore[attr-defined]
    voxels[150:160, 150:160, 18:20] = 1
    nibabel.Nifti1Image(voxels, affine).to_filename(path)
    return path


def test_a_mask_beside_its_scan_is_refused(tmp_path: Path) -> None:
    contract = InputContract(("FLAIR",), 64, 64)
    near = shifted(sample.nifti(), tmp_path / "near.nii.gz", 0)
    far = shifted(sample.nifti(), tmp_path / "far.nii.gz", 1000)
    assert examples.load([Row(sample.nifti(), "p", "ms", lesions=near)], contract).lesions.any()
    with pytest.raises(ConfigError, match=r"line 9: .*every lesion of the mask lies outside"):
        examples.load([Row(sample.nifti(), "p", "ms", lesions=far, number=9)], contract)


def test_a_damaged_volume_is_named(tmp_path: Path) -> None:
    whole = sample.nifti().read_bytes()
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2 : len(whole) // 2 + 4096] = b"\xff" * 4096
    for content in (whole[: len(whole) // 2], bytes(spoilt)):
        path = tmp_path / "scan.nii.gz"
        path.write_bytes(content)
        index_csv.write(tmp_path / "index.csv", [Row(path, "p", "ms")])
        for words in (["data", "draft"], ["data", "thicken"]):
            done = invoke(*words, tmp_path / "index.csv", "--out", tmp_path / "out")
            assert done[0] == 1
            assert "scan.nii.gz: cannot be read as NIfTI" in done[1]
        with pytest.raises(ConfigError, match=r"scan\.nii\.gz: .*NIfTI"):
            examples.load([Row(path, "p", "ms")], InputContract(("FLAIR",), 224, 224))


def invoke(*words: object) -> tuple[int, str]:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(main, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split())


def test_drafts_keep_what_was_corrected_and_never_touch_the_index(tmp_path: Path) -> None:
    index, out = tmp_path / "index.csv", tmp_path / "out"
    index_csv.write(index, [Row(sample.nifti(), "p", "ms", sequence="flair")])
    assert "over; give another folder" in invoke("data", "draft", index, "--out", tmp_path)[1]
    assert invoke("data", "draft", index, "--out", out)[0] == 0
    (row,) = index_csv.read(out / "index.csv")
    assert row.lesions is not None
    shifted(sample.nifti(), row.lesions, 0)
    corrected = row.lesions.read_bytes()
    assert invoke("data", "draft", index, "--out", out)[0] == 0
    assert row.lesions.read_bytes() == corrected


def test_sagittal_slices_are_neither_drafted_nor_thickened(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).random((24, 96, 96), np.float32)
    affine = np.diag([5.0, 1, 1, 1])
    nibabel.Nifti1Image(voxels, affine).to_filename(tmp_path / "scan.nii.gz")
    index_csv.write(tmp_path / "index.csv", [Row(tmp_path / "scan.nii.gz", "p", "ms")])
    for word in ("draft", "thicken"):
        told = invoke("data", word, tmp_path / "index.csv", "--out", tmp_path / "out")[1]
        assert "its slices are sagittal" in told


def test_persons_in_several_classes_are_told(tmp_path: Path) -> None:
    for label in ("ms", "control"):
        (tmp_path / "root" / label).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "root" / label / "1_1.png")
    words = ("data", "index", "folders", tmp_path / "root", "--out", tmp_path / "new/i.csv")
    assert "in more than one class: 1; is the pattern" in invoke(*words)[1]
    assert "is no regular expression" in invoke(*words, "--person", "(")[1]
    assert "no person matches" in invoke(*words, "--person", "z*")[1]


def head(path: Path, height: int) -> Path:
    """Tissue labels of a ball that is cut off."""
    x, y, z = np.indices((100, 120, height))
    far = np.sqrt((x - 50) ** 2 + (y - 60) ** 2 + (z - 50) ** 2)
    labels = np.select([far < 10, far < 35, far < 47], [1, 3, 2], 0).astype(np.uint8)
    nibabel.Nifti1Image(labels, np.eye(4)).to_filename(path)
    return path


@pytest.mark.long
def test_labels_and_masks_that_make_no_pair(tmp_path: Path) -> None:
    whole, slab = head(tmp_path / "whole.nii.gz", 110), head(tmp_path / "slab.nii.gz", 60)
    mask = np.zeros((9, 9, 9), np.uint8)
    mask[3:6, 3:6, 3:6] = 1
    nibabel.Nifti1Image(mask, np.diag([1, 1, 1, 1.0]) + 900 * np.eye(4, k=3)).to_filename(
        tmp_path / "far.nii.gz"
    )
    with pytest.raises(ConfigError, match=r"slab\.nii\.gz: shows 5\d mm of the brain"):
        dataset.synthesize([slab], [tmp_path / "far.nii.gz"], tmp_path / "out", 1)
    with pytest.raises(ConfigError, match="masks must be in MNI"):
        dataset.synthesize([whole], [tmp_path / "far.nii.gz"], tmp_path / "out", 1)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs=[1", "the value is no YAML"),
        ("seed=-1", "seed is -1; it must be 0 or more"),
        ("lr=.inf", "lr is inf; it must be finite"),
        ("patience=-1", "patience is -1; it must be 0 or more"),
        ("weight_decay=-1", "weight_decay is -1.0; it must be 0 or more"),
        ("mixup=-1", "mixup is -1.0; it must be 0 or more"),
        ("moved=2", "moved is 2.0; it must be in"),
        ("slab_mm=[a,b]", "it must be two distances or none"),
    ],
)
def test_a_setting_out_of_range_is_named(
    tiles: Tiles, tmp_path: Path, setting: str, message: str
) -> None:
    words = ("train", tiles(persons=1, each=1), "--out", tmp_path / "run", "--set", setting)
    code, told = invoke(*words)
    assert code == 1
    assert message in told


def test_the_command_offers_every_scheme() -> None:
    assert learn_train.SCHEMES == learn.SCHEMES


def test_a_baseline_of_one_class_is_refused(tiles: Tiles, tmp_path: Path) -> None:
    index = change(tiles(persons=3), with_labels("ms"))
    code, told = invoke("baseline", index, "--out", tmp_path / "run")
    assert (code, "all images are of one class" in told) == (1, True)


def test_only_a_finished_run_calibrates(tiles: Tiles, tmp_path: Path) -> None:
    index = tiles(persons=3, each=2)
    crossval(index, tmp_path / "measured", TREE, count=3)
    (tmp_path / "measured/metrics.json").unlink()
    words = ("train", index, "--out", tmp_path / "run", "--scheme", "everyone")
    assert "has not finished" in invoke(*words, "--measured", tmp_path / "measured")[1]
    shutil.rmtree(tmp_path / "measured")


def test_semicolons_are_told(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("path;person;label\na.png;p;ms\n")
    with pytest.raises(ConfigError, match="separated by commas, not semicolons"):
        index_csv.read(tmp_path / "index.csv")
