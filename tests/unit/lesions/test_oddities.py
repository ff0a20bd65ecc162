"""What is odd about a scan is said: a mass, a void, a head that the atlas does not fit."""

from dataclasses import replace
from typing import cast

import nibabel
import numpy as np
import pytest
from nibabel.spatialimages import SpatialImage

from msnode import lesions
from msnode.lesions import atlas
from msnode.lesions import brain as brains
from msnode.lesions.brain import below_surface, brain_mask
from msnode.lesions.find import to_ras
from msnode.lesions.oddities import oddities
from msnode.lesions.outline import LESION
from msnode.records.images import Float64Array
from msnode.records.population import Acquisition
from msnode.records.ras_volume import RasVolume
from msnode.records.sentences import Sentence
from msnode.sample.known_studies import TABRIZ
from tests.unit.lesions.heads import Drawn, head

AS_DRAWN = atlas.Fit(np.eye(4), 1.0)
ASIDE, FRONT = (-38.0, -20.0, 34.0), (30.0, 30.0, 28.0)


def distance(volume: RasVolume, mm: tuple[float, float, float]) -> Float64Array:
    """(x, y, z) mm from a point."""
    places = np.indices(volume.voxels.shape).reshape(3, -1)
    there = volume.affine[:3, :3] @ places + volume.affine[:3, 3:]
    away: Float64Array = np.linalg.norm(there - np.array(mm)[:, None], axis=0)
    return away.reshape(volume.voxels.shape)


def said(drawn: Drawn, fit: atlas.Fit = AS_DRAWN) -> list[tuple[str, object]]:
    found = oddities(brains.head(drawn.volume), fit)
    return [(one.code, one.values.get("mm")) for one in found]


def test_nothing_is_said_of_an_ordinary_head() -> None:
    assert said(head()) == []


@pytest.mark.parametrize("where", [ASIDE, FRONT])
def test_a_mass_is_named_with_its_width_and_a_lesion_is_none(
    where: tuple[float, float, float],
) -> None:
    drawn = head()
    away = distance(drawn.volume, where)
    drawn.volume.voxels[away < 6] *= 1.7
    assert said(drawn) == []
    drawn.volume.voxels[(away >= 6) & (away < 15)] *= 1.7
    ((code, mm),) = said(drawn)
    assert code == "mass"
    assert isinstance(mm, int)
    assert 24 <= mm <= 34


@pytest.mark.parametrize("where", [ASIDE, FRONT])
def test_a_void_is_named_and_the_ventricles_are_none(where: tuple[float, float, float]) -> None:
    drawn = head()
    drawn.volume.voxels[distance(drawn.volume, where) < 14] = 0
    ((code, mm),) = said(drawn)
    assert code == "void"
    assert isinstance(mm, int)
    assert 18 <= mm <= 32


def test_a_head_that_the_atlas_does_not_fit_is_said_to_be_so() -> None:
    assert said(head(), atlas.Fit(np.eye(4), 0.4)) == [("unplaced", None)]


def test_half_a_head_is_outlined_and_told() -> None:
    drawn = head()
    half = Drawn(RasVolume(drawn.volume.voxels[:90], drawn.volume.affine), drawn.labels[:90].copy())
    found = half.found
    assert found.doubts == (Sentence("unplaced"),)


def test_the_upper_half_of_a_real_head_is_told_however_well_the_atlas_fits() -> None:
    """Ten of twenty slices: half a brain looks like a whole one that is flat."""
    scan = cast(SpatialImage, nibabel.load(TABRIZ.nifti))
    whole = to_ras(np.asanyarray(scan.dataobj).astype(np.float32), scan.affine)
    half = RasVolume(whole.voxels[..., 10:], whole.affine)
    start = (half.affine @ [*(np.array(half.voxels.shape) / 2), 1])[:3]
    upper = brains.head(half)
    found = atlas.fit(half, start, upper.brain)
    assert not replace(found, likeness=0.9).holds, "a good fit would not tell"
    assert [one.code for one in oddities(upper, found)] == ["unplaced"]


def test_what_lies_in_the_slice_of_the_vertex_only_is_no_lesion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(atlas, "fit", lambda *_: AS_DRAWN)
    drawn = head()
    brain = brain_mask(drawn.volume)
    top = int(np.flatnonzero(brain.any(axis=(0, 1)))[-1])
    x, y = (int(n) for n in np.argwhere(brain[..., top]).mean(axis=0))
    drawn.labels[x - 4 : x + 4, y - 4 : y + 4, top] = LESION
    assert not drawn.found.lesions
    drawn.labels[x - 4 : x + 4, y - 4 : y + 4, top - 3 : top] = LESION
    (lesion,) = drawn.found.lesions
    assert top - 2 in lesion.slices


def test_a_scan_that_ends_within_the_brain_has_no_surface_there() -> None:
    volume = RasVolume(np.zeros((60, 60, 8), np.float32), np.diag([1.0, 1.0, 3.0, 1.0]))
    brain = np.zeros(volume.voxels.shape, np.bool_)
    brain[10:50, 10:50] = True
    deep = below_surface(brain, volume)
    assert deep[30, 30].all()
    assert not deep[12].any()
    assert not deep[:, 12].any()


@pytest.mark.parametrize(("distance_mm", "codes"), [(0.5, []), (6.5, []), (9.0, ["distance"])])
def test_slices_too_far_apart_are_odd_and_thin_ones_are_not(
    distance_mm: float, codes: list[str]
) -> None:
    # thin slices are averaged before the network sees them
    told = lesions.load(lesions.SHIPPED).doubts(Acquisition(), distance_mm)
    assert [one.code for one in told] == [f"outside_{code}" for code in codes]
