"""What an index says of a volume, as the network is taught it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from msnode.errors import ConfigError
from msnode.learn.data.index_csv import Row
from msnode.learn.train import label_maps
from msnode.learn.train.label_maps import REST, UNKNOWN
from msnode.lesions.outline import LESION, RIM, VENTRICLE

AFFINE = np.diag([1.0, 1.0, 6.0, 1.0])


def write(path: Path, voxels: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    nibabel.Nifti1Image(voxels, affine).to_filename(path)
    return path


@pytest.fixture
def row(tmp_path: Path) -> Row:
    """A bright block with a ventricle, a bright rim beside it and a lesion apart."""
    voxels = np.zeros((60, 60, 6), np.float32)
    voxels[5:55, 5:55] = 100
    ventricle, lesion = np.zeros((2, 60, 60, 6), np.uint8)
    ventricle[25:30, 20:40] = 1
    lesion[45:49, 20:24, 2:4] = 1
    voxels[ventricle > 0] = 10
    voxels[30:32, 20:40] = 150
    voxels[lesion > 0] = 170
    names = {"lesions": lesion, "ventricles": ventricle}
    paths: dict[str, Any] = {
        name: write(tmp_path / f"{name}.nii.gz", mask) for name, mask in names.items()
    }
    return Row(write(tmp_path / "flair.nii.gz", voxels), "p", "ms", number=2, **paths)


def test_the_rim_is_guessed_where_nobody_drew_it(row: Row) -> None:
    (volume,) = label_maps.load([row])
    labels = volume.labels[2]
    assert set(np.unique(labels)) == {REST, LESION, VENTRICLE, RIM}
    assert (labels[30:32, 20:40] == RIM).all(), "bright and beside the ventricle"
    assert (labels[45:49, 20:24] == LESION).all()
    assert (labels[50, 20:40] == REST).all()


def test_the_healed_twin_has_no_lesion_and_is_else_the_same(row: Row) -> None:
    (volume,) = label_maps.load([row])
    lesion = volume.labels == LESION
    assert volume.planes.pixels[lesion].min() > 1.5
    assert volume.healed.pixels[lesion].max() < 1.3
    far = ~ndimage.binary_dilation(lesion, iterations=12)
    assert np.allclose(volume.healed.pixels[far], volume.planes.pixels[far], atol=0.02)


def test_what_could_be_a_ventricle_is_unknown_where_nobody_drew_them(row: Row) -> None:
    (volume,) = label_maps.load([replace(row, ventricles=None)])
    assert set(np.unique(volume.labels)) == {LESION, UNKNOWN}


def test_a_drawn_rim_and_a_drawn_brain_are_taken(row: Row, tmp_path: Path) -> None:
    rim, brain = np.zeros((2, 60, 60, 6), np.uint8)
    rim[22:25, 20:40] = 1
    brain[10:50, 10:50] = 1
    drawn = replace(
        row,
        normal_rim=write(tmp_path / "rim.nii.gz", rim),
        brain=write(tmp_path / "brain.nii.gz", brain),
    )
    (volume,) = label_maps.load([drawn])
    assert (volume.labels[2, 22:25, 20:40] == RIM).all()
    assert (volume.labels[2, 30:32, 20:40] == REST).all()
    assert not volume.stripped.pixels[:, :9].any()


def test_masks_follow_a_volume_in_another_orientation(row: Row, tmp_path: Path) -> None:
    flipped = np.diag([-1.0, 1, 1, 1])
    paths: dict[str, Any] = {}
    for name in ("path", "lesions", "ventricles"):
        image = nibabel.load(getattr(row, name))
        voxels = np.flip(np.asarray(image.dataobj), 0)  # type: ignore[attr-defined]
        affine = image.affine @ flipped  # type: ignore[attr-defined]
        affine[0, 3] = 59
        paths[name] = write(tmp_path / f"turned-{name}.nii.gz", voxels, affine)
    plain, turned = label_maps.load([row, replace(row, **paths)])
    assert np.array_equal(plain.labels, turned.labels)


@pytest.mark.parametrize("missing", [True, False])
def test_what_cannot_be_used_is_named_by_its_line(row: Row, tmp_path: Path, missing: bool) -> None:
    elsewhere = AFFINE.copy()
    elsewhere[0, 3] = 30
    path = write(tmp_path / "elsewhere.nii.gz", np.ones((60, 60, 6), np.uint8), elsewhere)
    bad = replace(row, lesions=None if missing else path)
    told = "column lesions is empty" if missing else "another grid than its volume"
    with pytest.raises(ConfigError, match=f"line 2: flair.nii.gz: .*{told}"):
        label_maps.load([bad])
