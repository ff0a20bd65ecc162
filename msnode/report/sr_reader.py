"""Reading a measurement SR back: the numbers that somebody else's software would find."""

from dataclasses import dataclass
from pathlib import Path

from highdicom import sr
from pydicom.dataset import Dataset

from msnode.errors import Refused
from msnode.records.vocabulary import BRAIN
from msnode.report import codes


@dataclass(frozen=True, slots=True)
class Point:
    """One slice's measurement.

    Attributes:
        probability: in [0, 1].
        graphic_data: (column, row), with the corner of the first pixel as origin.
    """

    sop_instance_uid: str
    frame: int | None
    probability: float
    graphic_data: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a measurement SR says.

    Attributes:
        decision: present, absent or undetermined.
        probability: of the study, in [0, 1]; None where it was not analysed.
        reason: why it was not analysed, or None.
        algorithm: name and version.
        points: the slices that matter, most suspicious first.
        reasons: why there is no decision, in the language of the document.
    """

    decision: str
    probability: float | None
    reason: str | None
    algorithm: tuple[str, str]
    points: tuple[Point, ...]
    reasons: tuple[str, ...] = ()


def read(path: Path) -> Summary:
    """Read the measurement SR of a result.

    Raises:
        Refused: the file is no such SR.
    """
    try:
        document = sr.srread(path)
        content = sr.MeasurementReport.from_sequence(document.content)
        first, *others = content.get_image_measurement_groups()
    except (AttributeError, ValueError, TypeError) as error:
        raise Refused(f"{path.name} is no measurement SR of this program: {error}") from error
    numbers = first.get_measurements(name=codes.concept(BRAIN.study_probability))
    return Summary(
        decision=_decision(first),
        probability=numbers[0].value / 100 if numbers else None,
        reason=None if numbers else _text(first[0], codes.COMMENT),
        algorithm=(
            _text(first[0], codes.ALGORITHM_NAME) or "",
            _text(first[0], codes.ALGORITHM_VERSION) or "",
        ),
        points=tuple(_point(group) for group in others if _is_slice(group)),
        reasons=tuple(_texts(first[0], codes.REASON)),
    )


def _decision(group: sr.MeasurementsAndQualitativeEvaluations) -> str:
    """The coded answer as a word."""
    answer = group.get_qualitative_evaluations(name=codes.concept(BRAIN.finding))[0].value
    return next(name for name, code in codes.DECISIONS.items() if code == answer)


def _text(item: Dataset, name: sr.CodedConcept) -> str | None:
    """The TEXT below a content item that has a concept name."""
    for child in item.ContentSequence:
        if child.ValueType == "TEXT" and child.name == name:
            return str(child.value)
    return None


def _texts(item: Dataset, name: sr.CodedConcept) -> list[str]:
    """All TEXT items below a content item that have a concept name."""
    found = (child for child in item.ContentSequence if child.ValueType == "TEXT")
    return [str(child.value) for child in found if child.name == name]


def _is_slice(group: sr.MeasurementsAndQualitativeEvaluations) -> bool:
    """Whether a group is of a slice, not of a lesion."""
    return bool(group.get_measurements(name=codes.concept(BRAIN.image_probability)))


def _point(group: sr.MeasurementsAndQualitativeEvaluations) -> Point:
    """A slice's measurement group."""
    measurement = group.get_measurements(name=codes.concept(BRAIN.image_probability))[0]
    coordinates = measurement[0].ContentSequence[0]
    image = coordinates.ContentSequence[0].ReferencedSOPSequence[0]
    column, row = coordinates.GraphicData
    return Point(
        sop_instance_uid=str(image.ReferencedSOPInstanceUID),
        frame=image.get("ReferencedFrameNumber"),
        probability=measurement.value / 100,
        graphic_data=(float(column), float(row)),
    )
