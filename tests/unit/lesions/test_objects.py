"""Lesions as objects: connected, long enough, measured, placed, numbered the same every time."""

import numpy as np
import pytest

from msnode.lesions import atlas, objects
from msnode.lesions.outline import LESION, RIM
from msnode.records.ras_volume import RasVolume
from tests.unit.lesions.heads import Drawn, head, lesion_at

PLACES = {
    "periventricular": (-24.0, -36.0, 24.0),
    "infratentorial": (10.0, -60.0, -34.0),
    "juxtacortical": (-38.0, 30.0, 30.0),
    "deep_white": (-28.0, 8.0, 34.0),
}


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """A lesion in every region, the first the largest."""
    made = head()
    for number, mm in enumerate(PLACES.values()):
        lesion_at(made, mm, (10.0 - 2 * number, 6.0, 2))
    return made


@pytest.fixture(scope="module")
def found(drawn: Drawn) -> objects.Found:
    return drawn.found


def test_every_lesion_is_placed_and_the_largest_comes_first(found: objects.Found) -> None:
    assert [lesion.region for lesion in found.lesions] == list(PLACES)
    assert [lesion.number for lesion in found.lesions] == [1, 2, 3, 4]
    assert np.unique(found.numbers).tolist() == [0, 1, 2, 3, 4]
    for lesion, mm in zip(found.lesions, PLACES.values(), strict=True):
        assert np.allclose(lesion.centroid, mm, atol=6)


def test_a_lesion_is_on_the_patients_side(found: objects.Found) -> None:
    # RAS: x grows to the patient's right
    assert [one.laterality for one in found.lesions] == ["left", "right", "left", "left"]


@pytest.mark.usefixtures("as_drawn")
def test_across_the_midline_or_at_it_a_lesion_is_on_neither_side() -> None:
    drawn = head()
    lesion_at(drawn, (0.0, 30.0, 40.0), (20.0, 6.0, 1))
    lesion_at(drawn, (0.0, -60.0, -34.0), (4.0, 6.0, 1))
    lesion_at(drawn, (-6.0, 30.0, 20.0), (12.0, 6.0, 1))
    assert [one.laterality for one in drawn.found.lesions] == ["both", "left", "midline"]


def test_volume_diameter_and_slices_are_those_of_the_voxels(
    drawn: Drawn, found: objects.Found
) -> None:
    for lesion in found.lesions:
        mine = found.numbers == lesion.number
        assert lesion.mm3 == pytest.approx(mine.sum() * 6.5)
        assert sum(lesion.parts.values()) == pytest.approx(lesion.mm3)
        assert list(lesion.slices) == np.flatnonzero(mine.any(axis=(0, 1))).tolist()
        assert lesion.probability == pytest.approx(0.9)
    first = found.lesions[0]
    # a box of 10 x 6 pixels of 1 mm: from the first to the last pixel's centre, and a pixel
    assert first.diameter_mm == pytest.approx(np.hypot(9, 5) + 1)


def test_what_is_shorter_than_3_mm_is_no_lesion() -> None:
    volume = RasVolume(np.zeros((20, 20, 4), np.float32), np.eye(4))
    mask = np.zeros((20, 20, 4), np.bool_)
    mask[2:4, 2, 1] = True  # 2 mm
    mask[10:13, 10, 2] = True  # 3 mm
    mask[15, 15, :] = True  # long across the slices only
    kept = objects.without_short(mask, volume)
    assert np.argwhere(kept).tolist() == [[10, 10, 2], [11, 10, 2], [12, 10, 2]]


@pytest.mark.usefixtures("as_drawn")
def test_what_touches_at_a_corner_is_one_lesion() -> None:
    drawn = head()
    lesion_at(drawn, (-28.0, 8.0, 34.0), (6.0, 6.0, 1))
    x, y, z = np.argwhere(drawn.labels == LESION).max(axis=0)
    drawn.labels[x + 1 : x + 5, y + 1 : y + 5, z + 1] = LESION
    assert len(drawn.found.lesions) == 1


@pytest.mark.usefixtures("as_drawn")
def test_a_lesion_beyond_the_normal_rim_touches_the_ventricle() -> None:
    drawn = head()
    ventricle = drawn.labels.copy()
    z = int(np.argmax((ventricle == 2).sum(axis=(0, 1))))
    x = int(np.flatnonzero((ventricle[..., z] == 2).any(axis=1)).max())
    y = int(np.flatnonzero(ventricle[x, :, z] == 2).mean())
    drawn.labels[x + 1 : x + 4, y - 6 : y + 6, z] = RIM
    drawn.labels[x + 4 : x + 10, y - 3 : y + 3, z] = LESION
    (lesion,) = drawn.found.lesions
    assert lesion.region == "periventricular"


@pytest.mark.usefixtures("as_drawn")
def test_a_volume_without_lesions_has_none() -> None:
    drawn = head()
    found = drawn.found
    assert found.lesions == ()
    assert not found.numbers.any()
    assert found.doubts == ()


def test_where_the_atlas_does_not_fit_only_the_ventricles_are_known(
    drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atlas, "fit", lambda *_: atlas.Fit(np.eye(4), 0.3))
    found = drawn.found.lesions
    assert [lesion.region for lesion in found] == ["periventricular", *["unknown"] * 3]


@pytest.mark.parametrize("pitch", [-12.0, 9.0])
def test_the_atlas_is_fitted_to_a_head_that_is_turned_moved_and_larger(pitch: float) -> None:
    angle = np.radians(pitch)
    turned = np.eye(4)
    turned[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned[:3, :3] *= 1.06
    turned[:3, 3] = [4, -7, 5]
    drawn = head()
    volume = RasVolume(drawn.volume.voxels, turned @ drawn.volume.affine)
    start = (turned @ np.append(atlas.MIDDLE + np.array([3.0, -4.0, 4.0]), 1))[:3]
    fit = atlas.fit(volume, start)
    to_atlas = fit.matrix
    assert fit.likeness > 0.9
    corners = np.array([[x, y, z, 1] for x in (-60, 60) for y in (-90, 60) for z in (-30, 60)]).T
    apart = np.linalg.norm((to_atlas @ turned @ corners - corners)[:3], axis=0)
    assert apart.max() < 6
    assert apart.mean() < 3
