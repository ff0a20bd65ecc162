"""PDUs from a peer that may send anything."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msnode.receive.dicom.request import read_request
from msnode.receive.dicom.upper_layer import (
    BUFFER,
    AssociationEnd,
    Connection,
    Fragment,
    ProtocolError,
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
        read_request(heard(data)).decode()


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


def drip(peer: socket.socket, data: bytes, pause: float, stop: threading.Event) -> None:
    """Send a byte now and then."""
    for byte in data:
        if stop.wait(pause):
            return
        with contextlib.suppress(OSError):
            peer.send(bytes([byte]))


@pytest.mark.parametrize(
    ("timeout", "longest", "end"), [(0.3, 60.0, "timeout"), (60.0, 0.3, "expired")]
)
def test_a_byte_now_and_then_is_not_enough(timeout: float, longest: float, end: str) -> None:
    stop = threading.Event()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as peer,
    ):
        connection = Connection(listener.accept()[0], timeout, 16_384, longest)
        connection.establish(0)
        data = pdu(4, value(1, 0, bytes(1000)))
        dripping = threading.Thread(target=drip, args=(peer, data, 0.05, stop))
        watching = threading.Thread(target=watch, args=(connection, stop))
        dripping.start()
        watching.start()
        start = time.monotonic()
        with pytest.raises(AssociationEnd, match=end):
            connection.read_pdu()
        assert 0.2 < time.monotonic() - start < 2
        stop.set()
        dripping.join()
        watching.join()
        peer.close()
        connection.close()


def watch(connection: Connection, stop: threading.Event) -> None:
    """As the listener does."""
    while not stop.wait(0.05):
        connection.check(time.monotonic())


def test_what_we_do_ourselves_takes_no_time_of_the_peers() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as peer,
    ):
        connection = Connection(listener.accept()[0], 0.05, 16_384)
        connection.establish(0)
        for _ in range(2):
            peer.sendall(pdu(4, value(1, 0, b"data")))
            assert connection.read_pdu()[0] == 4
            connection.check(time.monotonic() + 10)  # ten seconds of work
        peer.close()
        connection.close()


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        ({"subject": ((("commonName", "CT1"),),)}, {"CT1"}),
        ({"subject": ((("commonName", "CT1"),),),
          "subjectAltName": (("DNS", "ct1.example.org"), ("IP Address", "10.1.2.3"),
                             ("email", "ct@example.org"), ("URI", "urn:ct1"))},
         {"ct1.example.org", "10.1.2.3", "ct@example.org"}),
        ({"subject": ((("commonName", "CT1"),),), "subjectAltName": (("URI", "urn:ct1"),)}, set()),
        ({}, set()),
    ],
)  # fmt: skip
def test_a_peer_is_called_by_its_alternative_names(
    certificate: dict[str, Any], names: set[str]
) -> None:
    """RFC 9525: the CN counts only where there is no subjectAltName at all."""
    secured = Mock(spec=ssl.SSLSocket)
    secured.getpeercert.return_value = certificate
    connection = object.__new__(Connection)
    connection._socket = secured
    assert connection.names() == names
