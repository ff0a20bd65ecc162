"""What a file's header says of its series, classic and Enhanced MR alike."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from msnode.errors import NotAnalysable
from msnode.records.population import Acquisition
from msnode.records.sentences import Sentence

# Values outside their VR's repertoire are no reason to refuse a study, and pydicom's warnings
# about them would carry patient data into the log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

CLASSIC = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED = "1.2.840.10008.5.1.4.1.1.4.1"
LEGACY_CONVERTED = "1.2.840.10008.5.1.4.1.1.4.4"
#: Storage SOP Classes that hold MR images with a place in the patient (PS3.4 B.5).
MR_IMAGES = {CLASSIC, ENHANCED, LEGACY_CONVERTED}

#: Twice what `frames.MAX_VOXELS` take with 32 bits each.
MAX_BYTES = 2**30

#: Where Enhanced images keep what differs between frames (PS3.3 C.7.6.16).
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")

_ATTRIBUTES = (
    *("SeriesInstanceUID", "SeriesNumber", "SOPClassUID", "Modality", "SeriesDescription"),
    *("ProtocolName", "SequenceName", "PulseSequenceName", "ScanningSequence"),
    *("EchoPulseSequence", "InversionRecovery", "EchoPlanarPulseSequence"),
    *("RepetitionTime", "EchoTime", "InversionTime", "ImageType", "AcquisitionContrast"),
    *("BodyPartExamined", "ImageOrientationPatient", "NumberOfFrames", "ContrastBolusAgent"),
    *("ContrastBolusAgentSequence", "AnatomicalOrientationType"),
)

_ACQUISITION = (
    *("PatientAge", "PatientBirthDate", "StudyDate", "MagneticFieldStrength", "SliceThickness"),
    *("Manufacturer", "MRAcquisitionType"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """The attributes that decide on a series, read from one of its files.

    Attributes:
        uid: SeriesInstanceUID.
        number: SeriesNumber, 0 where absent.
        words: SeriesDescription, ProtocolName and the pulse sequence's name, in lower case.
        sequence: of SE, IR, GR, EP, RM; from ScanningSequence or its Enhanced counterparts.
        repetition_ms: RepetitionTime, None where absent; likewise the other times.
        image_type: ImageType (FrameType), with the Enhanced acquisition contrast.
        orientation: ImageOrientationPatient, None where it is absent or broken.
        frames: NumberOfFrames, 1 for a single-frame image.
        agent: a contrast agent was given.
    """

    path: Path
    uid: str
    number: int
    sop_class_uid: str
    modality: str
    description: str
    words: str
    sequence: frozenset[str]
    repetition_ms: float | None
    echo_ms: float | None
    inversion_ms: float | None
    image_type: tuple[str, ...]
    body_part: str
    orientation: tuple[float, ...] | None
    frames: int
    agent: bool
    animal: bool

    @property
    def axial(self) -> bool:
        """Whether the normal of the images is within about 30 degrees of the body's axis."""
        if self.orientation is None:
            return False
        x0, x1, _, y0, y1, _ = self.orientation
        return abs(x0 * y1 - x1 * y0) > 0.85


def read(path: Path, *keywords: str) -> Dataset:
    """Read a DICOM Part 10 file, or only some attributes of it, which takes a third of the time.

    Raises:
        NotAnalysable: it is none, its encoding is broken, or it is absurdly large.
    """
    try:
        fits = path.stat().st_size <= MAX_BYTES
        dataset = pydicom.dcmread(path, specific_tags=list(keywords) or None) if fits else None
    except Exception as error:  # broken bytes make pydicom raise all kinds
        raise NotAnalysable(Sentence("unreadable", error=type(error).__name__)) from error
    if dataset is None:
        raise NotAnalysable(Sentence("file_too_large", gib=MAX_BYTES >> 30))
    return dataset


def read_header(path: Path) -> Header:
    """Read the attributes that decide on a series, without the pixels.

    Raises:
        NotAnalysable: as `read`.
    """
    dataset = read(path, *_ATTRIBUTES, *_GROUPS)
    find = _Finder(list(_places(dataset)))
    names = ("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName")
    orientation = numbers(find("ImageOrientationPatient"))
    return Header(
        path=path,
        uid=text(find("SeriesInstanceUID")),
        number=int(number(find("SeriesNumber")) or 0),
        sop_class_uid=text(find("SOPClassUID")),
        modality=text(find("Modality")),
        description=text(find("SeriesDescription")),
        words=" ".join(text(find(name)) for name in names).lower().replace("_", " "),
        sequence=_sequence(find),
        repetition_ms=number(find("RepetitionTime")),
        echo_ms=number(find("EchoTime", "EffectiveEchoTime")),
        inversion_ms=number(find("InversionTime", "InversionTimes")),
        image_type=(*texts(find("ImageType")), *texts(find("AcquisitionContrast"))),
        body_part=text(find("BodyPartExamined")).upper(),
        orientation=orientation if len(orientation) == 6 else None,
        frames=max(1, int(number(find("NumberOfFrames")) or 1)),
        agent=bool(find("ContrastBolusAgent", "ContrastBolusAgentSequence")),
        animal=text(find("AnatomicalOrientationType")).upper() == "QUADRUPED",
    )


def read_acquisition(path: Path) -> Acquisition:
    """Read how a series was acquired, and of whom.

    Raises:
        NotAnalysable: as `read`.
    """
    find = _Finder(list(_places(read(path, *_ACQUISITION, *_GROUPS))))
    return Acquisition(
        age_years=_age(find),
        field_strength_t=number(find("MagneticFieldStrength")),
        slice_mm=number(find("SliceThickness")),
        manufacturer=text(find("Manufacturer")),
        dimensions=text(find("MRAcquisitionType")).upper(),
    )


def _age(find: "_Finder") -> float | None:
    """PatientAge (PS3.5 6.2: 045Y, 018M, …) in years, else from the dates."""
    if found := re.fullmatch(r"(\d{3})([DWMY])", text(find("PatientAge")).upper()):
        return int(found[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[found[2]]
    dates = text(find("PatientBirthDate")), text(find("StudyDate"))
    try:
        born, seen = (datetime.strptime(day, "%Y%m%d") for day in dates)
    except ValueError:
        return None
    return max((seen - born).days / 365.25, 0.0)


def value(dataset: Dataset, keyword: str) -> Any:
    """An attribute's value; None where it is absent, empty or cannot be read.

    Who needs the value says so, naming the attribute; who does not need it goes on.
    """
    try:
        return dataset.get(keyword)
    except Exception:  # noqa: BLE001 - conversion of a broken value raises all kinds
        return None


def text(raw: Any) -> str:
    """A value as text; "" where it is absent."""
    return "" if raw is None else str(raw).strip(" \0")


def texts(raw: Any) -> tuple[str, ...]:
    """A multi-valued code string, in upper case."""
    values = raw if _several(raw) else () if raw is None else (raw,)
    return tuple(text(item).upper() for item in values)


def number(raw: Any) -> float | None:
    """The first value as a finite number, else None."""
    found = numbers(raw)
    return found[0] if found else None


def numbers(raw: Any) -> tuple[float, ...]:
    """All values as finite numbers; () where one is none."""
    values = raw if _several(raw) else () if raw in (None, "") else (raw,)
    try:
        found = tuple(float(item) for item in values)
    except (TypeError, ValueError):
        return ()
    return found if all(math.isfinite(item) for item in found) else ()


def _several(raw: Any) -> bool:
    """Whether a value is a list of values."""
    return hasattr(raw, "__iter__") and not isinstance(raw, str | bytes)


class _Finder:
    """Looks attributes up in several data sets, the first one that has it wins."""

    def __init__(self, places: list[Dataset]) -> None:
        self._places = places

    def __call__(self, *keywords: str) -> Any:
        found = (value(place, keyword) for place in self._places for keyword in keywords)
        return next((raw for raw in found if raw not in (None, "")), None)


def _places(dataset: Dataset) -> Iterator[Dataset]:
    """The data set, then the functional group macros shared and of the first frame (C.7.6.16)."""
    yield dataset
    for keyword in _GROUPS:
        groups = value(dataset, keyword)
        if isinstance(groups, Sequence) and groups:  # a malformed file may hold text there
            for element in groups[0]:
                if isinstance(element.value, Sequence):
                    yield from element.value


#: Enhanced MR attributes (PS3.3 C.8.13.4) and the term of ScanningSequence that they mean.
_ENHANCED_TERMS = (
    ("EchoPulseSequence", {"SPIN": "SE", "GRADIENT": "GR", "BOTH": "GR"}),
    ("InversionRecovery", {"YES": "IR"}),
    ("EchoPlanarPulseSequence", {"YES": "EP"}),
)


def _sequence(find: _Finder) -> frozenset[str]:
    """ScanningSequence, or what the Enhanced attributes say in its place."""
    terms = {terms.get(text(find(keyword)), "") for keyword, terms in _ENHANCED_TERMS}
    return frozenset(terms | set(texts(find("ScanningSequence")))) - {""}
