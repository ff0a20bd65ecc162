"""The DICOM upper layer (PS3.8) of an acceptor: PDUs on a socket that a thread waits on.

pynetdicom negotiates (see negotiation.py); its reactor is not used, because it polls a queue and a
socket a thousand times a second and copies every fragment five times (see bench/receive.py).
"""

import contextlib
import math
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from msnode import metrics
from msnode.tls import names_of

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
LONGEST_REQUEST = 1 << 18  # bytes of an A-ASSOCIATE-RQ; 128 contexts of 16 syntaxes take 130 kB
BUFFER = 1 << 18  # bytes
SHORTEST_PDU = 64  # bytes; a peer that states a lower limit does not mean it
LINGER_S = 5.0  # seconds
LINGER_BYTES = 1 << 22  # about what may be in transit; a peer that sends more is not listening
ARTIM_S = 30.0  # seconds for the A-ASSOCIATE-RQ to come (PS3.8 9.1.5)


class AssociationEnd(Exception):
    """The association is over. The message says how: released, aborted, closed, timeout, expired.

    The last two are our doing: a PDU, or the association as a whole, took too long.
    """


class ProtocolError(Exception):
    """The peer broke PS3.8; ``reason`` is that of the A-ABORT (PS3.8 9.3.8)."""

    def __init__(self, reason: int, message: str) -> None:
        super().__init__(message)
        self.reason = reason


UNRECOGNIZED_PDU, UNEXPECTED_PDU, INVALID_PARAMETER = 1, 2, 6


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an association is rejected (PS3.8 9.3.4)."""

    result: int
    source: int
    reason: int
    name: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """A presentation data value (PS3.8 9.3.5.1, E.2)."""

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


class Connection:
    """PDUs over one socket.

    A socket's own timeout restarts with every byte. So that a peer cannot hold a connection by
    sending a byte now and then, another thread calls ``check`` about every second.

    Args:
        sock: connected; with TLS, its handshake is still to be done.
        timeout: seconds that the peer may take for each PDU, silence before it included.
        max_pdu: longest P-DATA-TF PDU that we announced, bytes.
        longest: seconds that the connection may last.
    """

    def __init__(
        self, sock: socket.socket, timeout: float, max_pdu: int, longest: float = math.inf
    ) -> None:
        self._socket = sock
        self._max_pdu = max_pdu
        self._timeout = timeout
        self._end = time.monotonic() + longest
        self._due = time.monotonic() + ARTIM_S  # for the handshake and the request together
        self._is_established = False
        self._verdict = ""
        sock.settimeout(min(timeout, ARTIM_S))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = sock.makefile("rb", buffering=BUFFER)
        self._peer_max_pdu = 0

    def shake_hands(self) -> None:
        """Do the TLS handshake, if TLS is used.

        Raises:
            OSError: it failed, or took too long.
        """
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.do_handshake()

    def names(self) -> frozenset[str]:
        """The peer's names in its certificate; none without TLS."""
        return names_of(self._socket)

    def check(self, now: float) -> None:
        """Give up a peer whose time is over (monotonic clock); called by another thread."""
        if self._verdict or now < min(self._due, self._end):
            return
        self._verdict = "expired" if now >= self._end else "timeout"
        self.interrupt()

    def read_pdu(self) -> tuple[int, bytes]:
        """Wait for a PDU; returns its type and what follows its length field.

        Raises:
            AssociationEnd: the peer is gone, silent or slow.
            ProtocolError: it is of no known type, or longer than agreed.
        """
        if self._is_established:
            self._due = time.monotonic() + self._timeout
        try:
            return self._read_pdu()
        finally:
            if self._is_established:
                self._due = math.inf  # the time that we take for it is not the peer's fault

    def _read_pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxI", self._read(6))
        if not ASSOCIATE_RQ <= kind <= ABORT:
            raise ProtocolError(UNRECOGNIZED_PDU, f"PDU type {kind}")
        # a P-DATA-TF within max_pdu is what we agreed; some peers count the six bytes of its head
        limit = self._max_pdu + 6 if kind == P_DATA else LONGEST_REQUEST
        if length > limit:
            metrics.REFUSALS.labels("max_pdu").inc()
            raise ProtocolError(INVALID_PARAMETER, f"PDU of {length} bytes")
        return kind, self._read(length)

    def _read(self, size: int) -> bytes:
        try:
            data: bytes = self._stream.read(size)
        except TimeoutError as error:
            raise AssociationEnd("timeout") from error
        except OSError as error:
            raise AssociationEnd(self._verdict or "closed") from error
        if len(data) < size:
            raise AssociationEnd(self._verdict or "closed")
        return data

    def establish(self, peer_max_pdu: int) -> None:
        """The association is open: its limits count from now on."""
        self._peer_max_pdu = peer_max_pdu
        self._is_established = True
        self._due = math.inf
        self._socket.settimeout(self._timeout)

    def send(self, pdu: bytes) -> None:
        """Send an encoded PDU.

        Raises:
            AssociationEnd: the peer is gone.
        """
        try:
            self._socket.sendall(pdu)
        except OSError as error:
            raise AssociationEnd("closed") from error

    def send_command(self, context_id: int, command: bytes) -> None:
        """Send a command set in as many P-DATA-TF PDUs as the peer's limit asks for."""
        room = max(self._peer_max_pdu or len(command) + 6, SHORTEST_PDU) - 6
        for start in range(0, len(command), room):
            part = command[start : start + room]
            control = 3 if start + room >= len(command) else 1
            head = struct.pack(">BxIIBB", P_DATA, len(part) + 6, len(part) + 2, context_id, control)
            self.send(head + part)

    def fragments(self) -> Iterator[Fragment]:
        """The data values of an established association, until the peer releases it.

        Raises:
            AssociationEnd: it is over; a release was answered.
            ProtocolError: the peer broke PS3.8.
        """
        while True:
            kind, body = self.read_pdu()
            if kind == P_DATA:
                yield from _values(memoryview(body))
            elif kind == RELEASE_RQ:
                self.send(struct.pack(">BxI4x", RELEASE_RP, 4))
                raise AssociationEnd("released")
            elif kind == ABORT:
                raise AssociationEnd("aborted")
            else:
                raise ProtocolError(UNEXPECTED_PDU, f"PDU type {kind} in an association")

    def abort(self, reason: int = 0) -> None:
        """Send A-ABORT as the provider (PS3.8 9.3.8), if the peer can still be reached."""
        with contextlib.suppress(AssociationEnd):
            self.send(struct.pack(">BxIxxBB", ABORT, 4, 2, reason))

    def reject(self, why: Rejection) -> None:
        """Send A-ASSOCIATE-RJ."""
        self.send(struct.pack(">BxIxBBB", ASSOCIATE_RJ, 4, why.result, why.source, why.reason))

    def interrupt(self) -> None:
        """Make the thread that waits for the peer see the end of the stream; it can still send."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RD)  # not SSLSocket's: it unwraps

    def close(self) -> None:
        """Let the peer close first (PS3.8 9.2, Sta13), or it may lose our last PDU; then close."""
        self._due = self._end = math.inf
        end, room = time.monotonic() + LINGER_S, LINGER_BYTES
        self._socket.settimeout(LINGER_S)
        with contextlib.suppress(OSError):
            while room > 0 and time.monotonic() < end and (ignored := self._socket.recv(BUFFER)):
                room -= len(ignored)
        self._stream.close()
        self._socket.close()


def _values(body: memoryview) -> Iterator[Fragment]:
    """The items of a P-DATA-TF PDU, without copying them."""
    position = 0
    while position < len(body):
        if len(body) - position < 6:
            raise ProtocolError(INVALID_PARAMETER, "data value is cut off")
        length, context_id, control = struct.unpack_from(">IBB", body, position)
        end = position + 4 + length
        if length < 2 or end > len(body):
            raise ProtocolError(INVALID_PARAMETER, "data value is cut off")
        yield Fragment(context_id, bool(control & 1), bool(control & 2), body[position + 6 : end])
        position = end
