"""PDUs from a peer that may send anything."""

import socket
import struct
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msnode.receive.upper_layer import (
    BUFFER,
    AssociationEnd,
    Connection,
    Fragment,
    ProtocolError,
    read_request,
)

Peer = Callable[[bytes], Connection]


@pytest.fixture
def heard() -> Iterator[Peer]:
    """A connection whose peer sent these bytes and then closed."""
    connections = []

    def make(data: bytes) -> Connection:
        listener = socket.create_server(("127.0.0.1", 0))
        peer = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
        listener.close()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        peer.sendall(data)
        peer.close()
        connections.append(Connection(ours, 5, 16_384))
        return connections[-1]

    yield make
    for connection in connections:
        connection.close()


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body


def value(context_id: int, control: int, data: bytes) -> bytes:
    return struct.pack(">IBB", len(data) + 2, context_id, control) + data


def test_fragments_come_out_as_they_went_in(heard: Peer) -> None:
    two = pdu(4, value(1, 3, b"command") + value(1, 0, b"data"))
    connection = heard(two + pdu(4, value(3, 2, b"")))
    fragments = connection.fragments()
    assert next(fragments) == Fragment(1, True, True, memoryview(b"command"))
    assert next(fragments) == Fragment(1, False, False, memoryview(b"data"))
    assert next(fragments) == Fragment(3, False, True, memoryview(b""))
    with pytest.raises(AssociationEnd, match="closed"):
        next(fragments)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pdu(9, b""), 1),
        (pdu(0, b""), 1),
        (pdu(1, bytes(4)), 2),
        (pdu(4, bytes(20_000)), 6),
        (pdu(4, b"\0\0"), 6),
        (pdu(4, struct.pack(">IBB", 100, 1, 0) + b"short"), 6),
        (pdu(4, struct.pack(">IBB", 0, 1, 0)), 6),
        (struct.pack(">BxI", 5, 0xFFFFFFFF), 6),
    ],
)
def test_violations_have_their_reason(heard: Peer, data: bytes, reason: int) -> None:
    with pytest.raises(ProtocolError) as violation:
        list(heard(data).fragments())
    assert violation.value.reason == reason


@pytest.mark.parametrize(("kind", "end"), [(5, "released"), (7, "aborted")])
def test_ends(heard: Peer, kind: int, end: str) -> None:
    with pytest.raises(AssociationEnd, match=end):
        list(heard(pdu(kind, bytes(4))).fragments())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=300), st.sampled_from([0, 1, 4, 5, 7]), st.booleans())
def test_any_bytes_end_in_order(heard: Peer, body: bytes, kind: int, framed: bool) -> None:
    data = pdu(kind, body) if framed else body
    with pytest.raises((AssociationEnd, ProtocolError)):
        list(heard(data).fragments())
    with pytest.raises((AssociationEnd, ProtocolError)):
        read_request(heard(data))


def test_silence_is_a_timeout() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as peer,
    ):
        connection = Connection(listener.accept()[0], 0.05, 16_384)
        with pytest.raises(AssociationEnd, match="timeout"):
            connection.read_pdu()
        peer.close()
        connection.close()
