"""Outlines run along the edges of just the voxels that were outlined."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from msnode.pages.clinic.outline_paths import lines, paths, seen_best


def filled(drawn: list[list[tuple[int, int]]], shape: tuple[int, int]) -> np.ndarray:
    """The pixels within closed lines, by the even-odd rule, at their centres."""
    inside = np.zeros(shape, bool)
    for line in drawn:
        picture = Image.new("1", (8 * shape[1] + 8, 8 * shape[0] + 8))
        ImageDraw.Draw(picture).polygon([(8 * x, 8 * y) for x, y in line], fill=1)
        inside ^= np.asarray(picture)[4:-8:8, 4:-8:8][: shape[0], : shape[1]]
    return inside


@given(arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7))))
@settings(max_examples=200)
def test_what_lies_within_the_lines_is_the_mask(mask: np.ndarray) -> None:
    drawn = lines(mask)
    np.testing.assert_array_equal(filled(drawn, mask.shape), mask)
    assert all(len(line) >= 4 for line in drawn)


def test_a_square_has_four_corners() -> None:
    mask = np.zeros((5, 5), bool)
    mask[1:3, 2:4] = True
    assert [sorted(line) for line in lines(mask)] == [[(2, 1), (2, 3), (4, 1), (4, 3)]]


def test_each_lesion_is_outlined_on_its_slices_and_seen_best_where_it_is_largest() -> None:
    numbers = np.zeros((6, 5, 3), np.uint16)
    numbers[1, 1, 0] = 1
    numbers[1:3, 1:3, 1] = 1
    numbers[5, 4, 2] = 2
    found = paths(numbers, {1: "new", 2: "rest"})
    assert {k: [one["n"] for one in of] for k, of in found.items()} == {0: [1], 1: [1], 2: [2]}
    assert found[2] == [{"n": 2, "g": "rest", "p": found[2][0]["p"]}]
    assert sorted(found[2][0]["p"][0]) == [(5, 4), (5, 5), (6, 4), (6, 5)]
    assert seen_best(numbers) == {1: (1, 1.5, 1.5), 2: (2, 5.0, 4.0)}
