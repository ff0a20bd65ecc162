"""What an image, or a result object, says of patient and study, for people to read.

Read as the receiver reads them: the first elements alone, from a bounded part of the file, in this
process. So it costs no more than the reception of the image did, whatever somebody has put into it.
"""

import logging
import threading
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydicom.charset import decode_bytes, default_encoding, python_encoding

from msnode.receive.inbox.identity import read_values
from msnode.receive.inbox.part10 import read_meta

log = logging.getLogger(__name__)

CHARACTER_SET = {"SpecificCharacterSet": 0x00080005}
STUDY = {
    "StudyDate": 0x00080020,
    "AccessionNumber": 0x00080050,
    "StudyDescription": 0x00081030,
    "PatientName": 0x00100010,
    "PatientID": 0x00100020,
    "IssuerOfPatientID": 0x00100021,
    "PatientBirthDate": 0x00100030,
    "PatientSex": 0x00100040,
}
SERIES = {"Modality": 0x00080060, "SeriesDescription": 0x0008103E}
LONGEST = 256
"""Characters of a value; LO has 64, a PN of three groups 194."""
_DELIMITERS = {0x0D, 0x0A, 0x09, 0x0C, 0x5C, 0x5E, 0x3D}
"""After these the character set is the first again (PS3.5 6.1.2.5.3)."""
_QUIETLY = threading.Lock()
"""Which warnings are told is a matter of the whole process."""


def header_of(path: Path, wanted: Mapping[str, int] = STUDY) -> dict[str, str] | None:
    """These attributes of a file, by keyword; "" for one that it does not have.

    Args:
        path: of a Part 10 file in the data folder.
        wanted: tag by keyword.

    Returns:
        None where the file is gone or nothing can be read of it.
    """
    try:
        with _QUIETLY, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's about values; they are shown as they are
            return _read(path, wanted)
    except Exception as error:  # noqa: BLE001 - pydicom, zlib and struct raise many kinds
        log.debug("no header to be read error=%s", type(error).__name__)
        return None


def _read(path: Path, wanted: Mapping[str, int]) -> dict[str, str]:
    syntax, _, start = read_meta(path)
    with path.open("rb") as file:
        file.seek(start)
        values = read_values(file, syntax, CHARACTER_SET | dict(wanted))
    encodings = _encodings(values.pop("SpecificCharacterSet"))
    return {name: _text(value, encodings) for name, value in values.items()}


def first_header(paths: Iterable[Path]) -> dict[str, str]:
    """Of the first file that can be read; empty where none can."""
    return next((found for path in paths if (found := header_of(path)) is not None), {})


def _encodings(value: bytes) -> list[str]:
    """Of Specific Character Set (PS3.3 C.12.1.1.2), as Python calls them; unknown ones left out."""
    terms = value.decode("ascii", "replace").rstrip("\0 ").split("\\")
    known = [python_encoding[term.strip()] for term in terms if term.strip() in python_encoding]
    return known or [default_encoding]


def _text(value: bytes, encodings: list[str]) -> str:
    """Text without what no reader wants; what cannot be decoded is shown as far as it can."""
    text = decode_bytes(value, encodings, _DELIMITERS)
    shown = "".join(one if one.isprintable() else " " for one in text.rstrip("\0 "))
    return shown.strip()[:LONGEST]
