"""Geometry: orientation, planes, mapping back to the source, tissue, normalisation."""

from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msnode import sample
from msnode.errors import NotAnalysable
from msnode.prepare import load_nifti, nifti_slices, volume_slices
from msnode.prepare.nifti import load_scan
from msnode.prepare.slices import normalise
from msnode.records.images import InputContract, Slices
from tests import nifti
from tests.unit.prepare.volumes import AXIAL, CORONAL, SAGITTAL, isotropic, reoriented

CONTRACT = InputContract(("FLAIR",), 128, 128)
#: left, front, up in RAS: inside the head, off the midline and off the middle
LEFT_FRONT = (-40.0, 45.0, 20.0)


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return isotropic(tmp_path_factory.mktemp("marked") / "marked.nii", LEFT_FRONT)


@pytest.fixture(scope="module")
def sagittal(marked: Path) -> Slices:
    path = reoriented(marked, marked.with_name("sagittal.nii"), SAGITTAL)
    return volume_slices(load_nifti(path), CONTRACT)


@pytest.fixture(scope="module")
def native() -> Slices:
    return volume_slices(load_nifti(sample.nifti()), CONTRACT)


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, CORONAL], ids=["ax", "sag", "cor"])
def test_patient_left_is_image_right_and_front_is_up(
    marked: Path, tmp_path: Path, orientation: np.ndarray
) -> None:
    path = reoriented(marked, tmp_path / "v.nii", orientation)
    slices = volume_slices(load_nifti(path), CONTRACT)
    assert slices.reformatted == (orientation is not AXIAL)
    heights = slices.affines[:, 2, 3]
    assert (np.diff(heights) > 0).all(), "from the feet to the head"
    image = slices.pixels[np.abs(heights - LEFT_FRONT[2]).argmin(), 0]
    row, column = np.unravel_index(_smoothed(image).argmax(), image.shape)
    assert column > 70, "the patient's left must be at the image's right"
    assert row < 58, "the front must be at the top"


def _smoothed(image: np.ndarray) -> np.ndarray:
    """Mean over 3 x 3, so that one pixel of scalp does not win."""
    shifts = product((-1, 0, 1), repeat=2)
    rolled = np.stack([np.roll(image, shift, axis=(0, 1)) for shift in shifts])
    smoothed: np.ndarray = rolled.mean(axis=0)
    return smoothed


@pytest.mark.parametrize(
    ("axes", "flips"),
    list(zip(permutations(range(3)), list(product((1, -1), repeat=3))[1:7], strict=True)),
)
def test_storage_order_changes_nothing(
    marked: Path, tmp_path: Path, axes: tuple[int, ...], flips: tuple[int, ...]
) -> None:
    """However the voxels are stored, the same place in the patient looks the same."""
    want = volume_slices(load_nifti(marked), CONTRACT)
    path = reoriented(marked, tmp_path / "v.nii", np.array(list(zip(axes, flips, strict=True))))
    got = volume_slices(load_nifti(path), CONTRACT)
    z = got.affines[:, 2, 3]
    assert (np.diff(z) > 0).all(), "from the feet to the head"
    middle = int(np.abs(z - 20).argmin())
    same = int(np.abs(want.affines[:, 2, 3] - z[middle]).argmin())
    assert np.allclose(got.affines[middle, :2], want.affines[same, :2], atol=2.5)
    likeness = np.corrcoef(got.pixels[middle, 0].ravel(), want.pixels[same, 0].ravel())[0, 1]
    assert likeness > 0.97


def test_pixels_show_what_lies_at_their_affine(marked: Path) -> None:
    """The slices' affines are true: the voxel at a pixel's place has the pixel's brightness."""
    slices = volume_slices(load_nifti(marked), CONTRACT)
    voxels, affine = nifti.read(marked)
    index = int(np.abs(slices.affines[:, 2, 3] - LEFT_FRONT[2]).argmin())
    lps = np.array([-LEFT_FRONT[0], -LEFT_FRONT[1], LEFT_FRONT[2], 1])
    column, row = np.linalg.solve(slices.affines[index], lps)[:2].round().astype(int)
    assert slices.pixels[index, 0, row, column] == pytest.approx(1.0, abs=0.01)
    ras = np.diag([-1, -1, 1, 1]) @ slices.affines[index] @ [column, row, 0, 1]
    voxel = np.linalg.solve(affine, ras)[:3].round().astype(int)
    assert voxels[tuple(voxel)] == 600


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.floats(30, 97), st.floats(30, 97))
def test_locate_comes_back_to_the_same_place(
    sagittal: Slices, number: int, column: float, row: float
) -> None:
    """A pixel's place in the patient and the located source pixel's place differ by less than
    half a slice along the source's normal, and not at all within its plane."""
    index = number % len(sagittal.nearest)
    here = sagittal.affines[index] @ [column, row, 0, 1]
    point = sagittal.locate(index, column, row)
    there = point.source.affine @ [point.column, point.row, 0, 1]
    normal = point.source.affine[:3, 2]
    off = (here - there)[:3]
    assert abs(off @ normal) <= sagittal.thickness_mm / 2 + 1e-6
    assert np.linalg.norm(off - (off @ normal) * normal) < 1e-6


@settings(max_examples=40)
@given(st.floats(20, 100), st.floats(20, 100))
def test_locate_on_native_slices_stays_on_the_own_frame(
    native: Slices, column: float, row: float
) -> None:
    for index in (0, len(native.nearest) // 2):
        point = native.locate(index, column, row)
        assert point.source is native.source(index)
        here = native.affines[index] @ [column, row, 0, 1]
        assert np.allclose(point.source.affine @ [point.column, point.row, 0, 1], here, atol=1e-6)


def test_axial_keeps_its_own_slices(native: Slices) -> None:
    slices = native
    assert not slices.reformatted
    assert slices.thickness_mm == pytest.approx(4.0, abs=0.01)
    assert len(slices.frames) == 36
    assert slices.nearest == tuple(range(slices.nearest[0], slices.nearest[-1] + 1))
    assert slices.frames[0].frame == 1
    assert slices.frames[0].sop_instance_uid == ""


def test_contract_is_obeyed() -> None:
    volume = load_nifti(sample.nifti())
    grey = volume_slices(volume, replace(CONTRACT, rows=64, cols=96, channels=1))
    assert grey.pixels.shape[1:] == (1, 64, 96)
    spacing = np.linalg.norm(grey.affines[:, :3, :2], axis=1)
    assert np.ptp(spacing) < 1e-9, "square pixels"
    assert grey.pixels.dtype == np.float32
    assert grey.pixels.min() == 0
    assert grey.pixels.max() == 1
    standard = volume_slices(volume, replace(CONTRACT, normalisation="zscore"))
    assert np.allclose(standard.pixels.mean(axis=(1, 2, 3)), 0, atol=1e-3)
    assert np.allclose(standard.pixels.std(axis=(1, 2, 3)), 1, atol=1e-3)
    full = volume_slices(volume, CONTRACT)
    slab = volume_slices(volume, replace(CONTRACT, slab_mm=(40, 80)))
    assert len(slab.nearest) == 10
    assert set(slab.nearest) < set(full.nearest)
    fuller = volume_slices(volume, replace(CONTRACT, min_tissue=0.4))
    assert 0 < len(fuller.nearest) < len(full.nearest)
    with pytest.raises(NotAnalysable, match="contract"):
        volume_slices(volume, replace(CONTRACT, min_tissue=0.99))


def test_labels_land_on_the_same_pixels(marked: Path, tmp_path: Path) -> None:
    """Also from another grid than the image's."""
    voxels, affine = nifti.read(marked)
    nifti.write(tmp_path / "same.nii", (voxels == 600).astype(np.uint8), affine)
    reoriented(tmp_path / "same.nii", tmp_path / "other.nii", CORONAL)
    slices, (same, other) = nifti_slices(
        marked, CONTRACT, [tmp_path / "same.nii", tmp_path / "other.nii"]
    )
    assert same.shape == slices.pixels[:, 0].shape
    assert same.dtype == np.uint8
    assert np.array_equal(same, other)
    assert same.sum() > 100
    assert slices.pixels[:, 0][same > 0].mean() > 0.9


def test_small_lesions_survive_shrinking(tmp_path: Path) -> None:
    voxels, affine = nifti.read(sample.nifti())
    mask = np.zeros(voxels.shape, np.uint8)
    mask[150, 150, 20] = 1
    nifti.write(tmp_path / "mask.nii", mask, affine)
    small = replace(CONTRACT, rows=64, cols=64)
    _, (label,) = nifti_slices(sample.nifti(), small, [tmp_path / "mask.nii"])
    assert label.max() == 1
    assert label.sum() < 5


def test_fine_patterns_are_averaged_not_aliased(tmp_path: Path) -> None:
    """Every other column dark: shrunk to a third, the image must look as without the pattern."""
    voxels, affine = nifti.read(sample.nifti())
    striped = voxels * (np.arange(len(voxels)) % 2)[:, None, None] * 2
    nifti.write(tmp_path / "v.nii", striped.astype(np.int16), affine)
    small = replace(CONTRACT, rows=64, cols=64)
    plain = volume_slices(load_nifti(sample.nifti()), small).pixels[15]
    likeness = np.corrcoef(
        volume_slices(load_nifti(tmp_path / "v.nii"), small).pixels[15].ravel(), plain.ravel()
    )
    assert likeness[0, 1] > 0.98


def test_spikes_do_not_squeeze_the_contrast() -> None:
    images = np.random.default_rng(0).uniform(100, 200, (2, 64, 64)).astype(np.float32)
    spiked = images.copy()
    spiked[0, 3, 3] = 30_000
    assert np.abs(normalise(spiked, "minmax") - normalise(images, "minmax"))[0].mean() < 0.01
    flat = normalise(np.full((1, 8, 8), 7, np.float32), "minmax")
    assert np.isfinite(flat).all()


@pytest.mark.parametrize(
    ("voxels", "affine", "reason"),
    [
        (np.zeros((10, 10), np.int16), np.eye(4), "single image"),
        (np.zeros((10, 10, 1), np.int16), np.eye(4), "single image"),
        (np.zeros((10, 10, 10), np.complex64), np.eye(4), "complex"),
        (np.zeros((10, 10, 10), np.int16), np.diag([1, 1, 1e-9, 1]), "singular"),
        (
            np.zeros((10, 10, 10), np.int16),
            np.array([[1, 0, 0.3, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
            "sheared",
        ),
    ],
)
def test_nifti_that_is_no_volume(
    tmp_path: Path, voxels: np.ndarray, affine: np.ndarray, reason: str
) -> None:
    nifti.write(tmp_path / "v.nii", voxels, affine)
    with pytest.raises(NotAnalysable, match=reason):
        load_nifti(tmp_path / "v.nii")


def test_a_mask_is_no_scan(tmp_path: Path) -> None:
    voxels, affine = nifti.read(sample.nifti())
    mask = np.digitize(voxels, np.quantile(voxels, [0.5, 0.8, 0.95])).astype(np.uint8)
    nifti.write(tmp_path / "v.nii", mask, affine)
    with pytest.raises(NotAnalysable, match="different values: a mask"):
        load_scan(tmp_path / "v.nii")
    assert load_scan(sample.nifti()).voxels.shape[0] == voxels.shape[2]


def test_nifti_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "v.nii").write_bytes(b"no nifti" * 100)
    with pytest.raises(NotAnalysable, match="cannot be read as NIfTI"):
        load_nifti(tmp_path / "v.nii")
    (tmp_path / "v.nii.gz").write_bytes(sample.nifti().read_bytes()[:50_000])
    with pytest.raises(NotAnalysable, match="cannot be read as NIfTI"):
        load_nifti(tmp_path / "v.nii.gz")


def test_four_dimensions_and_nan(native: Slices, tmp_path: Path) -> None:
    voxels, affine = nifti.read(sample.nifti())
    voxels = voxels.astype(np.float32)
    voxels[0, 0, 0] = np.nan
    nifti.write(tmp_path / "v.nii", np.stack([voxels, voxels * 0], -1), affine)
    slices = volume_slices(load_nifti(tmp_path / "v.nii"), CONTRACT)
    assert np.allclose(slices.pixels, native.pixels, atol=1e-5)
    assert any("dim[4]" in warning for warning in slices.warnings)
    assert any("finite" in warning for warning in slices.warnings)
