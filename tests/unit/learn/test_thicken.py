"""Averaged slices: the voxels, the mask, and where they lie."""

from pathlib import Path

import numpy as np
import pytest

from msnode.errors import ConfigError
from msnode.learn.data import index_csv
from msnode.learn.data.index_csv import Row
from msnode.learn.data.ras_nifti import load, save
from msnode.learn.synth import thicken
from msnode.records.ras_volume import RasVolume

AFFINE = np.array([[0.9, 0, 0, -90], [0, 0.9, 0, -110], [0, 0, 3.0, -40], [0, 0, 0, 1]])


def written(folder: Path, slices: int, mask_slices: int) -> Row:
    """A scan whose slices hold their own number; the second to fourth are lesion."""
    voxels = np.broadcast_to(np.arange(slices, dtype=np.int16), (4, 5, slices))
    mask = np.zeros((4, 5, mask_slices), np.bool_)
    mask[..., 1:4] = True
    save(RasVolume(np.array(voxels), AFFINE), folder / "scan.nii.gz")
    save(RasVolume(mask, AFFINE), folder / "mask.nii.gz")
    return Row(
        folder / "scan.nii.gz", "p1", "ms", site="a", lesions=folder / "mask.nii.gz", number=2
    )


def test_each_phase_is_averaged_where_it_lies(tmp_path: Path) -> None:
    thicken.thicken([written(tmp_path, 7, 7)], tmp_path / "out")
    first, second = index_csv.read(tmp_path / "out/index.csv")
    assert (first.person, first.label, first.site) == ("p1", "ms", "a")
    for row, values, lesion, z_mm in (
        (first, [0.5, 2.5, 4.5], [True, True, False], -38.5),
        (second, [1.5, 3.5, 5.5], [True, True, False], -35.5),
    ):
        assert row.lesions is not None
        scan, mask = load(row.path), load(row.lesions)
        assert scan.voxels[0, 0].tolist() == values
        assert (mask.voxels[0, 0] > 0).tolist() == lesion
        assert scan.spacing_mm.tolist() == pytest.approx([0.9, 0.9, 6.0])
        assert scan.affine[:3, 3].tolist() == pytest.approx([-90, -110, z_mm])
        assert np.allclose(mask.affine, scan.affine)


def test_what_cannot_be_averaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"scan\.nii\.gz: has 5 slices, too few"):
        thicken.thicken([written(tmp_path, 5, 5)], tmp_path / "out", 3)
    with pytest.raises(ConfigError, match=r"mask\.nii\.gz: the mask has another grid"):
        thicken.thicken([written(tmp_path, 8, 6)], tmp_path / "out")
