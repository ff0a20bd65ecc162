"""HL7 v2 messages as text: a file cut into messages, a message into segments, escapes undone.

HL7 v2.5.1, chapter 2: separators 2.5.4, escape sequences 2.7, character sets 2.15.9.18 (MSH-18).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from msnode.errors import Refused

FRAMING = b"\x0b\x1c"
"""Bytes around a message on a socket (MLLP); some write them into files, too."""
BATCH = (b"FHS", b"BHS", b"BTS", b"FTS")
"""Segments around the messages of a batch (2.10.3), which say nothing of patients."""
CHARSETS = {
    "": "utf-8", "ASCII": "ascii", "UNICODE UTF-8": "utf-8",
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
}  # fmt: skip
"""Of MSH-18 (HL7 table 0211)."""
NULL = '""'
"""A value that is told to be none (2.5.3): as a field, or as a part of one; it names nobody."""
LONGEST = 1024**2
"""Bytes of a message."""
MOST = 5000
"""Segments of a message."""


class Unreadable(ValueError):
    """A message, or a field, that cannot be read; says where and the fix, and quotes nothing."""

    def __init__(self, place: str, fix: str) -> None:
        super().__init__(fix)
        self.place = place
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a message.

    Attributes:
        number: in the message, from 1.
        name: its three letters.
        fields: as written, by their number in the standard; () before the first.
        separators: between components, repetitions and subcomponents, the escape character, and
            between fields.
        codec: of the message's characters.
    """

    number: int
    name: str
    fields: tuple[str, ...]
    separators: tuple[str, str, str, str, str]
    codec: str

    def place(self, field: int) -> str:
        """Where that is, for people."""
        return f"segment {self.number}, {self.name}-{field}"

    def repetitions(self, field: int) -> list[str]:
        """What stands in a field, cut at its repetitions; [""] where there is nothing."""
        text = self.fields[field] if field < len(self.fields) else ""
        return ("" if text == NULL else text).split(self.separators[1])

    def parts(self, text: str) -> list[str]:
        """The components of a repetition, in plain text; of each its first subcomponent."""
        return [self.subcomponents(one)[0] for one in self.components(text)]

    def components(self, text: str) -> list[str]:
        """The components as written."""
        return text.split(self.separators[0])

    def subcomponents(self, text: str) -> list[str]:
        """The subcomponents of a component, in plain text; "" where one is null."""
        every = text.split(self.separators[2])
        return ["" if one.strip() == NULL else self.plain(one) for one in every]

    def only(self, field: int, component: int = 1) -> str:
        """A component of a field that may not repeat.

        Raises:
            Unreadable: it does, or an escape sequence in it is none.
        """
        found = self.repetitions(field)
        if len(found) > 1:
            raise Unreadable(self.place(field), "it may stand here once only")
        parts = self.parts(found[0])
        return parts[component - 1].strip() if len(parts) >= component else ""

    def plain(self, text: str) -> str:
        """Text without escape sequences.

        Not by the library: what it cannot read it leaves out, and writes into the log.

        Raises:
            Unreadable: a sequence is not known.
        """
        component, repetition, sub, escape, field = self.separators
        if escape not in text:
            return text
        known = {"F": field, "S": component, "T": sub, "R": repetition, "E": escape,
                 ".br": " ", "H": "", "N": ""}  # fmt: skip
        pieces = text.split(escape)
        if len(pieces) % 2 == 0:
            raise Unreadable(f"segment {self.number}", "an escape sequence has no end")
        for index in range(1, len(pieces), 2):
            code = pieces[index]
            if re.fullmatch("X([0-9A-Fa-f]{2})+", code):
                pieces[index] = self._characters(code[1:])
            elif code in known:
                pieces[index] = known[code]
            else:
                raise Unreadable(
                    f"segment {self.number}", "an escape sequence is not one of F S T R E X .br"
                )
        return "".join(pieces)

    def _characters(self, digits: str) -> str:
        try:
            return bytes.fromhex(digits).decode(self.codec)
        except UnicodeDecodeError:
            fix = "an escape sequence X is no character of the message's set"
            raise Unreadable(f"segment {self.number}", fix) from None


def cut(data: bytes) -> Iterator[bytes]:
    """The messages of a file, each with its segments ended by CR; what is before the first, too.

    Raises:
        Refused: there is none.
    """
    split = re.split(rb"[\r\n]+", data.removeprefix(b"\xef\xbb\xbf"))
    stripped = (line.strip(FRAMING) for line in split)
    message: list[bytes] = []
    lines = [line for line in stripped if line.strip() and not line.startswith(BATCH)]
    if not any(line.startswith(b"MSH") for line in lines):
        raise Refused("it holds no HL7 v2 message: none of its lines begins with MSH")
    for line in lines:
        if line.startswith(b"MSH") and message:
            yield b"\r".join(message)
            message = []
        message.append(line)
    yield b"\r".join(message)


def segments(message: bytes) -> list[Segment]:
    """The segments of a message in the order in which they stand.

    Raises:
        Unreadable: it is no message, or not in the character set that it names.
    """
    if len(message) > LONGEST:
        raise Unreadable("", f"it has more than {LONGEST // 1024} KiB")
    if not re.match(rb"MSH([^\w\s])[^\w\s]{4,5}\1", message) or len(set(message[3:8])) < 5:
        raise Unreadable("MSH-2", r"it has to begin with MSH, a separator and ^~\& or like ones")
    between = message[3:4]
    charset = message.split(b"\r")[0].split(between)[17:18] or [b""]
    name = charset[0].decode("latin-1").strip()
    if name not in CHARSETS:
        raise Unreadable("MSH-18", f"give nothing, or one of {', '.join(filter(None, CHARSETS))}")
    try:
        lines = [line for line in message.decode(CHARSETS[name]).split("\r") if line.strip()]
    except UnicodeDecodeError:
        raise Unreadable("MSH-18", "its characters are not of the set that is named here") from None
    if len(lines) > MOST:
        raise Unreadable("", f"it has more than {MOST} segments: send several messages")
    mark = between.decode("latin-1")
    given = lines[0].split(mark)[1]
    marks = (given[0], given[1], given[3], given[2], mark)
    return [_segment(number, line, marks, CHARSETS[name]) for number, line in enumerate(lines, 1)]


def _segment(number: int, line: str, marks: tuple[str, str, str, str, str], codec: str) -> Segment:
    """A line cut at its separators.

    Not by the library (hl7): it makes an object of each component of each field, for which a
    hostile message of 1 MiB takes 8 s and 500 MB.
    """
    mark = marks[4]
    name, *fields = line.split(mark)
    counted = (name, mark, *fields) if name == "MSH" else (name, *fields)
    return Segment(number, name, counted, marks, codec)
