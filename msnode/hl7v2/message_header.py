"""The header of a message as its bytes are: enough to answer it, whatever else is wrong.

HL7 v2.5.1, 2.15.9. Nothing is decoded, as MSH-18 may name a character set that nobody knows; what
is echoed is echoed byte by byte.
"""

import hashlib
import re
from dataclasses import dataclass

from msnode.hl7v2.hl7_message import Unreadable

LONGEST = 227
"""Bytes of a field of the header that is echoed; of MSH-3 to 6, v2.5.1 allows this (HD)."""


@dataclass(frozen=True, slots=True)
class MessageHeader:
    """The first segment of a message.

    Attributes:
        fields: by their number; MSH-1 is the separator, and what is not there is empty.
    """

    fields: tuple[bytes, ...]

    def __getitem__(self, number: int) -> bytes:
        """MSH-``number``; b"" where it is not there."""
        return self.fields[number] if number < len(self.fields) else b""

    @property
    def separator(self) -> bytes:
        """Between components."""
        return self.fields[2][:1]

    def text(self, number: int, component: int = 1) -> str:
        """A component of a field, as far as it is ASCII."""
        parts = self[number].split(self.separator)
        found = parts[component - 1] if component <= len(parts) else b""
        told = found.decode("ascii", "replace").strip()
        return "".join(one if one.isprintable() else "?" for one in told)

    @property
    def kind(self) -> str:
        """Message code and trigger event, as ORU^R01; "" where they are no words."""
        code, event = self.text(9), self.text(9, 2)
        if not all(re.fullmatch("[A-Z][A-Z0-9]{0,2}|", one) for one in (code, event)) or not code:
            return ""
        return f"{code}^{event}" if event else code

    @property
    def is_enhanced(self) -> bool:
        """Whether it asks for the enhanced acknowledgment mode (2.9.3)."""
        return bool(self.text(15) or self.text(16))

    @property
    def identity(self) -> str:
        """What tells it from all other messages: sending application and facility, ID and time.

        The time is among them as counters begin anew: under the same ID at another time there is
        another message.
        """
        parts = (self[3], self[4], self[10].strip(), self[7].strip())
        return hashlib.sha256(b"\r".join(parts)).hexdigest()[:32]


def header_of(message: bytes) -> MessageHeader:
    """Read the header of a message.

    Raises:
        Unreadable: it has none.
    """
    first = re.split(rb"[\r\n]", message.lstrip(b"\r\n"), maxsplit=1)[0]
    found = re.match(rb"MSH([^\w\s\x00-\x1f])([^\w\s\x00-\x1f]{4,5})\1", first)
    if found is None or len(set(first[3:8])) < 5:
        raise Unreadable("MSH-2", r"it has to begin with MSH, a separator and ^~\& or like ones")
    mark = found[1]
    fields = first.split(mark)
    if any(len(one) > LONGEST for one in fields[2:6]) or len(b"".join(fields[9:10])) > 199:
        raise Unreadable("MSH-3", "a field of the header is longer than any may be")
    return MessageHeader((b"MSH", mark, *fields[1:]))
