"""Drafted masks: what was painted into a real FLAIR is found, and next to nothing else."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from msnode import sample
from msnode.errors import ConfigError
from msnode.learn.data import index_csv
from msnode.learn.data.index_csv import Row
from msnode.learn.data.ras_nifti import load, save
from msnode.learn.synth import auto_masks
from msnode.learn.synth.lesion_filling import brain_mask
from msnode.records.ras_volume import RasVolume


@pytest.fixture(scope="module")
def flair() -> RasVolume:
    return load(sample.nifti())


@pytest.fixture(scope="module")
def painted(flair: RasVolume) -> tuple[RasVolume, RasVolume]:
    """The sample with bright spots of 4 to 7 mm radius in its white matter, and where they are."""
    scan, where = flair.voxels.astype(np.float32), np.zeros(flair.voxels.shape, np.bool_)
    x, y = np.indices(scan.shape[:2]) * flair.spacing_mm[0]
    for z, radius in ((20, 4), (21, 7), (23, 5)):
        plane = scan[..., z] / np.quantile(scan[..., z], 0.999)
        deep = ndimage.distance_transform_edt(brain_mask(np.clip(plane, 0, 1))) > 35
        middle = np.argwhere(deep & (plane > np.median(plane[deep])))[40]
        u, v = middle * flair.spacing_mm[0]
        where[..., z] |= (x - u) ** 2 + (y - v) ** 2 < radius**2
    scan += where * 0.5 * np.median(scan[where])
    return RasVolume(scan, flair.affine), RasVolume(where, flair.affine)


def test_painted_spots_are_outlined(flair: RasVolume, painted: tuple[RasVolume, RasVolume]) -> None:
    scan, where = painted
    found = auto_masks.outline(scan)
    before = auto_masks.outline(flair)
    there = where.voxels.any((0, 1))
    news = found & ~before
    overlap = (news & where.voxels).sum((0, 1))[there] / where.voxels.sum((0, 1))[there]
    assert (overlap > 0.7).all()
    assert (news & where.voxels).sum() > 0.6 * news.sum()
    assert before.sum() < 100, "the sample's patient has next to no lesions"


def test_an_empty_volume_has_no_lesions(flair: RasVolume) -> None:
    assert not auto_masks.outline(RasVolume(np.zeros_like(flair.voxels), flair.affine)).any()


def test_rows_without_a_mask_get_one(tmp_path: Path, painted: tuple[RasVolume, RasVolume]) -> None:
    scan, where = painted
    save(scan, tmp_path / "scan.nii.gz")
    save(where, tmp_path / "mask.nii.gz")
    rows = [
        Row(tmp_path / "scan.nii.gz", "p1", "ms", sequence="FLAIR", number=2),
        Row(tmp_path / "scan.nii.gz", "p2", "ms", lesions=tmp_path / "mask.nii.gz", number=3),
    ]
    auto_masks.draft(rows, tmp_path / "out")
    first, second = index_csv.read(tmp_path / "out/index.csv")
    assert first.lesions is not None
    assert second.lesions == tmp_path / "mask.nii.gz"
    assert np.array_equal(load(first.lesions).voxels > 0, auto_masks.outline(scan))
    assert np.allclose(load(first.lesions).affine, scan.affine)
    assert not list((tmp_path / "out").glob("part-*"))


def test_empty_drafts_are_told_and_rows_with_masks_left_alone(
    tmp_path: Path, flair: RasVolume
) -> None:
    save(RasVolume(np.zeros_like(flair.voxels), flair.affine), tmp_path / "scan.nii.gz")
    rows = [
        Row(tmp_path / "scan.nii.gz", "p1", "ms", number=2),
        Row(tmp_path / "t.png", "p2", "ms", sequence="T1", lesions=tmp_path / "m.png", number=3),
    ]
    found = auto_masks.draft(rows, tmp_path / "out")
    assert found[1] == rows[1]
    assert auto_masks.empty(rows, found) == [found[0]]


def test_another_sequence_and_a_broken_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(b"no NIfTI")
    with pytest.raises(ConfigError, match="lines 7: sequence is not FLAIR; drafts need"):
        auto_masks.draft([Row(path, "p", "ms", sequence="T1", number=7)], tmp_path / "out")
    with pytest.raises(ConfigError, match=r"scan\.nii\.gz: cannot be read as NIfTI"):
        auto_masks.draft([Row(path, "p", "ms", number=2)], tmp_path / "out")
