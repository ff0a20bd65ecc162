"""Frames in their geometric order: one volume, its gaps and repeats found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msnode.errors import NotAnalysable
from msnode.prepare.frames import Frame
from msnode.prepare.volume import outward
from msnode.records.images import Float64Array
from msnode.records.sentences import Sentence, Text

#: Positions nearer to each other than this are one position.
SAME_MM = 0.1
#: Images whose direction cosines differ by more, or pixel spacings by a larger part, do not stack.
SAME_COSINE = 0.02
SAME_SPACING = 0.01
#: Sideways drift of the slices from which the stack is taken as tilted.
MAX_TILT_DEG = 3.0
#: A gap may differ by this part from a multiple of the slice distance.
GAP_TOLERANCE = 0.2
#: With more slices missing than this part of those there, it is no volume any more.
MAX_MISSING = 0.25


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames sorted along their normal.

    Attributes:
        affine: (4, 4) float64 of the volume, as in `volume.Volume`.
        positions: (frames,) float64, mm along the normal, ascending from 0.
        missing: number of slices that gaps suggest.
    """

    frames: tuple[Frame, ...]
    affine: Float64Array
    positions: Float64Array
    missing: int
    warnings: tuple[Text, ...]


def stack(frames: Sequence[Frame]) -> Stack:
    """Sort the frames of one series into one volume.

    Raises:
        NotAnalysable: naming the attribute in which the frames do not fit together.
    """
    if len(frames) < 2:
        raise NotAnalysable(Sentence("single_image"))
    _consistent(frames)
    normal = _normal(frames[0])
    chosen, repeats = _one_volume(_by_position(frames, normal))
    affine = chosen[0].source.affine.copy()
    affine[:3, 2] = normal
    places = np.array([frame.source.affine[:3, 3] for frame in chosen])
    positions = (places - places[0]) @ normal
    _straight(places, positions, normal)
    missing, gaps = _gaps(positions)
    return Stack(chosen, affine, positions, missing, (*repeats, *gaps))


def _consistent(frames: Sequence[Frame]) -> None:
    """All frames have one size, one pixel spacing and one orientation."""
    first = frames[0].source
    for frame in frames:
        own = frame.source
        if (own.rows, own.columns) != (first.rows, first.columns):
            raise NotAnalysable(
                Sentence(
                    "size_differs",
                    rows=first.rows,
                    columns=first.columns,
                    other_rows=own.rows,
                    other_columns=own.columns,
                )
            )
        if not np.allclose(_directions(frame), _directions(frames[0]), atol=SAME_COSINE):
            raise NotAnalysable(Sentence("differs", keyword="ImageOrientationPatient"))
        if not np.allclose(_spacing(frame), _spacing(frames[0]), rtol=SAME_SPACING):
            raise NotAnalysable(Sentence("differs", keyword="PixelSpacing"))


def _spacing(frame: Frame) -> Float64Array:
    spacing: Float64Array = np.linalg.norm(frame.source.affine[:3, :2], axis=0)
    return spacing


def _directions(frame: Frame) -> Float64Array:
    return frame.source.affine[:3, :2] / _spacing(frame)


def _normal(frame: Frame) -> Float64Array:
    """Unit normal with the sign that `volume.Volume` asks for."""
    normal = frame.source.affine[:3, 2]
    return normal if outward(normal) else -normal


def _by_position(frames: Sequence[Frame], normal: Float64Array) -> list[list[Frame]]:
    """Frames at the same position together, positions ascending, each sorted by volume."""
    height = {id(frame): float(frame.source.affine[:3, 3] @ normal) for frame in frames}
    groups: list[list[Frame]] = []
    for frame in sorted(frames, key=lambda frame: height[id(frame)]):
        if not groups or height[id(frame)] - height[id(groups[-1][0])] > SAME_MM:
            groups.append([])
        groups[-1].append(frame)
    if len(groups) == 1:
        raise NotAnalysable(Sentence("one_position"))
    return [sorted(group, key=_turn) for group in groups]


def _turn(frame: Frame) -> tuple[object, ...]:
    """Sorts the frames of one position; the order of files has no part in it."""
    return frame.volume, frame.instance, frame.source.sop_instance_uid, frame.source.frame or 0


def _one_volume(groups: list[list[Frame]]) -> tuple[tuple[Frame, ...], tuple[Text, ...]]:
    """The first volume that has a frame at every position, by whatever tells volumes apart.

    Where nothing does, the first frame of each position by number: a second pass over some of the
    slices comes after the first.
    """
    most = max(map(len, groups))
    if most == 1:
        return tuple(group[0] for group in groups), ()
    count = max(len(frame.volume) for group in groups for frame in group)
    for columns in (range(count), *([n] for n in range(count))):
        if chosen := _whole_volume(groups, list(columns)):
            return chosen, (Sentence("repeats", most=most),)
    first = tuple(min(group, key=lambda frame: (frame.instance, _turn(frame))) for group in groups)
    return first, (Sentence("repeats", most=most),)


def _whole_volume(groups: list[list[Frame]], columns: list[int]) -> tuple[Frame, ...]:
    """The first volume by these parts of `Frame.volume` with one frame at every position."""

    def label(frame: Frame) -> tuple[float, ...]:
        return tuple(frame.volume[n] for n in columns if n < len(frame.volume))

    counts = [Counter(label(frame) for frame in group) for group in groups]
    once = [{name for name, count in counted.items() if count == 1} for counted in counts]
    everywhere = set.intersection(*once)
    if not everywhere:
        return ()
    first = min(everywhere)
    return tuple(next(f for f in group if label(f) == first) for group in groups)


def _straight(places: Float64Array, positions: Float64Array, normal: Float64Array) -> None:
    """The slices lie above one another: no gantry tilt, no fan, no separate stacks."""
    aside = places - places[0] - positions[:, None] * normal
    drift = float(np.linalg.norm(aside, axis=1).max())
    tilt = float(np.degrees(np.arctan2(drift, positions[-1])))
    if tilt > MAX_TILT_DEG:
        raise NotAnalysable(
            Sentence("sideways", drift=drift, length=float(positions[-1]), tilt=tilt)
        )


def _gaps(positions: Float64Array) -> tuple[int, tuple[Text, ...]]:
    """How many slices are missing, and what to say of it."""
    distances: NDArray[np.float64] = np.diff(positions)
    step = float(np.median(distances))
    multiples = np.maximum(np.round(distances / step), 1)
    missing = int((multiples - 1).sum())
    uneven = int((np.abs(distances / step - multiples) > GAP_TOLERANCE).sum())
    if missing + uneven > MAX_MISSING * len(positions):
        raise NotAnalysable(
            Sentence("gaps", missing=missing, uneven=uneven, count=len(positions), step=step)
        )
    warnings: list[Text] = []
    if missing:
        warnings.append(Sentence("missing_slices", count=missing))
    if uneven:
        warnings.append(Sentence("uneven", count=uneven))
    return missing, tuple(warnings)
