"""Shifting all slices at once gives to the pixel what scipy gives slice by slice."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from msnode.records.morphology import Planes, dilated, disc, eroded, eroded_by_ball, filled

SPACINGS = [(1.0, 1.0), (0.9, 0.7), (0.5, 2.3)]


def blots(density: float = 0.5) -> Planes:
    """(slices, rows, cols) bool: blots of all sizes, some of them at the edges."""
    noise = np.random.default_rng(4).normal(size=(5, 41, 57))
    smooth = ndimage.gaussian_filter(noise, [0, 2, 2])
    return np.asarray(smooth > np.quantile(smooth, 1 - density), np.bool_)


def to_false(planes: Planes, spacing: tuple[float, float]) -> NDArray[np.float64]:
    """How far it is to the nearest False in the same slice."""
    return np.stack([ndimage.distance_transform_edt(plane, spacing) for plane in planes])


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("radius", [0.4, 1.0, 3.0, 7.3])
def test_a_disc_covers_what_lies_within_its_radius(
    radius: float, spacing: tuple[float, float]
) -> None:
    planes, element = blots(0.1), disc(radius, spacing)
    assert np.array_equal(dilated(planes, element), to_false(~planes, spacing) <= radius)
    inside = to_false(planes, spacing) > radius
    assert np.array_equal(eroded(planes, element, beyond=True), inside)


@pytest.mark.parametrize("radius", [4.0, 8.0 - 1e-6, 15.0])
def test_a_radius_that_is_a_whole_number_of_pixels_but_for_rounding(radius: float) -> None:
    for count in range(1, 60):
        side = radius / count
        element = disc(radius, (side, side))
        assert count - 1 <= len(element) - 1 <= count
        assert count - 1 <= element[0] <= count
        planes = np.ones((3, 4, 5), np.bool_)
        assert eroded_by_ball(planes, radius, (side, side, side)).all()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.4, 0.9, 0.7), (9.0, 1.0, 1.0)])
@pytest.mark.parametrize("radius", [0.8, 3.0, 5.1])
def test_a_ball_reaches_into_other_slices(
    radius: float, spacing: tuple[float, float, float]
) -> None:
    planes = blots(0.95)
    inside = ndimage.distance_transform_edt(planes, spacing) > radius
    assert inside.any()
    assert np.array_equal(eroded_by_ball(planes, radius, spacing), inside)


@pytest.mark.parametrize("radius", [1, 4])
def test_beyond_the_edge_there_is_nothing_unless_it_is_said(radius: int) -> None:
    planes = np.ones((2, 20, 30), np.bool_)
    assert eroded(planes, disc(radius), beyond=True).all()
    inside = np.zeros_like(planes)
    inside[:, radius:-radius, radius:-radius] = True
    assert np.array_equal(eroded(planes, disc(radius)), inside)


def test_a_diamond_opens_as_two_steps_of_a_cross_do() -> None:
    planes, element = blots(), (2, 1, 0)
    opened = np.stack([ndimage.binary_opening(plane, iterations=2) for plane in planes])
    assert 0 < opened.sum() < planes.sum()
    assert np.array_equal(dilated(eroded(planes, element), element), opened)


def test_an_element_may_be_wider_than_the_slice() -> None:
    planes = np.zeros((1, 4, 3), np.bool_)
    planes[0, 1, 1] = True
    assert dilated(planes, disc(9.0)).all()
    assert not eroded(~planes, disc(9.0)).any()


def test_holes_are_filled_and_bays_at_the_edge_are_not() -> None:
    planes = blots(0.7)
    each = np.stack([ndimage.binary_fill_holes(plane) for plane in planes])
    assert planes.sum() < each.sum() < planes.size
    assert np.array_equal(filled(planes), each)
    full = np.ones((1, 3, 3), np.bool_)
    assert filled(full).all()
    assert not filled(~full).any()
