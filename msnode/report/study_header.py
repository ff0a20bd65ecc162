"""The patient's and study's attributes, taken from a source image and made fit to be copied.

Scanners and PACS send missing type 2 attributes, illegal values, odd character sets and values
where there should be one. A result copies what is legal, leaves empty what may be empty, and is
refused where the patient or the study could be mistaken for another.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import DSfloat

from msnode.errors import Refused
from msnode.records.dicom_date import day_of
from msnode.records.uid_hash import uid_hash
from msnode.report.uids import legal

IDENTITY = {"PatientID": 64, "IssuerOfPatientID": 64}
"""Shortened or empty, these would point to another patient: keyword -> longest legal value."""

NUMBERS = {"AccessionNumber": 16, "StudyID": 16}
"""Shortened, these would point to another order; they are left empty (type 2) where too long."""

TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip
"""Present in every result, if need be empty (PS3.3 C.7.1.1, C.7.2.1)."""

TYPE_3 = ("IssuerOfPatientID", "StudyDescription", "PatientAge", "TimezoneOffsetFromUTC")


@dataclass(frozen=True, slots=True)
class Header:
    """What results take from a source image.

    Attributes:
        study: in ISO_IR 192: StudyInstanceUID, all of `TYPE_2`, and those of `TYPE_3` and
            ProcedureCodeSequence that are legal.
        requests: ReferencedRequestSequence (PS3.3 C.17.2).
        frame_of_reference: FrameOfReferenceUID, or "".
        orientation: ImageOrientationPatient as the source writes it, or none.
    """

    study: Dataset
    requests: tuple[Dataset, ...] = ()
    frame_of_reference: str = ""
    orientation: tuple[DSfloat, ...] = ()


def read(path: Path, study_instance_uid: str) -> Header:
    """Read a source image's header and normalise it.

    Raises:
        Refused: the file is unreadable, or its identifying attributes cannot be copied.
    """
    try:
        with quiet():
            return normalise(_source(path), study_instance_uid)
    except (OSError, InvalidDicomError, EOFError) as error:
        raise Refused(f"the header of a source image cannot be read: {error}") from error


def _source(path: Path) -> Dataset:
    """The header; of one that nests without end, what comes first: all that `TYPE_2` names."""
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except RecursionError:
        return read_up_to(path, "StudyID")


def read_up_to(path: Path, keyword: str, specific_tags: list[str] | None = None) -> Dataset:
    """The attributes of a file up to one of them, in the order of their tags."""
    last = Tag(keyword)
    tags: list[BaseTag | int] = [Tag(name) for name in specific_tags or ()]
    with path.open("rb") as file:
        return read_partial(file, lambda tag, *_: tag > last, specific_tags=tags or None)


def study_date(path: Path, study_instance_uid: str) -> str:
    """StudyDate (DA) of the study that a source image belongs to, "" where it has none.

    Raises:
        Refused: see `read`.
    """
    return str(read(path, study_instance_uid).study.StudyDate)


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose a study is and when it was made, as far as the header of an image says.

    Attributes:
        patient: stands for PatientID and IssuerOfPatientID; "" where there is no PatientID.
        study_date: StudyDate (DA), or "".
    """

    patient: str = ""
    study_date: str = ""


def origin(path: Path, study_instance_uid: str) -> Origin:
    """Whose and of when the study is that a source image belongs to.

    Raises:
        Refused: see `read`.
    """
    study = read(path, study_instance_uid).study
    patient, issuer = str(study.PatientID), str(study.get("IssuerOfPatientID", ""))
    return Origin(uid_hash(f"{patient}\n{issuer}") if patient else "", str(study.StudyDate))


def normalise(source: Dataset, study_instance_uid: str) -> Header:
    """Make the patient's and study's attributes of ``source`` fit to be copied (see `read`)."""
    if not legal(study_instance_uid):
        raise Refused("StudyInstanceUID (0020,000D) is not a legal UID (PS3.5 9.1)")
    header = Dataset()
    header.StudyInstanceUID = study_instance_uid
    header.SpecificCharacterSet = "ISO_IR 192"
    for keyword in TYPE_2:
        setattr(header, keyword, _value(source, keyword))
    for keyword in TYPE_3:
        if value := _value(source, keyword):
            setattr(header, keyword, value)
    if procedures := _codes(source, "ProcedureCodeSequence"):
        header.ProcedureCodeSequence = procedures
    frame = _text(source, "FrameOfReferenceUID")
    return Header(
        header,
        tuple(_request(item, header) for item in _items(source, "RequestAttributesSequence")),
        frame if legal(frame) else "",
        _orientation(source),
    )


def _orientation(source: Dataset) -> tuple[DSfloat, ...]:
    """ImageOrientationPatient of a classic or multi-frame image: six numbers, or none."""
    groups = [
        *_items(source, "SharedFunctionalGroupsSequence"),
        *_items(source, "PerFrameFunctionalGroupsSequence")[:1],
    ]
    planes = [item for group in groups for item in _items(group, "PlaneOrientationSequence")]
    for place in (source, *planes):
        try:
            six = tuple(DSfloat(x) for x in place.ImageOrientationPatient)
        except (AttributeError, TypeError, ValueError, OverflowError):
            six = ()
        if len(six) == 6:
            return six
    return ()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the reader's warning of each illegal value: they are all dealt with here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _value(source: Dataset, keyword: str) -> str:
    """A legal value of an attribute, "" where there is none."""
    text = _text(source, keyword)
    if keyword in IDENTITY and len(text) > IDENTITY[keyword]:
        raise Refused(
            f"{keyword} has {len(text)} characters; DICOM allows {IDENTITY[keyword]}, and a "
            "shortened one would belong to somebody else: correct it at the source"
        )
    if keyword in NUMBERS and len(text) > NUMBERS[keyword]:
        return ""
    return _LEGAL[keyword](text) if keyword in _LEGAL else text[:64]


def _text(source: Dataset, keyword: str) -> str:
    """The first value of an attribute as printable text without backslash."""
    try:
        value = source.get(keyword)
    except Exception as error:  # whatever a broken value provokes in the reader
        if keyword in IDENTITY:
            raise Refused(f"{keyword} cannot be decoded: {error}") from error
        return ""
    if isinstance(value, MultiValue | list | tuple):
        value = value[0] if len(value) else ""
    text = "" if value is None or isinstance(value, pydicom.Sequence) else str(value)
    return "".join(c for c in text.replace("\\", "/") if c.isprintable()).strip()


def _date(text: str) -> str:
    """DA, also from the dotted form of ACR-NEMA; "" where it is no date."""
    text = text.replace(".", "") if re.fullmatch(r"\d{4}\.\d\d\.\d\d", text) else text
    return text if day_of(text) else ""


def _time(text: str) -> str:
    """TM, also from the form with colons; "" where it is no time."""
    text = text.replace(":", "")
    return text if re.fullmatch(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?", text) else ""


def _name(text: str) -> str:
    """PN: three groups of at most five components, 64 characters each (PS3.5 6.2.1)."""
    groups = ["^".join(group.split("^")[:5])[:64].rstrip() for group in text.split("=")[:3]]
    return "=".join(groups)


def _matching(pattern: str) -> Callable[[str], str]:
    return lambda text: text if re.fullmatch(pattern, text) else ""


_LEGAL: dict[str, Callable[[str], str]] = {
    "PatientName": _name,
    "ReferringPhysicianName": _name,
    "PatientBirthDate": _date,
    "StudyDate": _date,
    "StudyTime": _time,
    "PatientSex": _matching("[MFO]"),
    "PatientAge": _matching(r"\d{3}[DWMY]"),
    "TimezoneOffsetFromUTC": _matching(r"[+-](0\d|1[0-4])[0-5]\d"),
}


def _items(source: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where it is missing or no sequence."""
    try:
        value: Any = source.get(keyword)
    except Exception:  # noqa: BLE001 - a broken optional sequence is left out
        return []
    return list(value) if isinstance(value, pydicom.Sequence) else []


def _codes(source: Dataset, keyword: str) -> list[Dataset]:
    """The complete and legal items of a code sequence (PS3.3 8.8)."""
    limits = {"CodeValue": 16, "CodingSchemeDesignator": 16, "CodeMeaning": 64}
    kept = []
    for item in _items(source, keyword):
        texts = {name: _text(item, name) for name in limits}
        if all(0 < len(texts[name]) <= limit for name, limit in limits.items()):
            code = Dataset()
            for name, text in texts.items():
                setattr(code, name, text)
            kept.append(code)
    return kept


def _request(item: Dataset, header: Dataset) -> Dataset:
    """ReferencedRequestSequence item (PS3.3 C.17.2) from a RequestAttributesSequence item."""
    request = Dataset()
    request.StudyInstanceUID = header.StudyInstanceUID
    request.AccessionNumber = _text(item, "AccessionNumber")[:16] or header.AccessionNumber
    request.ReferencedStudySequence = []
    request.PlacerOrderNumberImagingServiceRequest = ""
    request.FillerOrderNumberImagingServiceRequest = ""
    request.RequestedProcedureID = _text(item, "RequestedProcedureID")[:16]
    request.RequestedProcedureDescription = _text(item, "RequestedProcedureDescription")[:64]
    request.RequestedProcedureCodeSequence = _codes(item, "RequestedProcedureCodeSequence")
    return request
