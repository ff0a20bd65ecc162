"""What holds of the DICOM protocol's parsers for every input: command sets, PDUs, requests."""

import contextlib
import io
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)

from msnode.association_items import APPLICATION_CONTEXT
from msnode.receive.dicom import dimse
from msnode.receive.dicom.negotiation import accept
from msnode.receive.dicom.request import read_request
from msnode.receive.dicom.sop_classes import MR, contexts
from msnode.receive.dicom.upper_layer import (
    ASSOCIATE_RQ,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    AssociationEnd,
    Connection,
    ProtocolError,
)

MAX_PDU = 4096
NUMBER = st.integers(0, 0xFFFF)
UID_BYTES = st.binary(max_size=80).map(lambda value: value.rstrip(b"\0 "))
"""What a peer may write where a UID belongs; the padding is not part of it."""
Message = tuple[int, bool, bytes]
"""Presentation context, whether it is a command set, content."""


class Wire:
    """A socket whose peer sent these bytes, which came in pieces of these sizes, and closed."""

    def __init__(self, data: bytes, pieces: Sequence[int] = ()) -> None:
        self.sent = b""
        self._arriving = _Pieces(data, pieces)

    def settimeout(self, seconds: float) -> None:
        pass

    def setsockopt(self, *_: int) -> None:
        pass

    def makefile(self, mode: str, buffering: int) -> io.BufferedReader:
        return io.BufferedReader(self._arriving, buffering)

    def sendall(self, data: bytes) -> None:
        self.sent += data


class _Pieces(io.RawIOBase):
    """Bytes as a network delivers them: never more at once than the next size."""

    def __init__(self, data: bytes, pieces: Sequence[int]) -> None:
        self._data, self._sizes = data, list(pieces)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(self._sizes.pop() if self._sizes else len(buffer), len(buffer))
        taken, self._data = self._data[:size], self._data[size:]
        buffer[: len(taken)] = taken
        return len(taken)


def connected(wire: Wire) -> Connection:
    """A connection over it."""
    socket: Any = wire
    return Connection(socket, 5, MAX_PDU)


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body


def element(number: int, value: bytes, group: int = 0) -> bytes:
    return struct.pack("<HHI", group, number, len(value)) + value


def reassembled(connection: Connection) -> Iterator[Message]:
    """The messages that came, each from its fragments."""
    content = b""
    for fragment in connection.fragments():
        content += fragment.data
        if fragment.is_last:
            yield fragment.context_id, fragment.is_command, content
            content = b""


def damaged(data: st.DataObject, good: bytes) -> bytes:
    """Some bytes changed, and perhaps the end missing."""
    bad = bytearray(good)
    for place in data.draw(st.lists(st.integers(0, len(good) - 1), max_size=4)):
        bad[place] = data.draw(st.integers(0, 255))
    return bytes(bad[: data.draw(st.integers(0, len(good)))] if data.draw(st.booleans()) else bad)


@st.composite
def command_sets(draw: st.DrawFn) -> tuple[bytes, dimse.Command]:
    """A request as any peer may write it, its elements in any order, and what it says."""
    field, number, priority, kind = (draw(NUMBER) for _ in range(4))
    data_set = draw(NUMBER)
    sop_class, sop_instance = draw(UID_BYTES), draw(UID_BYTES)
    elements = [
        element(0x0002, sop_class + draw(st.sampled_from([b"", b"\0", b" "]))),
        element(0x0100, struct.pack("<H", field)),
        element(0x0110, struct.pack("<H", number)),
        element(0x0700, struct.pack("<H", priority)),
        element(0x0800, struct.pack("<H", data_set)),
        element(0x1000, sop_instance),
        element(0x1002, struct.pack("<H", kind)),
        element(0x1031, draw(st.binary(max_size=9))),  # of which we know nothing
    ]
    about, what = sop_class.decode("latin-1"), sop_instance.decode("latin-1")
    command = dimse.Command(field, number, about, what, data_set != 0x0101, priority, kind)
    return b"".join(draw(st.permutations(elements))), command


@given(command_sets())
def test_a_command_set_is_read_as_it_was_written(written: tuple[bytes, dimse.Command]) -> None:
    encoded, command = written
    assert dimse.decode(encoded) == command


@given(command_sets(), st.sampled_from([0x0000, 0xA700, 0xC000]))
def test_a_response_names_what_was_asked_byte_for_byte(
    written: tuple[bytes, dimse.Command], status: int
) -> None:
    """Also where it is no UID: by it the peer knows which of its requests is meant."""
    _, asked = written
    answer = dimse.decode(dimse.encode_response(asked, status))
    assert answer.field == asked.field | 0x8000
    assert (answer.sop_class_uid, answer.sop_instance_uid, answer.has_dataset) == (
        asked.sop_class_uid,
        asked.sop_instance_uid,
        False,
    )


@settings(max_examples=300)
@given(st.data(), command_sets())
def test_a_damaged_command_set_is_read_or_a_value_error(
    data: st.DataObject, written: tuple[bytes, dimse.Command]
) -> None:
    encoded = damaged(data, written[0])
    with contextlib.suppress(ValueError):
        command = dimse.decode(encoded)
        assert max(command.field, command.message_id) <= 0xFFFF


MESSAGES = st.lists(
    st.tuples(st.integers(0, 255), st.booleans(), st.binary(max_size=200)), min_size=1, max_size=5
)


@st.composite
def traffic(draw: st.DrawFn) -> tuple[bytes, list[Message]]:
    """Messages cut into fragments, and these put into PDUs anyhow; then a release."""
    messages = draw(MESSAGES)
    values = []
    for context_id, is_command, content in messages:
        cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=4)))
        parts = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
        for i, part in enumerate(parts):
            control = is_command | (2 if i == len(parts) - 1 else 0)
            values.append(struct.pack(">IBB", len(part) + 2, context_id, control) + part)
    stream = b""
    while values:
        many = draw(st.integers(1, len(values)))
        stream += pdu(P_DATA, b"".join(values[:many]))
        values = values[many:]
    return stream + pdu(RELEASE_RQ, bytes(4)), messages


@given(traffic(), st.lists(st.integers(1, 40), max_size=50))
def test_messages_arrive_whole_however_they_are_cut(
    sent: tuple[bytes, list[Message]], pieces: list[int]
) -> None:
    stream, messages = sent
    wire = Wire(stream, pieces)
    arriving = reassembled(connected(wire))
    assert [next(arriving) for _ in messages] == messages
    with pytest.raises(AssociationEnd, match="released"):
        next(arriving)
    assert wire.sent == pdu(RELEASE_RP, bytes(4))


@settings(max_examples=300)
@given(st.data(), traffic())
def test_damaged_traffic_ends_in_order(
    data: st.DataObject, sent: tuple[bytes, list[Message]]
) -> None:
    with pytest.raises((AssociationEnd, ProtocolError)) as end:
        list(reassembled(connected(Wire(damaged(data, sent[0])))))
    if isinstance(end.value, ProtocolError):
        assert end.value.reason in (1, 2, 6)


@given(st.binary(min_size=1, max_size=600), st.integers(0, 255), st.integers(0, 300))
def test_what_we_send_keeps_to_the_peers_limit_and_is_whole(
    command: bytes, context_id: int, limit: int
) -> None:
    wire = Wire(b"")
    ours = connected(wire)
    ours.establish(limit)
    ours.send_command(context_id, command)
    heard = connected(Wire(wire.sent))
    content, ended = b"", False
    for kind, body in iter_pdus(heard):
        assert kind == P_DATA
        assert limit == 0 or len(body) <= max(limit, 64)
        content, ended = content + body[6:], bool(body[5] & 2)
        assert (body[4], body[5] & 1) == (context_id, 1)
    assert (content, ended) == (command, True)


def iter_pdus(connection: Connection) -> Iterator[tuple[int, bytes]]:
    """Every PDU until the end of the stream."""
    while True:
        try:
            yield connection.read_pdu()
        except AssociationEnd:
            return


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """The body of an A-ASSOCIATE-RQ, as pynetdicom writes it."""
    asked = A_ASSOCIATE()
    asked.application_context_name = UID(APPLICATION_CONTEXT)
    asked.calling_ae_title, asked.called_ae_title = "MRI1", "MSNODE"
    known = sorted(MR)
    classes = draw(st.lists(st.sampled_from([*known, "1.2.3"]), min_size=1, max_size=4))
    offered = [build_context(name) for name in classes]
    for i, context in enumerate(offered):
        context.context_id = 2 * i + 1
    asked.presentation_context_definition_list = offered
    length = MaximumLengthNotification()
    length.maximum_length_received = draw(st.sampled_from([0, 1, 16384]))
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = UID(classes[0])
    role.scu_role, role.scp_role = draw(st.sampled_from([(True, False), (False, True)]))
    asked.user_information = [length, role]
    return bytes(A_ASSOCIATE_RQ(asked).encode()[6:])


def answered(body: bytes) -> Wire:
    """Read a request and accept what can be accepted."""
    wire = Wire(pdu(ASSOCIATE_RQ, body))
    connection = connected(wire)
    request = read_request(connection)
    assert len(request.calling) <= 64
    assert request.calling.isascii()
    assert request.called.isascii()
    granted = accept(connection, request.decode(), contexts(MR), MAX_PDU)
    assert all(context.sop_class_uid in MR for context in granted.values())
    return wire


@settings(max_examples=50)
@given(requests())
def test_a_request_is_answered_with_an_acceptance(body: bytes) -> None:
    assert answered(body).sent[0] == 2


@settings(max_examples=200)
@given(st.data(), requests())
@pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom, of each UID that is none
def test_a_damaged_request_is_answered_or_a_protocol_error(
    data: st.DataObject, body: bytes
) -> None:
    with contextlib.suppress(ProtocolError, AssociationEnd):
        assert answered(damaged(data, body)).sent[0] == 2


@settings(max_examples=200)
@given(st.binary(min_size=68, max_size=300))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_any_bytes_for_a_request_are_a_protocol_error_or_answered(body: bytes) -> None:
    with contextlib.suppress(ProtocolError, AssociationEnd):
        assert answered(body).sent[0] == 2
