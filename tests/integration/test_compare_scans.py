"""Comparisons with the shipped network: copies of one scan, lesions put in, another head."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from bench.lesion_repeats import moved
from msnode import lesions
from msnode.lesions import Bundle, Visit, compare, draw, find
from msnode.lesions.find import to_ras
from msnode.lesions.grade import _balls, _filled
from msnode.records.images import Float32Array, Float64Array
from msnode.records.lesions import Change
from msnode.records.sentences import Sentence
from msnode.sample.known_studies import LJUBLJANA, TABRIZ
from tests.integration.test_shipped_lesions import scan

NEW, GONE = 2, 5


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return lesions.load(lesions.SHIPPED)


@pytest.fixture(scope="module")
def now(bundle: Bundle) -> Visit:
    volume = to_ras(*scan(LJUBLJANA))
    return Visit(volume.voxels, volume.affine, find(volume.voxels, volume.affine, bundle))


def turned(voxels: Float32Array, affine: Float64Array) -> Float32Array:
    """Turned by 3 degrees about each axis, moved by 2 mm, noisy, brighter by a quarter."""
    turn = Rotation.from_euler("xyz", [3, -3, 3], degrees=True).as_matrix()
    centre = (affine @ [*np.array(voxels.shape) / 2, 1])[:3]
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = turn, centre + 2 - turn @ centre
    matrix = np.linalg.inv(affine) @ move @ affine
    copy = ndimage.affine_transform(voxels, matrix[:3, :3], matrix[:3, 3], order=3)
    rng = np.random.default_rng(1)
    copy += rng.normal(0, 0.02 * np.median(voxels[voxels > voxels.mean()]), copy.shape)
    return np.asarray(1.25 * np.clip(copy, 0, None), np.float32)


def kinds(compared: lesions.Compared) -> set[Change]:
    return {one.change for one in compared.comparison.changes}


@pytest.fixture(scope="module")
def tabriz(bundle: Bundle) -> Visit:
    voxels, affine = scan(TABRIZ)
    return Visit(voxels, affine, find(voxels, affine, bundle))


@pytest.mark.long
def test_of_a_scan_with_motion_it_is_said_that_it_is_less_sharp(
    tabriz: Visit, bundle: Bundle
) -> None:
    shaken = moved(tabriz.voxels, tabriz.affine, 2.0)
    later = Visit(shaken, tabriz.affine, find(shaken, tabriz.affine, bundle))
    assert compare(tabriz, later).comparison.differences == (Sentence("less_sharp_now"),)


def test_a_turned_noisy_copy_shows_no_change(now: Visit, bundle: Bundle) -> None:
    copy = turned(now.voxels, now.affine)
    compared = compare(now, Visit(copy, now.affine, find(copy, now.affine, bundle)))
    told = compared.comparison
    assert told.status == "compared"
    assert kinds(compared) == {"unchanged"}
    assert told.differences == (), "noise and resampling are no motion"
    assert told.ml_change is not None
    assert told.ml_error is not None
    assert abs(told.ml_change) <= told.ml_error
    assert compared.prior is not None
    inside = now.found.labels[:, :, 18] == 0
    alike = np.corrcoef(compared.prior[:, :, 18][inside], copy[:, :, 18][inside])[0, 1]
    assert alike > 0.95


def test_lesions_put_in_are_new_and_with_the_visits_swapped_gone(
    now: Visit, bundle: Bundle
) -> None:
    marks = draw(now.voxels, now.affine, bundle)
    volume, balls = marks.scan.volume, list(islice(_balls(marks), 3))
    changed = now.voxels.copy()
    areas = []
    for area, part in (_filled(replace(ball, diameter_mm=10.0), volume) for ball in balls):
        changed[area] *= 1 + 0.5 * part
        areas.append((area, part > 0.5))
    later = Visit(changed, now.affine, find(changed, now.affine, bundle))
    there, back = compare(now, later), compare(later, now)
    assert there.changes is not None
    assert back.changes is not None
    for area, inside in areas:
        assert (there.changes[area][inside] == NEW).any()
        assert (back.changes[area][inside] == GONE).any()
    assert there.comparison.count("new") == back.comparison.count("gone") == 3
    assert there.comparison.count("gone") == back.comparison.count("new") == 0


def test_another_head_and_another_part_of_the_head_are_not_compared(
    now: Visit, tabriz: Visit
) -> None:
    other = compare(tabriz, now)
    assert other.comparison.status == "not_compared"
    assert "another head" in str(other.comparison.reason)
    assert other.changes is None
    assert other.lesions == now.found.lesions
    parts = [part(now, slice(0, 16)), part(now, slice(20, 36))]
    assert compare(*parts).comparison.status == "not_compared"


def part(visit: Visit, slices: slice) -> Visit:
    """Some of a scan's slices."""
    affine = visit.affine.copy()
    affine[:3, 3] += affine[:3, 2] * slices.start
    found = replace(
        visit.found,
        labels=visit.found.labels[:, :, slices],
        numbers=visit.found.numbers[:, :, slices],
        probability=visit.found.probability[:, :, slices],
    )
    return Visit(visit.voxels[:, :, slices], affine, found)
