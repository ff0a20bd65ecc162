"""DIMSE command sets (PS3.7 6.3.1, 9.3, 10.3.1, E.1): the few that this node's listener needs.

pydicom could encode them too, but would use a tenth of the time allowed for a 256x256 slice.
"""

import struct
from dataclasses import dataclass

C_STORE_RQ = 0x0001
C_ECHO_RQ = 0x0030
N_EVENT_REPORT_RQ = 0x0100
C_CANCEL_RQ = 0x0FFF
HIGH = 0x0001  # of Priority; medium is 0, low is 2
NO_DATASET = 0x0101

_GROUP_LENGTH = 0x0000
_AFFECTED_SOP_CLASS_UID = 0x0002
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_MESSAGE_ID_RESPONDED_TO = 0x0120
_PRIORITY = 0x0700
_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_ERROR_COMMENT = 0x0902
_AFFECTED_SOP_INSTANCE_UID = 0x1000
_EVENT_TYPE_ID = 0x1002
_MOVE_ORIGINATOR = 0x1030


@dataclass(frozen=True, slots=True)
class Command:
    """A request: C-ECHO-RQ, C-STORE-RQ, N-EVENT-REPORT-RQ; of others only ``field`` matters.

    ``priority`` is a C-STORE-RQ's: low, medium or ``HIGH`` (PS3.7 9.3.1.1). ``event_type`` is an
    N-EVENT-REPORT-RQ's (PS3.7 10.3.1.1). ``move_originator`` is of a C-STORE-RQ
    that a C-MOVE caused the AE title that asked for it (PS3.7 9.3.1.1), else "".
    """

    field: int
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    has_dataset: bool
    priority: int = 0
    event_type: int = 0
    move_originator: str = ""


def decode(encoded: bytes) -> Command:
    """Read a command set, which is always Implicit VR Little Endian.

    Raises:
        ValueError: it is not a command set.
    """
    values: dict[int, bytes] = {}
    position = 0
    while position < len(encoded):
        try:
            group, number, length = struct.unpack_from("<HHI", encoded, position)
        except struct.error as error:
            raise ValueError("command set is cut off") from error
        position += 8 + length
        if group or position > len(encoded):
            raise ValueError("command set is cut off or of another group")
        values[number] = encoded[position - length : position]
    return Command(
        field=_number(values, _COMMAND_FIELD),
        message_id=_number(values, _MESSAGE_ID) if _MESSAGE_ID in values else 0,
        sop_class_uid=_text(values, _AFFECTED_SOP_CLASS_UID),
        sop_instance_uid=_text(values, _AFFECTED_SOP_INSTANCE_UID),
        has_dataset=_number(values, _DATA_SET_TYPE) != NO_DATASET,
        priority=int.from_bytes(values.get(_PRIORITY, b""), "little"),
        event_type=int.from_bytes(values.get(_EVENT_TYPE_ID, b""), "little"),
        move_originator=_text(values, _MOVE_ORIGINATOR).strip(),
    )


def _number(values: dict[int, bytes], element: int) -> int:
    """An element of VR US."""
    value = values.get(element, b"")
    if len(value) != 2:
        raise ValueError(f"(0000,{element:04X}) is missing or no US")
    return int.from_bytes(value, "little")


def _text(values: dict[int, bytes], element: int) -> str:
    """An element of VR UI, "" where absent."""
    return values.get(element, b"").rstrip(b"\0 ").decode("latin-1")


def encode_response(command: Command, status: int, comment: str = "") -> bytes:
    """The response to a request (PS3.7 9.3.1.2, 9.3.5.2, 10.3.1.2).

    Args:
        command: the request.
        status: DIMSE status.
        comment: why it failed, at most 64 ASCII characters.
    """
    elements = [
        _element(_COMMAND_FIELD, struct.pack("<H", command.field | 0x8000)),
        _element(_MESSAGE_ID_RESPONDED_TO, struct.pack("<H", command.message_id)),
        _element(_DATA_SET_TYPE, struct.pack("<H", NO_DATASET)),
        _element(_STATUS, struct.pack("<H", status)),
    ]
    if command.sop_class_uid:
        elements.insert(0, _uid(_AFFECTED_SOP_CLASS_UID, command.sop_class_uid))
    if comment:
        elements.append(_element(_ERROR_COMMENT, comment.encode(), b" "))
    if command.sop_instance_uid:
        elements.append(_uid(_AFFECTED_SOP_INSTANCE_UID, command.sop_instance_uid))
    if command.field == N_EVENT_REPORT_RQ and status == 0:
        elements.append(_element(_EVENT_TYPE_ID, struct.pack("<H", command.event_type)))
    body = b"".join(elements)
    return _element(_GROUP_LENGTH, struct.pack("<I", len(body))) + body


def _uid(number: int, value: str) -> bytes:
    """An element of VR UI, the reverse of `_text`: the peer gets its own bytes back, UID or not."""
    return _element(number, value.encode("latin-1"))


def _element(number: int, value: bytes, padding: bytes = b"\0") -> bytes:
    """One element of group 0000, padded to even length."""
    value += padding * (len(value) % 2)
    return struct.pack("<HHI", 0, number, len(value)) + value
