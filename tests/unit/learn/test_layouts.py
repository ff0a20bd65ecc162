"""Data sets as they unpack become rows of the index."""

from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.io import savemat

from msnode.cli.main import main
from msnode.errors import ConfigError
from msnode.learn import open_cohort, plan
from msnode.learn.data import index_csv, layouts, outlines, ras_nifti
from msnode.learn.data.tissues import CSF, GREY, VENTRICLE, WHITE


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
def test_an_empty_folder_is_refused_with_an_example(layout: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no file named like"):
        layouts.index(layout, tmp_path, tmp_path / "index.csv")


def test_an_unknown_layout_and_a_setting_it_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'oasis' is unknown; use one of ixi, mendeley"):
        layouts.index("oasis", tmp_path, tmp_path / "index.csv")
    with pytest.raises(ConfigError, match="--person is for folders"):
        layouts.index("ixi", tmp_path, tmp_path / "index.csv", "x")


def test_ixi(tmp_path: Path) -> None:
    names = ("IXI002-Guys-0828-T1.nii.gz", "IXI012-HH-1211-T2.nii.gz", "IXI.nii.gz")
    first, second = layouts.ixi(touch(tmp_path, *names))
    assert (first.person, first.site, first.sequence) == ("ixi-002", "Guys", "T1")
    assert (second.scanner, second.label) == ("Philips 3T", "control")


def test_mendeley(tmp_path: Path) -> None:
    names = ("1-Flair.nii", "1-LesionSeg-Flair.nii", "1-T1.nii", "1-LesionSeg-T2.nii")
    flair, t1 = layouts.mendeley(touch(tmp_path / "Patient-1", *names))
    assert (flair.person, flair.sequence, t1.sequence) == ("mendeley-1", "FLAIR", "T1")
    assert flair.lesions == tmp_path / "Patient-1" / "1-LesionSeg-Flair.nii"
    assert t1.lesions is None


def test_msseg2016(tmp_path: Path) -> None:
    patient = "Training/Center_03/Patient_05"
    names = ("Raw_Data/FLAIR.nii.gz", "Raw_Data/T1.nii.gz", "Masks/Consensus.nii.gz")
    (row,) = layouts.msseg2016(touch(tmp_path, *(f"{patient}/{name}" for name in names)))
    assert (row.person, row.site) == ("msseg-03-Patient_05", "centre-03")
    assert row.scanner == "GE Discovery 3T"
    assert row.lesions == tmp_path / patient / "Masks" / "Consensus.nii.gz"


@pytest.mark.parametrize("folders", [("preprocessed/", "masks/"), ("", "")])
def test_isbi2015(tmp_path: Path, folders: tuple[str, str]) -> None:
    names = ("training01_02_flair_pp.nii", "training01_02_mask1.nii")
    touch(tmp_path / "training01", *(f + n for f, n in zip(folders, names, strict=True)))
    (row,) = layouts.isbi2015(tmp_path)
    assert (row.person, row.visit, row.sequence) == ("isbi-training01", "02", "FLAIR")
    assert row.lesions is not None
    assert row.lesions.name == "training01_02_mask1.nii"


def test_dicom(tmp_path: Path) -> None:
    (row,) = layouts.dicom(touch(tmp_path, "ms/p1/2020/a.dcm"))
    assert (row.label, row.person, row.visit) == ("ms", "p1", "2020")


def test_class_folders(tmp_path: Path, tiles: Callable[..., Path]) -> None:
    source = tiles(persons=2, each=1).parent
    for label, name in (("ms", "p01_0.png"), ("control", "p00_0.png")):
        (tmp_path / "smears" / label).mkdir(parents=True)
        (source / name).rename(tmp_path / "smears" / label / name)
    rows = layouts.folders(tmp_path / "smears", r"p\d+")
    assert [(row.person, row.label) for row in rows] == [("p00", "control"), ("p01", "ms")]
    with pytest.raises(ConfigError, match="no person matches"):
        layouts.folders(tmp_path / "smears", r"\d{9}")


@pytest.fixture
def ehealth(tmp_path: Path) -> Path:
    """One person, two images; the first has an outline as text and one as a MATLAB file."""
    visit = tmp_path / "12" / "1"
    visit.mkdir(parents=True)
    for number in (1, 2):
        Image.new("L", (100, 80), 90).save(visit / f"IM_0000{number}.TIF")
    square = np.array([[10, 20], [29, 20], [29, 39], [10, 39]], float)
    (visit / "IM_00001_1.plq").write_text("\n".join(f"{x} {y}" for x, y in square))
    x, y = (square + np.array([40, 0])).T
    savemat(visit / "IM_00001_2.plq", {"xi": x, "yi": y}, appendmat=False)
    return tmp_path


def test_outlines_of_ehealth_become_masks(ehealth: Path, tmp_path: Path) -> None:
    out = tmp_path / "index.csv"
    done = CliRunner().invoke(main, ["data", "index", "ehealth", str(ehealth), "--out", str(out)])
    assert "2 rows, 1 persons, 2 with lesion masks" in done.output
    first, second = index_csv.read(out)
    assert (first.person, first.visit, first.label) == ("ehealth-12", "1", "ms")
    assert first.lesions is not None
    assert second.lesions is not None
    mask = outlines.read_mask(first.lesions)
    assert mask.shape == (80, 100)
    assert mask[20:40, 10:30].all()
    assert mask[20:40, 50:70].all()
    assert mask.sum() == 800
    assert not outlines.read_mask(second.lesions).any()
    cohort = open_cohort(out, plan("shallow-cnn", target="lesions"))
    assert cohort.labels.tolist() == [1, 0]
    # 20x20 of 100x80 pixels on a 64x64 image, twice
    assert 350 <= int(cohort.examples.lesions[0].sum()) <= 480


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1 2\n3 4\n", "at least three points"),
        (b"1 2\n3 4 5\n6 7\n", "two numbers"),
        (b"\xff\xfe", "cannot be read as an outline"),
        (b"MATLAB 5.0 MAT-file" + b"\0" * 40, "cannot be read as an outline"),
        (b"1 2\n3 4\n500 6\n", "leaves the image of 100x80"),
    ],
)
def test_a_broken_outline_is_named(ehealth: Path, content: bytes, message: str) -> None:
    (ehealth / "12" / "1" / "IM_00002_1.plq").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        layouts.ehealth(ehealth, ehealth / "masks")
    assert "IM_00002_1.plq" in str(caught.value)


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    rows: Sequence[tuple[str, tuple[int, int]]] = (("a.png", (32, 32)), ("mask.png", (16, 16)))
    for name, size in rows:
        Image.new("L", size, 99).save(tmp_path / name)
    index = tmp_path / "index.csv"
    index.write_text("path,person,label,lesions\na.png,p,ms,mask.png\n")
    with pytest.raises(ConfigError, match=r"line 2: a\.png: column lesions: the mask is"):
        open_cohort(index, plan("shallow-cnn", target="lesions"))


def test_nichart_brings_the_regions_of_the_t1_to_the_flair(tmp_path: Path) -> None:
    regions = np.zeros((30, 30, 30), np.int16)
    regions[4:26, 4:26, 4:26] = 86
    regions[12:18, 12:18, 12:18] = 51
    t1, flair = np.diag([2.0, 2, 2, 1]), np.diag([-3.0, 3, 3, 1])
    flair[0, 3] = 57
    parts = {"FLAIR": flair, "wmh": flair, "regions_on_T1": t1}
    for name, affine in parts.items():
        voxels = regions if name == "regions_on_T1" else np.zeros((20, 20, 20), np.int16)
        nibabel.Nifti1Image(voxels, affine).to_filename(tmp_path / f"Subj7_{name}.nii.gz")
    (row,) = layouts.index("nichart", tmp_path, tmp_path / "index.csv")
    assert (row.person, row.role) == ("nichart-Subj7", "train")
    ventricles, brain = (ras_nifti.load(path) for path in (row.ventricles, row.brain) if path)
    places = np.argwhere(ventricles.voxels) @ ventricles.affine[:3, :3].T + ventricles.affine[:3, 3]
    assert places.min() >= 23
    assert places.max() <= 35, "2 mm voxels 12 to 17 of the T1 lie at 23 to 35 mm"
    assert (brain.voxels > 0)[ventricles.voxels > 0].all()


def test_muse_regions_become_the_tissues_that_are_painted(tmp_path: Path) -> None:
    regions = np.zeros((30, 30, 30), np.int16)
    regions[4:26, 4:26, 4:26] = 120  # cortex
    regions[6:24, 6:24, 6:24] = 86  # white matter
    regions[12:18, 12:18, 12:18] = 51  # a lateral ventricle
    regions[4:7, 14, 14] = 0  # a sulcus, which has no label
    file = tmp_path / "Subj7_regions_on_T1.nii.gz"
    nibabel.Nifti1Image(regions, np.diag([2.0, 2, 2, 1])).to_filename(file)
    words = ["data", "tissues", str(file), "--out", str(tmp_path / "tissues")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    made = ras_nifti.load(next((tmp_path / "tissues").iterdir()))
    assert np.allclose(made.spacing_mm, 1)
    at = {mm: int(made.voxels[mm, 28, 28]) for mm in (2, 10, 14, 30)}
    assert at == {2: 0, 10: CSF, 14: WHITE, 30: VENTRICLE}
    assert made.voxels[10, 36, 36] == GREY
