import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from msnode.records.images import Slices, SourceFrame
from msnode.records.uid_hash import uid_hash


def frame(z: float) -> SourceFrame:
    """A 128 x 96 axial frame of 2 x 1.5 mm pixels at a height."""
    affine = np.diag([2.0, 1.5, 1.0, 1.0])
    affine[:3, 3] = -100.0, -90.0, z
    return SourceFrame("1.2.3", f"1.2.3.{int(z)}", "1.2", None, 96, 128, affine)


def slices(*, reformatted: bool) -> Slices:
    """Two prepared slices of 64 x 64 pixels of 4 mm at the heights 0 and 10."""
    affines = np.stack([np.diag([4.0, 4.0, 1.0, 1.0])] * 2)
    affines[:, :3, 3] = [(-100.0, -90.0, 0.0), (-100.0, -90.0, 10.0)]
    frames = (frame(0.0), frame(10.0))
    pixels = np.zeros((2, 3, 64, 64), np.float32)
    return Slices(pixels, affines, frames, (0, 1), 10.0, reformatted, 0)


def test_a_key_is_short_safe_and_stable() -> None:
    assert uid_hash("1.2.840.1") == uid_hash("1.2.840.1") != uid_hash("1.2.840.2")
    assert len(uid_hash("../../etc/passwd")) == 16
    assert uid_hash("../../etc/passwd").isalnum()


@given(st.floats(0, 50), st.floats(0, 30), st.booleans())
def test_a_pixel_is_located_on_its_source(column: float, row: float, reformatted: bool) -> None:
    point = slices(reformatted=reformatted).locate(1, column, row)
    assert point.source.sop_instance_uid == "1.2.3.10"
    assert np.isclose(point.column, min(column * 4.0 / 2.0, 127))
    assert np.isclose(point.row, min(row * 4.0 / 1.5, 95))


def test_scoord_counts_from_the_corner_of_the_first_pixel() -> None:
    assert slices(reformatted=False).locate(0, 0.0, 0.0).graphic_data == (0.5, 0.5)
