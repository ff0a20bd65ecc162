"""Images are shown with the sides where their letters say, in every orientation a scanner knows."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from msnode.pages.clinic.image_stack import ImageStack, ImageStacks
from msnode.records.images import Float64Array
from msnode.store.visit_images import VisitImages, VisitRecord
from tests.unit.pages.clinic.visits import keep_visit

SHAPE = (5, 7, 3)
AXES = list(product(permutations(range(3)), product((1, -1), repeat=3)))
SIDES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "H": (2, 1), "F": (2, -1)}
"""Axis of RAS and direction of each side of the patient."""


def affine(axes: tuple[int, ...], signs: tuple[int, ...]) -> Float64Array:
    """(4, 4) to RAS mm: the i-th index runs along an axis of the patient."""
    made = np.eye(4)
    made[:3, :3] = 0
    for index, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        made[axis, index] = sign * (1.0, 1.2, 3.0)[index]
    return made


def stack(matrix: Float64Array) -> ImageStack:
    images = VisitImages(np.ones(SHAPE, np.uint16), np.zeros(SHAPE, np.uint16))
    return ImageStack(VisitRecord("", matrix, 1.0, ()), images, "1")


def towards(letter: str, ras: tuple[float, float, float]) -> float:
    """How far a place lies towards a side of the patient."""
    axis, sign = SIDES[letter]
    return sign * ras[axis]


@pytest.mark.parametrize(("axes", "signs"), AXES)
def test_each_letter_stands_at_the_side_that_it_names(
    axes: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    shown = stack(affine(axes, signs))
    columns, rows = SHAPE[0] - 1, SHAPE[1] - 1
    flip_columns, flip_rows = shown.flips
    left, right = (columns, 0) if flip_columns else (0, columns)
    top, bottom = (rows, 0) if flip_rows else (0, rows)
    ends = {
        "left": (shown.ras(left, 3, 1), shown.ras(right, 3, 1)),
        "right": (shown.ras(right, 3, 1), shown.ras(left, 3, 1)),
        "top": (shown.ras(2, top, 1), shown.ras(2, bottom, 1)),
        "bottom": (shown.ras(2, bottom, 1), shown.ras(2, top, 1)),
    }
    for name, (there, opposite) in ends.items():
        letter = shown.sides_shown[name]
        assert towards(letter, there) > towards(letter, opposite)
    first, last = shown.along
    assert towards(last, shown.ras(2, 3, 2)) > towards(last, shown.ras(2, 3, 0))
    assert towards(first, shown.ras(2, 3, 0)) > towards(first, shown.ras(2, 3, 2))


@pytest.mark.parametrize(("axes", "signs"), AXES)
def test_a_plane_is_shown_as_readers_expect_it(
    axes: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    shown = stack(affine(axes, signs))
    plane = ("sagittal", "coronal", "axial")[axes[2]]
    assert shown.plane == plane
    if axes[0] < axes[1]:  # rows and columns are not exchanged
        wanted = {"axial": "RA", "coronal": "RH", "sagittal": "AH"}[plane]
        assert (shown.sides_shown["left"], shown.sides_shown["top"]) == tuple(wanted)


def test_the_slice_of_a_place_is_the_one_it_lies_in() -> None:
    shown = stack(affine((0, 1, 2), (-1, -1, 1)))
    for index in range(SHAPE[2]):
        assert shown.index_of(shown.ras(1.0, 2.0, index)) == index


def test_only_so_many_images_are_held_and_deleted_ones_are_gone(tmp_path: Path) -> None:
    folders = [keep_visit(tmp_path, f"{number:016x}") for number in range(3)]
    held = ImageStacks(most_bytes=1)
    first = held.of(folders[0])
    assert first is not None
    assert held.of(folders[0]) is first
    assert held.of(folders[1]) is not None
    again = held.of(folders[0])
    assert again is not None
    assert again is not first, "it was put aside for the second"
    for path in folders[0].iterdir():
        path.unlink()
    assert held.of(folders[0]) is None
    assert held.of(folders[2]) is not None


def test_images_that_were_made_anew_are_read_anew(tmp_path: Path) -> None:
    folder = keep_visit(tmp_path, "a" * 16)
    held = ImageStacks()
    first = held.of(folder)
    keep_visit(tmp_path, "a" * 16, brightness=9.0)
    second = held.of(folder)
    assert first is not None
    assert second is not None
    assert second.record.scale != first.record.scale
