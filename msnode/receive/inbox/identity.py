"""What the inbox must know of a dataset, read from its first elements without decoding pixels."""

import logging
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import BinaryIO

from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag
from pydicom.uid import UID

from msnode.receive.dicom.dimse_status import NOT_UNDERSTOOD, WRONG_CLASS, StoreRefused

log = logging.getLogger(__name__)

WANTED = {
    "SOPClassUID": 0x00080016,
    "SOPInstanceUID": 0x00080018,
    "AccessionNumber": 0x00080050,
    "PatientID": 0x00100020,
    "IssuerOfPatientID": 0x00100021,
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
}
_PRIORITY = {"RequestedProcedurePriority": 0x00401003}
_URGENT = ("STAT", "HIGH")  # of the defined terms of PS3.3 C.4.11
LONGEST = 1024**2  # bytes of a header, more than any has; the worst takes 2 s and 100 MB to parse
_PIXEL_DATA, _PIXEL_DATA_TAG, _UNDEFINED = b"\xe0\x7f\x10\x00", 0x7FE00010, b"\xff" * 4
_ELEMENT, _ITEM = 12, 8
"""Bytes of the header of an OB or OW element in Explicit VR, and of an item."""
_CODESTREAMS = {
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (5, 6, 7, 8)), b"\xff\xd8"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (9, 20)), b"\xff\x4f\xff\x51"),
}
"""How a frame begins (PS3.5 A.4), by the first digits of its transfer syntaxes: JPEG and JPEG-LS
with SOI (ISO 10918-1 B.1), JPEG 2000 and HTJ2K with SOC and SIZ (ISO 15444-1 A.4)."""
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_VR = re.compile("[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Header:
    """Identity of an instance.

    ``patient_id``, ``issuer`` and ``accession_number`` never leave the receive stage.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str
    issuer: str
    accession_number: str = ""


@dataclass(frozen=True, slots=True)
class _Encoding:
    """What a transfer syntax says of a dataset (PS3.5 10), so that pydicom works it out once."""

    is_implicit_vr: bool
    is_little_endian: bool
    is_deflated: bool
    is_encapsulated: bool


@lru_cache(256)
def _encoding(transfer_syntax_uid: str) -> _Encoding:
    uid = UID(transfer_syntax_uid)
    return _Encoding(uid.is_implicit_VR, uid.is_little_endian, uid.is_deflated, uid.is_encapsulated)


def read_header(stream: BinaryIO, transfer_syntax_uid: str, *, strict: bool = False) -> Header:
    """Read up to SeriesInstanceUID, no further.

    Args:
        stream: positioned at the first element of the encoded dataset.
        transfer_syntax_uid: how it is encoded (PS3.5 10).
        strict: refuse Implicit VR where it should be Explicit. pydicom reads it anyway, but other
            readers of the file do not. Files already in the inbox are read without this.

    Raises:
        StoreRefused: 0xC000 if it cannot be parsed up to there, 0xA900 if an attribute is missing
            or not a UID; the message names the attribute and holds no patient data.
    """
    try:
        values = _read(stream, transfer_syntax_uid, WANTED, strict)
    except StoreRefused:
        raise
    except Exception as error:
        raise StoreRefused(NOT_UNDERSTOOD, f"Dataset unreadable: {type(error).__name__}") from error
    for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        check_uid(name, values[name])
    for name in ("PatientID", "IssuerOfPatientID"):  # cut short, it would be another patient's
        if len(values[name]) > 64:
            raise StoreRefused(WRONG_CLASS, f"{name} is longer than 64 characters")
    return Header(*(values[name] for name in _ORDER))


_ORDER = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "IssuerOfPatientID",
    "AccessionNumber",
)


def is_urgent(head: bytes, transfer_syntax_uid: str) -> bool:
    """Whether RequestedProcedurePriority is STAT or HIGH, as far as the first bytes tell."""
    try:
        values = _read(BytesIO(head), transfer_syntax_uid, _PRIORITY)
    except Exception as error:  # noqa: BLE001 - the head may end anywhere; then it is routine
        log.debug("no priority to be read error=%s", type(error).__name__)
        return False
    return values["RequestedProcedurePriority"] in _URGENT


def has_other_pixels(head: bytes, transfer_syntax_uid: str) -> bool:
    """Whether PixelData is not encoded as the transfer syntax says (PS3.5 A.4).

    Encapsulated where it should not be or the reverse, or by another codec: the dataset was made
    for another presentation context, and nobody could decode it. Only what lies in the first bytes
    is seen.
    """
    syntax = _encoding(transfer_syntax_uid)
    if syntax.is_implicit_vr or not syntax.is_little_endian or syntax.is_deflated:
        return False
    places = (match.start() for match in re.finditer(re.escape(_PIXEL_DATA), head))
    if not any(_is_other(head, place + _ELEMENT, transfer_syntax_uid) for place in places):
        return False
    stream = BytesIO(head)  # the bytes found may belong to another element: parse up to there
    found = []

    def is_reached(tag: int, _vr: str | None, _length: int) -> bool:
        found.extend([stream.tell()] if tag == _PIXEL_DATA_TAG else [])
        return tag >= _PIXEL_DATA_TAG

    try:
        for _ in data_element_generator(stream, False, True, stop_when=is_reached):
            continue
    except Exception as error:  # noqa: BLE001 - the head may end anywhere; then nothing is known
        log.debug("pixels not reached error=%s", type(error).__name__)
    return any(_is_other(head, start, transfer_syntax_uid) for start in found)


def reaches_pixels(head: bytes) -> bool:
    """Whether PixelData may begin in the first bytes of a dataset in little endian."""
    return _PIXEL_DATA in head


def _is_other(head: bytes, start: int, transfer_syntax_uid: str) -> bool:
    """Whether the value of PixelData, which begins at ``start``, is in another encoding."""
    is_encapsulated = _encoding(transfer_syntax_uid).is_encapsulated
    if (head[start - 4 : start] == _UNDEFINED) != is_encapsulated:
        return True
    if not is_encapsulated:
        return False
    table = int.from_bytes(head[start + 4 : start + 8], "little")  # the Basic Offset Table
    first = start + _ITEM + table + _ITEM
    codecs = {codec for codec, begins in _CODESTREAMS.items() if head.startswith(begins, first)}
    return bool(codecs) and not any(map(transfer_syntax_uid.startswith, codecs))


def _read(
    stream: BinaryIO, transfer_syntax_uid: str, wanted: Mapping[str, int], strict: bool = False
) -> dict[str, str]:
    """The wanted elements as text; "" for one that is absent. Stops after the last of them."""
    found = read_values(stream, transfer_syntax_uid, wanted, strict)
    return {name: _text(value) for name, value in found.items()}


def read_values(
    stream: BinaryIO, transfer_syntax_uid: str, wanted: Mapping[str, int], strict: bool = False
) -> dict[str, bytes]:
    """The wanted elements as they are encoded; empty where absent. Stops after the last of them.

    Whatever the file is, it takes no more than `LONGEST` says; errors are those of pydicom, zlib
    and struct.
    """
    syntax = _encoding(transfer_syntax_uid)
    head = stream.read(LONGEST)
    if syntax.is_deflated:
        head = zlib.decompressobj(-15).decompress(head, LONGEST)
    last = max(wanted.values())

    def is_behind(tag: int, vr: str | None, _length: int) -> bool:
        if strict and not syntax.is_implicit_vr:
            _check_vr(vr)
        return tag > last

    elements = data_element_generator(
        BytesIO(head),
        syntax.is_implicit_vr,
        syntax.is_little_endian,
        stop_when=is_behind,
        specific_tags=[BaseTag(tag) for tag in wanted.values()],
    )
    found = {int(element.tag): element.value for element in elements}
    values = {name: found.get(tag) or b"" for name, tag in wanted.items()}
    if not all(isinstance(value, bytes) for value in values.values()):
        raise ValueError("a sequence where text should be")
    return values


def _check_vr(vr: str | None) -> None:
    """Refuse an element without the two capitals of Explicit VR (PS3.5 7.1.2)."""
    if vr is None or not _VR.fullmatch(vr):
        raise StoreRefused(NOT_UNDERSTOOD, "Dataset is Implicit VR, its context Explicit VR")


def _text(value: bytes) -> str:
    return value.rstrip(b"\0 ").decode("latin-1").strip()


def check_uid(name: str, value: str) -> None:
    """Refuse what is not a UID by PS3.5 9.1; leading zeros are allowed, as scanners send them.

    Raises:
        StoreRefused: 0xA900, naming the attribute.
    """
    if not value:
        raise StoreRefused(WRONG_CLASS, f"{name} is missing")
    if len(value) > 64:
        raise StoreRefused(WRONG_CLASS, f"{name} is longer than 64 characters")
    if not _UID.fullmatch(value):
        raise StoreRefused(WRONG_CLASS, f"{name} is no UID: only digits and dots")
