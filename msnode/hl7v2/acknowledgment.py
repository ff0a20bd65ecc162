"""General acknowledgments: made for what comes, and read of those that we get.

HL7 v2.5.1: modes 2.9, ACK 2.14.1, MSA 2.15.8, ERR 2.15.5, table 0008 (codes), 0357 (errors).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from msnode.hl7v2.hl7_message import Unreadable
from msnode.hl7v2.message_header import MessageHeader, header_of

SEQUENCE, MISSING, DATA_TYPE, NOT_IN_TABLE = 100, 101, 102, 103
WRONG_TYPE, WRONG_EVENT, WRONG_PROCESSING, WRONG_VERSION = 200, 201, 202, 203
UNKNOWN_KEY, DUPLICATE_KEY, LOCKED, INTERNAL = 204, 205, 206, 207
MEANINGS = {
    SEQUENCE: "Segment sequence error", MISSING: "Required field missing",
    DATA_TYPE: "Data type error", NOT_IN_TABLE: "Table value not found",
    WRONG_TYPE: "Unsupported message type", WRONG_EVENT: "Unsupported event code",
    WRONG_PROCESSING: "Unsupported processing id", WRONG_VERSION: "Unsupported version id",
    UNKNOWN_KEY: "Unknown key identifier", DUPLICATE_KEY: "Duplicate key identifier",
    LOCKED: "Application record locked", INTERNAL: "Application internal error",
}  # fmt: skip
"""HL7 table 0357."""
CONDITIONS = ("AL", "NE", "ER", "SU")
"""When an acknowledgment is wanted (HL7 table 0155)."""
MOST_ERRORS = 20
"""ERR segments of an answer."""


class Verdict(StrEnum):
    """What became of a message (HL7 table 0008, the second letter)."""

    ACCEPT = "A"
    """It is on record."""
    ERROR = "E"
    """Something in it cannot be used; sent as it is, it would be the same again."""
    REJECT = "R"
    """It is none that is taken here, or not now."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a message (ERR).

    Attributes:
        code: of table 0357.
        fix: for people; quotes nothing of the message.
        segment: its name, "" for the message as a whole.
        sequence: which of that name, from 1.
        field: its number; 0 for the segment as a whole.
    """

    code: int
    fix: str
    segment: str = ""
    sequence: int = 1
    field: int = 0

    @property
    def place(self) -> str:
        """As an ERL (2.A.28): segment, sequence and field."""
        parts = (self.segment, str(self.sequence), str(self.field) if self.field else "")
        return "^".join(parts).rstrip("^") if self.segment else ""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An acknowledgment that we got.

    Attributes:
        code: MSA-1.
        control_id: MSA-2.
        error: of table 0357, as far as ERR or MSA-6 has one; else "".
    """

    code: str
    control_id: str
    error: str = ""


def acknowledge(
    header: MessageHeader, verdict: Verdict, faults: Sequence[Fault] = (), *, at: float
) -> bytes | None:
    """The answer to a message; None where its sender wants none.

    In the enhanced mode it is the accept acknowledgment, unless only MSH-16 asks for one.

    Args:
        header: of the message.
        verdict: on it.
        faults: that led to it.
        at: unix time in seconds.
    """
    letter = _letter(header, verdict)
    if letter is None:
        return None
    mark, component = header[1], header.separator
    trigger = header[9].split(component)[1:2]
    kind = component.join((b"ACK", *trigger, b"ACK")) if trigger and trigger[0] else b"ACK"
    version = header[12] or b"2.5.1"
    control = header[10].strip()
    when = datetime.fromtimestamp(at, UTC).strftime("%Y%m%d%H%M%S+0000").encode()
    back = header[5], header[6], header[3], header[4]
    ours = b"A" + header.identity[:19].encode()
    fields = [b"MSH", header[2], *back, when, b"", kind, ours, header[11] or b"P", version]
    fields += [b""] * 5 + [header[18]]
    msa = [b"MSA", letter.encode(), control]
    if faults:
        msa.append(_plain(faults[0].fix, header))
    segments = [mark.join(fields).rstrip(mark), mark.join(msa)]
    if not re.match(rb"2\.[1-4]", version):  # before 2.5 an ERR had another form
        segments += [_err(one, header) for one in faults[:MOST_ERRORS]]
    return b"\r".join(segments) + b"\r"


def _letter(header: MessageHeader, verdict: Verdict) -> str | None:
    """MSA-1 by the mode (2.9.2, 2.9.3) and the conditions of table 0155."""
    accept, application = header.text(15), header.text(16)
    if not (accept or application):
        return f"A{verdict}"
    asks = "SU" if verdict == Verdict.ACCEPT else "ER"
    for condition, mode in ((accept, "C"), (application, "A")):
        # a sender that asks for what nobody knows waits for something
        if condition in ("AL", asks) or condition not in ("", *CONDITIONS):
            return f"{mode}{verdict}"
    return None


def _err(fault: Fault, header: MessageHeader) -> bytes:
    mark, component = header[1], header.separator
    code = component.join((str(fault.code).encode(), MEANINGS[fault.code].encode(), b"HL70357"))
    place = fault.place.encode().replace(b"^", component)
    return mark.join((b"ERR", b"", place, code, b"E", b"", b"", b"", _plain(fault.fix, header)))


def _plain(text: str, header: MessageHeader) -> bytes:
    """ASCII without any of the message's separators, so that nothing need be escaped."""
    marks = header[1] + header[2]
    ascii_only = text.encode("ascii", "replace")
    return bytes(b"_"[0] if byte in marks or byte < 32 else byte for byte in ascii_only)


def read_acknowledgment(message: bytes) -> Acknowledged:
    """Read an answer, as far as it says what became of a message.

    Raises:
        Unreadable: it is none.
    """
    header = header_of(message)
    lines = [line for line in re.split(rb"[\r\n]+", message) if line]
    segments = [line.split(header[1]) for line in lines[1:]]
    msa = next((one for one in segments if one[0] == b"MSA"), [])
    code = msa[1].decode("ascii", "replace").strip() if len(msa) > 1 else ""
    if not re.fullmatch("[AC][AER]", code):
        raise Unreadable("MSA-1", "it has no code of table 0008")
    err = next((one for one in segments if one[0] == b"ERR"), [])
    told = b"".join(err[3:4]) or b"".join(msa[6:7])
    error = told.split(header.separator)[0].decode("ascii", "replace").strip()
    control = b"".join(msa[2:3]).decode("ascii", "replace").strip()
    return Acknowledged(code, control, error if re.fullmatch("[0-9]{1,3}", error) else "")
