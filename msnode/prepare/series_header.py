"""What a header says of each image of a file, classic and Enhanced MR alike."""

import re
from dataclasses import dataclass
from pathlib import Path

from msnode.prepare.attributes import (
    GROUPS,
    Finder,
    items,
    macros,
    number,
    numbers,
    places,
    read,
    text,
    texts,
    value,
)
from msnode.records.dicom_date import day_of
from msnode.records.population import Acquisition

CLASSIC = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED = "1.2.840.10008.5.1.4.1.1.4.1"
LEGACY_CONVERTED = "1.2.840.10008.5.1.4.1.1.4.4"
#: Storage SOP Classes that hold MR images with a place in the patient (PS3.4 B.5).
MR_IMAGES = {CLASSIC, ENHANCED, LEGACY_CONVERTED}

_ATTRIBUTES = (
    *("SeriesInstanceUID", "SeriesNumber", "SOPClassUID", "SOPInstanceUID", "InstanceNumber"),
    *("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName", "Modality"),
    *("ScanningSequence", "EchoPulseSequence", "InversionRecovery", "EchoPlanarPulseSequence"),
    *("RepetitionTime", "EchoTime", "InversionTime", "ImageType", "AcquisitionContrast"),
    *("ComplexImageComponent", "BodyPartExamined", "ImageOrientationPatient", "PixelSpacing"),
    "ImagePositionPatient",
    *("Rows", "Columns", "NumberOfFrames", "ContrastBolusAgent", "ContrastBolusAgentSequence"),
    "AnatomicalOrientationType",
)

#: GE's private element with the component of the image, and what its values mean.
_GE_COMPONENT = (0x0043, "GEMS_PARM_01", 0x2F)
_GE_COMPONENTS = {1: "PHASE", 2: "REAL", 3: "IMAGINARY"}

_ACQUISITION = (
    *("PatientAge", "PatientBirthDate", "StudyDate", "MagneticFieldStrength", "SliceThickness"),
    *("Manufacturer", "MRAcquisitionType", "ContrastBolusAgent", "ContrastBolusAgentSequence"),
    *("PatientSex", "ManufacturerModelName", "StationName"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """The attributes of one image that decide what is made of it.

    Attributes:
        frame: its number in a multi-frame file, from 1; None in any other.
        uid: SeriesInstanceUID.
        number: SeriesNumber, 0 where absent.
        instance: InstanceNumber, -1 where absent.
        words: SeriesDescription and the pulse sequence's name, in lower case; ProtocolName, which
            some scanners take from the whole examination, only where there is no description.
        sequence: of SE, IR, GR, EP, RM; from ScanningSequence or its Enhanced counterparts.
        repetition_ms: RepetitionTime, None where it is absent or 0; likewise the other times.
        image_type: ImageType (FrameType), with the Enhanced acquisition contrast.
        component: MAGNITUDE, PHASE, REAL or IMAGINARY.
        orientation: ImageOrientationPatient, None where it is absent or broken.
        is_placed: ImagePositionPatient is there and whole.
        spacing: PixelSpacing, () where it is absent or broken.
        size: Rows and Columns.
        frames: NumberOfFrames of a file whose frames say nothing for themselves, else 1.
        agent: a contrast agent was given.
    """

    path: Path
    frame: int | None
    uid: str
    sop_instance_uid: str
    number: int
    instance: int
    sop_class_uid: str
    modality: str
    description: str
    words: str
    sequence: frozenset[str]
    repetition_ms: float | None
    echo_ms: float | None
    inversion_ms: float | None
    image_type: tuple[str, ...]
    component: str
    body_part: str
    orientation: tuple[float, ...] | None
    is_placed: bool
    spacing: tuple[float, ...]
    size: tuple[float, ...]
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


def read_headers(path: Path) -> tuple[Header, ...]:
    """Read the attributes that decide on each image of a file, without the pixels.

    Raises:
        NotAnalysable: as `read`.
    """
    dataset = read(path, *_ATTRIBUTES, *GROUPS, "00430010", "0043102F")
    shared = list(items(value(dataset, GROUPS[0])))
    groups = items(value(dataset, GROUPS[1]))
    count = max(1, int(number(value(dataset, "NumberOfFrames")) or 1))
    if len(groups) != count or text(value(dataset, "SOPClassUID")) == CLASSIC:
        find = Finder([dataset, *macros([*shared, *groups[:1]])])
        return (_header(path, None, find, count),)
    rest = [*macros(shared), dataset]
    finders = (Finder([*macros([group]), *rest]) for group in groups)
    return tuple(_header(path, i, find, 1) for i, find in enumerate(finders, 1))


def _header(path: Path, frame: int | None, find: "Finder", frames: int) -> Header:
    """One image's attributes."""
    orientation = numbers(find("ImageOrientationPatient"))
    spacing = numbers(find("PixelSpacing"))
    image_type = texts(find("FrameType", "ImageType"))
    described = "SeriesDescription" if text(find("SeriesDescription")) else "ProtocolName"
    names = (described, "SequenceName", "PulseSequenceName")
    return Header(
        path=path,
        frame=frame,
        uid=text(find("SeriesInstanceUID")),
        sop_instance_uid=text(find("SOPInstanceUID")),
        number=int(number(find("SeriesNumber")) or 0),
        instance=int(-1 if (found := number(find("InstanceNumber"))) is None else found),
        sop_class_uid=text(find("SOPClassUID")),
        modality=text(find("Modality")),
        description=text(find("SeriesDescription")),
        words=" ".join(text(find(name)) for name in names).lower().replace("_", " "),
        sequence=_sequence(find),
        repetition_ms=number(find("RepetitionTime")) or None,
        echo_ms=number(find("EchoTime", "EffectiveEchoTime")) or None,
        inversion_ms=number(find("InversionTime", "InversionTimes")) or None,
        image_type=(*image_type, *texts(find("AcquisitionContrast"))),
        component=_component(find, image_type),
        body_part=text(find("BodyPartExamined")).upper(),
        orientation=orientation if len(orientation) == 6 else None,
        is_placed=len(numbers(find("ImagePositionPatient"))) == 3,
        spacing=spacing if len(spacing) == 2 else (),
        size=(number(find("Rows")) or 0.0, number(find("Columns")) or 0.0),
        frames=frames,
        agent=bool(find("ContrastBolusAgent", "ContrastBolusAgentSequence")),
        animal=text(find("AnatomicalOrientationType")).upper() == "QUADRUPED",
    )


#: Values of ImageType behind the second that name a component (PS3.3 C.8.13.3.1, vendors' habits).
_COMPONENTS = (
    ("PHASE", re.compile(r"P|PHASE( MAP)?|P_.+|PHASE_.+")),
    ("REAL", re.compile(r"R|REAL|R_.+")),
    ("IMAGINARY", re.compile(r"I|IMAGINARY|I_.+")),
)


def _component(find: "Finder", image_type: tuple[str, ...]) -> str:
    """ComplexImageComponent, or what ImageType or GE's private element says in its place."""
    said = text(find("ComplexImageComponent")).upper()
    if said in ("MAGNITUDE", "PHASE", "REAL", "IMAGINARY"):
        return said
    for name, pattern in _COMPONENTS:
        if any(pattern.fullmatch(term) for term in image_type[2:]):
            return name
    return _GE_COMPONENTS.get(int(number(find.private(*_GE_COMPONENT)) or 0), "MAGNITUDE")


def read_acquisition(path: Path) -> Acquisition:
    """Read how a series was acquired, and of whom.

    Raises:
        NotAnalysable: as `read`.
    """
    find = Finder(list(places(read(path, *_ACQUISITION, *GROUPS))))
    return Acquisition(
        age_years=_age(find),
        field_strength_t=number(find("MagneticFieldStrength")),
        slice_mm=number(find("SliceThickness")),
        manufacturer=text(find("Manufacturer")),
        dimensions=text(find("MRAcquisitionType")).upper(),
        agent=bool(find("ContrastBolusAgent", "ContrastBolusAgentSequence")),
        sex=text(find("PatientSex")).upper()[:16],
        model=text(find("ManufacturerModelName")),
        station=text(find("StationName")),
    )


def _age(find: "Finder") -> float | None:
    """PatientAge (PS3.5 6.2: 045Y, 018M, …) in years, else from the dates."""
    if found := re.fullmatch(r"(\d{3})([DWMY])", text(find("PatientAge")).upper()):
        return int(found[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[found[2]]
    born, seen = day_of(text(find("PatientBirthDate"))), day_of(text(find("StudyDate")))
    if born is None or seen is None:
        return None
    return max((seen - born).days / 365.25, 0.0)


#: Enhanced MR attributes (PS3.3 C.8.13.4) and the term of ScanningSequence that they mean.
_ENHANCED_TERMS = (
    ("EchoPulseSequence", {"SPIN": "SE", "GRADIENT": "GR", "BOTH": "GR"}),
    ("InversionRecovery", {"YES": "IR"}),
    ("EchoPlanarPulseSequence", {"YES": "EP"}),
)


def _sequence(find: Finder) -> frozenset[str]:
    """ScanningSequence, or what the Enhanced attributes say in its place."""
    terms = {terms.get(text(find(keyword)), "") for keyword, terms in _ENHANCED_TERMS}
    return frozenset(terms | set(texts(find("ScanningSequence")))) - {""}
