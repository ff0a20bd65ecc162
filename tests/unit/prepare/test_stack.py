"""Frames into one volume: order, gaps, repeats, and stacks that are none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msnode.errors import NotAnalysable
from msnode.prepare.frames import Frame
from msnode.prepare.stack import stack
from msnode.records.images import SourceFrame

OBLIQUE = np.linalg.qr(np.array([[1, 0.1, 0.2], [-0.1, 1, 0.3], [-0.2, -0.3, 1]]))[0]


def frame(place: np.ndarray, name: str = "1", volume: tuple[float, ...] = (0,)) -> Frame:
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = OBLIQUE[:, 0], OBLIQUE[:, 1]
    affine[:3, 2] = np.cross(OBLIQUE[:, 0], OBLIQUE[:, 1])
    affine[:3, 3] = place
    source = SourceFrame("1.2", name, "1.3", None, 8, 8, affine)
    return Frame(Path(name), source, 1, 0, volume)


def along(distances: list[float]) -> list[Frame]:
    normal = np.cross(OBLIQUE[:, 0], OBLIQUE[:, 1])
    normal *= np.sign(normal[np.abs(normal).argmax()])
    return [frame(normal * d + [5, 6, 7], str(i)) for i, d in enumerate(distances)]


@given(st.permutations(range(12)))
def test_sorted_by_geometry_alone(order: list[int]) -> None:
    frames = along([3.3 * i for i in range(12)])
    made = stack([frames[i] for i in order])
    assert [f.source.sop_instance_uid for f in made.frames] == [str(i) for i in range(12)]
    assert np.allclose(made.positions, 3.3 * np.arange(12))
    assert np.allclose(made.affine[:3, 3], frames[0].source.affine[:3, 3])
    assert made.missing == 0
    assert not made.warnings


def test_gap_and_uneven_distance() -> None:
    made = stack(along([0, 3, 6, 12, 15, 18, 21, 30, 33, 36, 39, 42]))
    assert made.missing == 3
    made = stack(along([0, 3, 6, 9, 12, 16, 19, 22, 25]))
    assert made.missing == 0
    assert "1 slice distances are uneven" in made.warnings[0]


def test_interleaved_echoes_give_the_first_complete_volume() -> None:
    first, second = along([0, 3, 6]), along([0, 3, 6])
    late = [replace(f, volume=(0, 90.0)) for f in second]
    early = [replace(f, volume=(0, 20.0)) for f in first]
    assert stack([*late, *early]).frames == tuple(early)
    incomplete = stack([*late, *early[:2]])
    assert incomplete.frames == tuple(late), "the first echo lacks a slice"
    phase = [replace(f, volume=(1, 20.0)) for f in second]
    assert stack([*phase, *early]).frames == tuple(early)


def test_concatenated_acquisitions_are_one_volume() -> None:
    frames = [replace(f, volume=(0, float(i % 2))) for i, f in enumerate(along([0, 3, 6, 9]))]
    assert stack(frames).frames == tuple(frames)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (along([0]), "a single image"),
        (along([0, 0, 0.01]), "ImagePositionPatient is the same in all images"),
        ([frame(np.array([0, 2.0 * i, 5.0 * i])) for i in range(9)], "ImagePositionPatient moves"),
        (along([0, 1, 7, 9, 30, 33, 50]), "uneven"),
        (along([0, 3, 30, 33, 60, 63, 66]), "seem to be missing"),
    ],
)
def test_no_volume(frames: list[Frame], reason: str) -> None:
    with pytest.raises(NotAnalysable, match=reason):
        stack(frames)
