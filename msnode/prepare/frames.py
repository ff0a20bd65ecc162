"""The frames of a series: where each lies in the patient and how its pixels are scaled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from msnode.errors import NotAnalysable
from msnode.prepare.attributes import number, numbers, read, text, value
from msnode.prepare.series_header import CLASSIC
from msnode.records.images import Float64Array, SourceFrame
from msnode.records.sentences import Sentence

#: 512 x 512 x 512: more than any brain protocol, 0.5 GiB as float32.
MAX_VOXELS = 2**27

#: Functional group macro (PS3.3 C.7.6.16.2, C.8.13.5) that holds an attribute of a frame.
_MACROS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "TemporalPositionIndex": "FrameContentSequence",
    "FrameAcquisitionNumber": "FrameContentSequence",
    "EffectiveEchoTime": "MREchoSequence",
}

_ATTRIBUTES = (
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Rows", "Columns", "NumberOfFrames"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope"),
    *("RescaleIntercept", "EchoTime", "TemporalPositionIdentifier", "InstanceNumber"),
    *("AcquisitionNumber", "AcquisitionTime"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a series, pixels not yet read.

    Attributes:
        source: with the place in the patient.
        slope: RescaleSlope, 1 where absent.
        intercept: RescaleIntercept, 0 where absent.
        volume: what may tell the volumes of a series with several apart: echo, time point,
            number and time of the acquisition.
        instance: InstanceNumber, or the frame's number; -1 where absent.
    """

    path: Path
    source: SourceFrame
    slope: float
    intercept: float
    volume: tuple[float, ...]
    instance: int = -1


def read_frames(
    paths: Sequence[Path], wanted: Mapping[Path, frozenset[int]] | None = None
) -> tuple[Frame, ...]:
    """The frames of a series' files, in the files' order.

    Args:
        paths: of the files.
        wanted: numbers of the frames that are meant, of those files of which not all are.

    Raises:
        NotAnalysable: naming the attribute that is missing, or too many voxels.
    """
    frames: list[Frame] = []
    for path in paths:
        dataset = read(path, *_ATTRIBUTES)
        classic = text(value(dataset, "SOPClassUID")) == CLASSIC
        found = _single(dataset, path) if classic else _multi(dataset, path)
        chosen = (wanted or {}).get(path)
        frames += [frame for frame in found if chosen is None or frame.source.frame in chosen]
        _bounded(sum(frame.source.rows * frame.source.columns for frame in frames))
    return tuple(frames)


def _single(dataset: Dataset, path: Path) -> list[Frame]:
    """The frame of a classic image."""
    count = number(value(dataset, "NumberOfFrames")) or 1
    if count != 1:
        raise NotAnalysable(Sentence("one_frame", count=count))
    keywords = ("EchoTime", "TemporalPositionIdentifier", "AcquisitionNumber", "AcquisitionTime")
    volume = tuple(number(value(dataset, keyword)) or 0.0 for keyword in keywords)
    frame = _frame([dataset], dataset, path, None, volume)
    return [replace(frame, instance=int(number(value(dataset, "InstanceNumber")) or -1))]


def _multi(dataset: Dataset, path: Path) -> list[Frame]:
    """The frames of an Enhanced or Legacy Converted Enhanced image."""
    count = int(number(value(dataset, "NumberOfFrames")) or 0)
    per_frame = value(dataset, "PerFrameFunctionalGroupsSequence") or []
    if not 0 < count == len(per_frame):
        raise NotAnalysable(Sentence("frame_groups", count=count, items=len(per_frame)))
    _bounded(count * _size(dataset, "Rows") * _size(dataset, "Columns"))
    shared = list(value(dataset, "SharedFunctionalGroupsSequence") or [])
    frames = []
    for index, group in enumerate(per_frame):
        places = [group, *shared]
        keywords = ("EffectiveEchoTime", "TemporalPositionIndex", "FrameAcquisitionNumber")
        volume = tuple(number(_macro(places, keyword)) or 0.0 for keyword in keywords)
        frame = _frame(places, dataset, path, index + 1, volume)
        frames.append(replace(frame, instance=index + 1))
    return frames


def _frame(
    places: Sequence[Dataset],
    dataset: Dataset,
    path: Path,
    frame: int | None,
    volume: tuple[float, ...],
) -> Frame:
    """One frame from the data sets that may hold its attributes."""
    slope = number(_macro(places, "RescaleSlope"))
    if slope == 0:
        raise NotAnalysable(Sentence("slope_zero"))
    source = SourceFrame(
        sop_class_uid=text(value(dataset, "SOPClassUID")),
        sop_instance_uid=text(value(dataset, "SOPInstanceUID")),
        series_instance_uid=text(value(dataset, "SeriesInstanceUID")),
        frame=frame,
        rows=_size(dataset, "Rows"),
        columns=_size(dataset, "Columns"),
        affine=_affine(places),
    )
    return Frame(
        path,
        source,
        1.0 if slope is None else slope,
        number(_macro(places, "RescaleIntercept")) or 0.0,
        volume,
    )


def _macro(places: Sequence[Dataset], keyword: str) -> object:
    """An attribute of a frame, from its macro or, in a classic image, from the top level."""
    for place in places:
        for item in (place, *(value(place, _MACROS[keyword]) or ())[:1]):
            if (found := value(item, keyword)) is not None:
                return found
    return None


def _affine(places: Sequence[Dataset]) -> Float64Array:
    """PS3.3 C.7.6.2.1.1: (column, row, mm along the normal, 1) -> LPS mm.

    Raises:
        NotAnalysable: naming the attribute that is missing or makes no sense.
    """
    position = _needed(places, "ImagePositionPatient", 3)
    cosines = _needed(places, "ImageOrientationPatient", 6)
    spacing = _needed(places, "PixelSpacing", 2)
    if spacing.min() <= 0:
        rows, columns = spacing.tolist()
        raise NotAnalysable(Sentence("spacing_not_positive", rows=rows, columns=columns))
    x, y = cosines[:3], cosines[3:]
    if abs(x @ y) > 0.01 or abs(np.linalg.norm(x) - 1) > 0.01 or abs(np.linalg.norm(y) - 1) > 0.01:
        raise NotAnalysable(Sentence("orientation_broken"))
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = x * spacing[1], y * spacing[0]
    affine[:3, 2], affine[:3, 3] = np.cross(x, y), position
    return affine


def _needed(places: Sequence[Dataset], keyword: str, count: int) -> Float64Array:
    """The values of an attribute that a volume cannot be built without."""
    found = numbers(_macro(places, keyword))
    if len(found) != count:
        raise NotAnalysable(Sentence("not_numbers", keyword=keyword, count=count))
    return np.array(found)


def _size(dataset: Dataset, keyword: str) -> int:
    """Rows or Columns."""
    found = number(value(dataset, keyword))
    if found is None or not 0 < found < 65536:
        raise NotAnalysable(Sentence("missing_or_zero", keyword=keyword))
    return int(found)


def _bounded(voxels: int) -> None:
    """Refuse a series before its pixels are decoded into too much memory."""
    if voxels > MAX_VOXELS:
        raise NotAnalysable(Sentence("too_many_voxels", voxels=voxels, most=MAX_VOXELS))
