"""One MLLP connection: whole messages in, answers out, each within its time."""

import contextlib
import socket
import ssl
import time

from msnode.hl7v2.hl7_message import LONGEST
from msnode.hl7v2.mllp import Blocks, NoBlock, block

BUFFER = 1 << 16  # bytes
ALIVE_S, PROBES = 60, 4
"""After so many seconds of silence TCP asks whether the peer's host still lives: interface engines
keep a connection open for days, and one that is half-open would keep its place for ever."""


class Closed(Exception):
    """The connection is over. The message says how: closed, half, timeout, expired, lost."""


class MllpConnection:
    """Messages over one socket.

    Between messages a peer may be silent for ``idle_s``; a message that has begun must be whole
    within ``timeout_s``, so that sending a byte now and then holds nothing up.

    Args:
        sock: connected; with TLS, its handshake is still to be done.
        timeout_s: seconds for a message, and for the handshake.
        idle_s: seconds.

    Attributes:
        socket: the peer's.
    """

    def __init__(self, sock: socket.socket, timeout_s: float, idle_s: float) -> None:
        self.socket = sock
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._blocks = Blocks(LONGEST)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("IDLE", ALIVE_S), ("INTVL", ALIVE_S // PROBES), ("CNT", PROBES)):
            if (number := getattr(socket, f"TCP_KEEP{option}", None)) is not None:
                sock.setsockopt(socket.IPPROTO_TCP, number, value)
        sock.settimeout(timeout_s)

    def shake_hands(self) -> None:
        """Do the TLS handshake, if TLS is used.

        Raises:
            OSError: it failed, or took too long.
        """
        if isinstance(self.socket, ssl.SSLSocket):
            self.socket.do_handshake()

    def message(self) -> bytes | None:
        """Wait for the next message; None where the peer has closed the connection, or is idle.

        Raises:
            Closed: it broke off in a message, or took too long for it.
            NoBlock: what came is none.
        """
        now = time.monotonic()
        idle_end, end = now + self._idle_s, now + self._timeout_s if self._blocks.is_open else None
        while (found := self._blocks.next()) is None:
            if self._blocks.is_open and end is None:
                end = time.monotonic() + self._timeout_s
            try:
                data = self._receive(end if end is not None else idle_end)
            except TimeoutError:
                if end is None:
                    return None
                raise Closed("timeout") from None
            if not data and not self._blocks.is_open:
                return None
            if not data:
                raise Closed("half")
            self._blocks.feed(data)
        if not found.lstrip(b"\r\n").startswith(b"MSH"):
            # an answer could not name it, and its sender might take it for another message's
            raise NoBlock("a block that does not begin with MSH")
        return found

    def answer(self, message: bytes) -> None:
        """Send an acknowledgment.

        Raises:
            Closed: it cannot be sent.
        """
        self.socket.settimeout(self._timeout_s)
        try:
            self.socket.sendall(block(message))
        except OSError as error:
            raise Closed("timeout" if isinstance(error, TimeoutError) else "lost") from error

    def interrupt(self) -> None:
        """End what the thread of the connection waits for; called by another thread."""
        with contextlib.suppress(OSError):  # it has just been closed
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        with contextlib.suppress(OSError):
            self.socket.close()

    def _receive(self, end: float) -> bytes:
        """What the peer sent; b"" where it sends no more."""
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)
        try:
            return self.socket.recv(BUFFER)
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed("half" if self._blocks.is_open else "lost") from error
