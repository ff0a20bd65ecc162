"""BIDS, nnU-Net's folders, and masks beside images become rows of the index."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from msnode.cli.main import main
from msnode.errors import ConfigError
from msnode.learn.data import index_csv, layouts
from msnode.learn.data.index_csv import Row


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def indexed(layout: str, root: Path, **settings: str) -> list[Row]:
    return layouts.index(layout, root, root.parent / "index.csv", **settings)


def volume(path: Path, *values: int) -> Path:
    voxels = np.zeros((4, 4, 4), np.int16)
    for place, value in enumerate(values):
        voxels[place] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(voxels, np.diag([1.0, 1, 3, 1])).to_filename(path)
    return path


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    """Two people; the first has two sessions, a T1 as well, and masks of every kind."""
    root = tmp_path / "set"
    names = [
        "sub-01/ses-1/anat/sub-01_ses-1_FLAIR.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_acq-3D_run-2_FLAIR.nii.gz",
        "sub-02/anat/sub-02_T2w.nii",
        "derivatives/manual/sub-01/ses-1/anat/sub-01_ses-1_space-MNI_label-lesion_mask.nii.gz",
        "derivatives/manual/sub-01/ses-1/anat/sub-01_ses-1_label-lesion_mask.nii.gz",
        "derivatives/manual/sub-01/ses-1/anat/sub-01_ses-1_label-brain_mask.nii.gz",
        "derivatives/fmriprep/sub-02/anat/sub-02_desc-preproc_FLAIR.nii.gz",
    ]
    touch(root, *names)
    (root / "dataset_description.json").write_text('{"Name": "MS of Here", "BIDSVersion": "1.9.0"}')
    (root / "participants.tsv").write_text(
        "participant_id\tage\tsex\tgroup\nsub-01\t34.5\tF\tms\nsub-02\t89+\tmale\tcontrol\n"
    )
    (root / "FLAIR.json").write_text('{"Manufacturer": "Siemens", "MagneticFieldStrength": 1.5}')
    side = root / "sub-01/ses-2/anat/sub-01_ses-2_acq-3D_run-2_FLAIR.json"
    side.write_text('{"MagneticFieldStrength": 3}')
    return root


def test_bids_by_its_own_rules(bids: Path) -> None:
    first, second, other = indexed("bids", bids)
    assert (first.person, first.label, first.visit) == ("ms-of-here-01", "ms", "1")
    assert (first.age, first.sex, first.sequence) == (34.5, "F", "FLAIR")
    assert first.lesions is not None
    assert first.lesions.name == "sub-01_ses-1_label-lesion_mask.nii.gz", "not the one in MNI space"
    assert (first.scanner, second.scanner) == ("Siemens 1.5T", "Siemens 3T"), (
        "the nearest file wins"
    )
    assert (second.visit, second.lesions) == ("2", None), "a mask is of its own session"
    assert (other.sequence, other.age, other.sex) == ("T2", 89.0, "M"), "no FLAIR, so its T2"
    assert other.label == "control"


def test_a_segmentation_of_bids_gives_its_lesions_by_its_table(bids: Path) -> None:
    folder = bids / "derivatives/tool/sub-01/ses-2/anat"
    volume(folder / "sub-01_ses-2_acq-3D_run-2_dseg.nii.gz", 0, 1, 7, 9)
    (bids / "derivatives/tool/dseg.tsv").write_text(
        "index\tname\n1\tVentricle\n7\tWM lesion\n9\tJuxtacortical lesion\n"
    )
    _, second, _ = indexed("bids", bids)
    assert second.lesions is not None
    found = nibabel.load(second.lesions)
    voxels = np.asarray(found.dataobj)  # type: ignore[attr-defined]
    assert voxels[:, 0, 0].tolist() == [0, 0, 1, 1]
    assert found.affine[2, 2] == 3  # type: ignore[attr-defined]


def test_bids_without_groups_asks_for_a_label(bids: Path) -> None:
    (bids / "participants.tsv").write_text("participant_id\tage\nsub-01\tn/a\n")
    with pytest.raises(ConfigError, match=r"sub-01: participants\.tsv gives no group"):
        indexed("bids", bids)
    rows = indexed("bids", bids, label="ms")
    assert {row.label for row in rows} == {"ms"}
    assert rows[0].age is None
    (bids / "participants.tsv").write_text("participant,age\nsub-01,3\n")
    with pytest.raises(ConfigError, match="no column participant_id; separate columns by tabs"):
        indexed("bids", bids, label="ms")


@pytest.fixture
def nnunet(tmp_path: Path) -> Path:
    """Three cases of two people, FLAIR as the second channel, lesions and ventricles."""
    root = tmp_path / "Dataset042_Heads"
    for case in ("p1_a", "p1_b", "p2_a"):
        touch(root / "imagesTr", f"{case}_0000.nii.gz", f"{case}_0001.nii.gz")
        volume(root / "labelsTr" / f"{case}.nii.gz", 0, 1, 2)
    touch(root / "imagesTs", "p3_a_0000.nii.gz", "p3_a_0001.nii.gz")
    described(root, {"background": 0, "ventricle": 1, "MS lesion": 2})
    return root


def described(root: Path, labels: dict[str, object], **changes: object) -> None:
    content = {
        "channel_names": {"0": "T1", "1": "FLAIR"}, "labels": labels, "file_ending": ".nii.gz",
    }  # fmt: skip
    (root / "dataset.json").write_text(json.dumps(content | changes))


def test_nnunet_by_its_dataset_json(nnunet: Path) -> None:
    rows = indexed("nnunet", nnunet, label="ms", person=r"p\d")
    assert [row.path.name for row in rows] == [
        "p1_a_0001.nii.gz", "p1_b_0001.nii.gz", "p2_a_0001.nii.gz", "p3_a_0001.nii.gz",
    ]  # fmt: skip
    assert len({row.person for row in rows}) == 3
    assert rows[0].person == "dataset042-heads-p1"
    assert rows[3].lesions is None
    assert rows[0].lesions is not None
    mask = nibabel.load(rows[0].lesions)
    assert np.asarray(mask.dataobj)[:, 0, 0].tolist() == [0, 0, 1, 0]  # type: ignore[attr-defined]


def test_nnunet_with_one_label_uses_its_files(nnunet: Path) -> None:
    described(nnunet, {"background": 0, "WMH": 1}, channel_names={"0": "T2"})
    first, *_ = indexed("nnunet", nnunet, label="ms")
    assert (first.path.name, first.sequence) == ("p1_a_0000.nii.gz", "T2")
    assert first.lesions == nnunet / "labelsTr" / "p1_a.nii.gz"
    old = {"modality": {"0": "FLAIR"}, "labels": {"0": "background", "1": "lesion"}}
    (nnunet / "dataset.json").write_text(json.dumps(old))
    again, *_ = indexed("nnunet", nnunet, label="ms")
    assert (again.sequence, again.lesions) == ("FLAIR", first.lesions)


@pytest.mark.parametrize(
    ("labels", "changes", "message"),
    [
        ({"background": 0, "a": 1, "b": 2}, {}, "none of the labels a, b is called lesion"),
        ({"lesion": 1}, {"channel_names": {"0": "T1", "1": "T2"}}, "one must be called FLAIR"),
        ({"lesion": 1}, {"channel_names": {}}, "names no channels"),
        ({"lesion": 1}, {"file_ending": ".png"}, "file_ending is '.png'"),
    ],
)
def test_what_nnunets_folder_does_not_say_is_named(
    nnunet: Path, labels: dict[str, object], changes: dict[str, object], message: str
) -> None:
    described(nnunet, labels, **changes)
    with pytest.raises(ConfigError, match=message):
        indexed("nnunet", nnunet, label="ms")


def test_nnunet_needs_a_label_and_a_fitting_pattern(nnunet: Path) -> None:
    with pytest.raises(ConfigError, match="give --label"):
        indexed("nnunet", nnunet)
    with pytest.raises(ConfigError, match="no person matches"):
        indexed("nnunet", nnunet, label="ms", person="z")
    (nnunet / "dataset.json").write_text("[1]")
    with pytest.raises(ConfigError, match="holds no JSON object"):
        indexed("nnunet", nnunet, label="ms")
    with pytest.raises(ConfigError, match="--label is for bids and nnunet"):
        indexed("ixi", nnunet, label="ms")


def test_masks_lie_beside_their_images(tmp_path: Path) -> None:
    root = tmp_path / "classes"
    for label, names in {"ms": ("p1_1", "p1_1_mask", "p2_1"), "control": ("p3_1",)}.items():
        (root / label).mkdir(parents=True)
        for name in names:
            Image.new("L", (8, 8)).save(root / label / f"{name}.png")
    volume(root / "ms/p4_1.nii.gz")
    volume(root / "ms/p4_1_lesions.nii.gz")
    out = tmp_path / "index.csv"
    words = ["data", "index", "folders", str(root), "--out", str(out)]
    done = CliRunner().invoke(main, words)
    assert "4 rows, 4 persons, 2 with lesion masks" in done.output
    rows = {row.person: row for row in index_csv.read(out)}
    assert rows["p1"].lesions == root / "ms" / "p1_1_mask.png"
    assert rows["p4"].lesions == root / "ms" / "p4_1_lesions.nii.gz"
    assert rows["p2"].lesions is None
    Image.new("L", (8, 8)).save(root / "ms" / "p9_1_mask.png")
    assert "a mask without an image of that name" in CliRunner().invoke(main, words).output
