"""The items of an A-ASSOCIATE PDU (PS3.8 9.3.2, 9.3.3), read as tolerantly as PS3.8 asks for.

Both sides need it: items and sub-items of an unknown type are skipped (PS3.8 9.3.1, D.2), whereas
pynetdicom raises on each, and on many a value that it has no use for.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

APPLICATION_CONTEXT_ITEM, OFFERED_CONTEXT, ANSWERED_CONTEXT, USER_INFORMATION = 16, 32, 33, 80
ABSTRACT_SYNTAX, TRANSFER_SYNTAX = 0x30, 0x40
MAXIMUM_LENGTH, IMPLEMENTATION_CLASS, ROLE_SELECTION, IMPLEMENTATION_VERSION = 81, 82, 84, 85
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
FIXED = 68
"""Bytes before the variable items: protocol version, AE titles, reserved ones."""

ACCEPTED, USER_REJECTION, NO_REASON, NO_ABSTRACT_SYNTAX, NO_TRANSFER_SYNTAX = range(5)
"""The results of a presentation context (PS3.8 9.3.3.2)."""
INSIGNIFICANT = "1.2.840.10008.1.2"
"""The transfer syntax of a context that is not accepted, which nobody may test."""

_HEAD = struct.Struct(">BxH")
_UID = re.compile(rb"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a presentation context: its ID, the result, the transfer syntax."""

    context_id: int
    result: int
    transfer_syntax: str


def items(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of one item after the other, or of the sub-items of one.

    Raises:
        ValueError: the last one is cut off.
    """
    position = 0
    while position < len(encoded):
        start = position + _HEAD.size
        if start > len(encoded):
            raise ValueError("item is cut off")
        kind, length = _HEAD.unpack_from(encoded, position)
        position = start + length
        if position > len(encoded):
            raise ValueError(f"item of type 0x{kind:02X} is cut off")
        yield kind, encoded[start:position]


def item(kind: int, content: bytes) -> bytes:
    """An item, encoded."""
    return _HEAD.pack(kind, len(content)) + content


def user_information(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """The sub-items of the user information, up to one that is cut off.

    Nothing in it decides whether there is an association, so a bad one is no reason to end it.
    """
    try:
        yield from items(encoded)
    except ValueError:
        return


def uid(value: bytes) -> str:
    """A UID, its padding ignored, as some peers pad it; "" for what is none (PS3.8 F)."""
    bare = value.strip(b"\0 ")
    return bare.decode("ascii") if len(bare) <= 64 and _UID.fullmatch(bare) else ""


def acceptance(reserved: bytes, answers: Iterable[Answer], information: bytes) -> bytes:
    """What follows the length of an A-ASSOCIATE-AC (PS3.8 9.3.3).

    Args:
        reserved: the AE titles and reserved bytes as they were in the request.
        answers: one for each context.
        information: the encoded sub-items of the user information.
    """
    contexts = b"".join(
        item(
            ANSWERED_CONTEXT,
            bytes((answer.context_id, 0, answer.result, 0))
            + item(TRANSFER_SYNTAX, answer.transfer_syntax.encode()),
        )
        for answer in answers
    )
    name = item(APPLICATION_CONTEXT_ITEM, APPLICATION_CONTEXT.encode())
    return struct.pack(">Hxx", 1) + reserved + name + contexts + item(USER_INFORMATION, information)
