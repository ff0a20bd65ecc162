"""Derived images lie where their pixels say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom.valuerep import DSfloat
from scipy.spatial.transform import Rotation

from msnode.records.images import Float64Array
from msnode.report import geometry
from msnode.report.geometry import Grid


def affine(spacing: tuple[float, float] = (1.0, 1.0), turn: float = 0.0) -> Float64Array:
    """Axial, turned about the z axis by degrees."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("z", turn, degrees=True).as_matrix()
    matrix[:3, 0] *= spacing[0]
    matrix[:3, 1] *= spacing[1]
    matrix[:3, 3] = (-50.0, -40.0, 7.0)
    return matrix


def bump(at: Float64Array, matrix: Float64Array, rows: int, columns: int) -> Image.Image:
    """A smooth bump at a position in the patient, in mm."""
    row, column = np.mgrid[:rows, :columns]
    points = np.stack([column, row, 0 * row, 1 + 0 * row], axis=-1) @ matrix.T
    distance = ((points[..., :3] - at) ** 2).sum(axis=-1)
    return Image.fromarray(np.exp(-distance / 50).astype(np.float32))


@given(st.floats(0.5, 2), st.floats(0.5, 2), st.sampled_from([0, 3, 90, 180, -90]))
def test_a_spot_stays_where_it_is(across: float, down: float, turn: float) -> None:
    ours, theirs = affine(), affine((across, down), turn)
    theirs[:3, 3] = ours[:3, 3] + ours[:3, :2] @ [45, 40] - theirs[:3, :2] @ [60, 60]
    spot = (ours @ [45, 40, 0, 1])[:3]
    target = Grid(theirs, 120, 120)
    moved = np.asarray(geometry.resample(bump(spot, ours, 90, 100), ours, target))
    row, column = np.unravel_index(int(moved.argmax()), moved.shape)
    found = (theirs @ [column, row, 0, 1])[:3]
    assert np.linalg.norm(found - spot) <= max(across, down)


def test_the_same_grid_is_left_alone() -> None:
    image = bump(np.zeros(3), affine(), 20, 30)
    assert geometry.resample(image, affine(), Grid(affine(), 20, 30)) is image


@pytest.mark.parametrize(
    ("turn", "expected"), [(0, ("L", "P")), (90, ("P", "R")), (180, ("R", "A")), (-90, ("A", "L"))]
)
def test_sides_are_named_by_where_pixels_lead(turn: float, expected: tuple[str, str]) -> None:
    assert geometry.sides(affine(turn=turn)) == expected


def test_directions_keep_the_sources_own_digits() -> None:
    own = [DSfloat(text) for text in ("0.99999999", "0", "0.0001", "0", "1", "0")]
    assert geometry.orientation(affine(), own) == own
    assert geometry.orientation(affine(turn=5), own) != own
    assert geometry.orientation(affine((0.5, 2))) == [1, 0, 0, 0, 1, 0]


@given(st.floats(-1e9, 1e9, allow_nan=False))
def test_decimals_fit(value: float) -> None:
    text = str(geometry.decimal(value))
    assert len(text) <= 16
    assert float(text) == pytest.approx(value, rel=1e-8, abs=1e-9)
