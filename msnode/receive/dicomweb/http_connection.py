"""HTTP/1.1 (RFC 9112) on a socket that a thread waits on; h11 reads and writes the messages."""

import contextlib
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from http import HTTPStatus

import h11

BUFFER = 1 << 17  # bytes
LONGEST_HEAD = 1 << 14  # bytes of a request line with its headers
LINGER_S = 5.0
LINGER_BYTES = 1 << 24
"""For the rest of a request that was answered early: without it the answer may be lost (RFC 9112
9.6). A client that sends more is not listening."""

LENGTH, TRANSFER = b"content-length", b"transfer-encoding"
ONCE = (b"authorization", b"content-type", b"content-encoding")
"""Headers of which a second one could mean another thing to whoever passes a request on."""

Headers = Sequence[tuple[str, str]]


class Closed(Exception):
    """The connection is over. The message says how: closed, timeout, expired, lost."""


class Malformed(Exception):
    """What came is no HTTP/1.1.

    Attributes:
        status: of the answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class HttpConnection:
    """Requests and answers over one socket.

    Only the time that we wait for the client counts. It starts anew with each request and with
    every ``portion`` bytes of a body, so that sending a byte now and then holds nothing up.

    Args:
        sock: connected; with TLS, its handshake is still to be done.
        timeout_s: seconds for a request's head, silence before it included, and for each portion.
        longest_s: seconds that the connection may last.
        portion: bytes.

    Attributes:
        socket: the client's.
    """

    def __init__(
        self, sock: socket.socket, timeout_s: float, longest_s: float, portion: int
    ) -> None:
        self.socket = sock
        self._timeout_s = self._left_s = timeout_s
        self._end = time.monotonic() + longest_s
        self._portion = self._due_bytes = portion
        self._is_head = False
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout_s)

    def shake_hands(self) -> None:
        """Do the TLS handshake, if TLS is used.

        Raises:
            OSError: it failed, or took too long.
        """
        if isinstance(self.socket, ssl.SSLSocket):
            self.socket.do_handshake()

    def request(self) -> h11.Request | None:
        """Wait for the head of a request; None where the client has closed the connection.

        Raises:
            Closed: it took too long.
            Malformed: it is none.
        """
        self._renew()
        event = self._event()
        if not isinstance(event, h11.Request):
            return None
        self._is_head = event.method == b"HEAD"
        names = Counter(bytes(name) for name, _ in event.headers)
        if TRANSFER in names and LENGTH in names:
            raise Malformed("both Content-Length and Transfer-Encoding (RFC 9112 6.1)", 400)
        if twice := [name.decode() for name in ONCE if names[name] > 1]:
            raise Malformed(f"more than one {twice[0]}", 400)
        return event

    def body(self) -> Iterator[bytes]:
        """The request's body, as it comes.

        Raises:
            Closed: it took too long, or the connection broke.
            Malformed: it is not framed as it should be.
        """
        self._renew()
        while True:
            match self._event():
                case h11.Data(data=data):
                    self._count(len(data))
                    yield bytes(data)
                case h11.EndOfMessage():
                    return
                case _:
                    raise Closed("lost")

    def answer(self, status: int, headers: Headers, body: bytes) -> bool:
        """Send a response.

        Returns:
            Whether the connection stays open for the next request.

        Raises:
            Closed: it cannot be sent.
        """
        listed = [("Date", formatdate(usegmt=True)), *headers, ("Content-Length", str(len(body)))]
        is_whole = self._protocol.their_state is h11.DONE
        if not is_whole:
            listed.append(("Connection", "close"))
        start = self._protocol.send(
            h11.Response(
                status_code=status, headers=listed, reason=HTTPStatus(status).phrase.encode()
            )
        )
        shown = b"" if self._is_head else body  # RFC 9110 9.3.2
        rest = self._protocol.send(h11.Data(data=shown)), self._protocol.send(h11.EndOfMessage())
        self._send(b"".join(part or b"" for part in (start, *rest)))
        if not is_whole:
            self._linger()
        stays = self._protocol.our_state is self._protocol.their_state is h11.DONE
        if stays:
            self._protocol.start_next_cycle()
        return stays

    def close(self) -> None:
        """Close the socket."""
        with contextlib.suppress(OSError):
            self.socket.close()

    def interrupt(self) -> None:
        """End what the thread of the connection waits for; called by another thread."""
        with contextlib.suppress(OSError):  # it has just been closed
            self.socket.shutdown(socket.SHUT_RDWR)

    def _event(self) -> object:
        """What comes next of the client."""
        try:
            while (event := self._protocol.next_event()) is h11.NEED_DATA:
                if self._protocol.they_are_waiting_for_100_continue:
                    more = h11.InformationalResponse(status_code=100, headers=[])
                    self._send(self._protocol.send(more) or b"")
                self._protocol.receive_data(self._receive())
        except h11.RemoteProtocolError as error:
            if self._is_cut:
                raise Closed("closed") from error
            raise Malformed(str(error), error.error_status_hint) from error
        return event

    @property
    def is_silent(self) -> bool:
        """Whether nothing of a next request has come."""
        return self._protocol.their_state is h11.IDLE and not self._protocol.trailing_data[0]

    @property
    def _is_cut(self) -> bool:
        """Whether the client closed the connection in the middle of a message."""
        return self._protocol.trailing_data[1]

    def _renew(self) -> None:
        self._left_s, self._due_bytes = self._timeout_s, self._portion

    def _count(self, size: int) -> None:
        """Give the client its time again for each portion that came."""
        self._due_bytes -= size
        if self._due_bytes <= 0:
            self._renew()

    def _receive(self) -> bytes:
        """What the client sent; b"" where it sends no more."""
        now = time.monotonic()
        if now >= self._end:
            raise Closed("expired")
        if self._left_s <= 0:
            raise Closed("timeout")
        self.socket.settimeout(min(self._left_s, self._end - now))
        try:
            return self.socket.recv(BUFFER)
        except TimeoutError as error:
            raise Closed("timeout" if time.monotonic() < self._end else "expired") from error
        except OSError as error:
            raise Closed("lost") from error
        finally:
            self._left_s -= time.monotonic() - now

    def _send(self, data: bytes) -> None:
        self.socket.settimeout(self._timeout_s)
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed("timeout" if isinstance(error, TimeoutError) else "lost") from error

    def _linger(self) -> None:
        """Read on for a while, so that the client gets to reading the answer."""
        end, left = time.monotonic() + min(LINGER_S, self._timeout_s), LINGER_BYTES
        with contextlib.suppress(OSError):
            if not isinstance(self.socket, ssl.SSLSocket):
                self.socket.shutdown(socket.SHUT_WR)
            while left > 0 and (rest := end - time.monotonic()) > 0:
                self.socket.settimeout(rest)
                if not (data := self.socket.recv(BUFFER)):
                    return
                left -= len(data)
