"""HTTP requests (RFC 9110) of the node: straight to the host, within a time, answers limited."""

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from importlib.metadata import version
from threading import Timer
from urllib.parse import SplitResult, urlsplit

from msnode.config import HttpServer
from msnode.errors import TryLater
from msnode.requestor import credentials
from msnode.requestor.http_answer import Answer
from msnode.tls import client_context, trusting

AGENT = f"msnode/{version('msnode')}"

SLOWEST = 10_000
"""Bytes a second that a server must take; a large request has this much time more."""

STALL_S = 120.0
"""So long a server may say nothing where all of it may take longer, as a busy archive does."""

LONGEST_TOKEN = 64 * 1024
"""Bytes of what a token endpoint answers."""

MOST = 16 * 1024**2
"""Bytes of an answer that is read as a whole."""

Body = bytes | Callable[[], Iterable[bytes]]
"""What is sent; by a function where it is large, which may be asked again for all of it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a server.

    Attributes:
        url: below the server's address, or the address itself.
        length: of a body by function, bytes.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = b""
    length: int = 0

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body) if isinstance(self.body, bytes) else self.length

    @property
    def whole(self) -> dict[str, str]:
        """Its headers with those of every request."""
        sized = {"Content-Length": str(self.size)} if self.method != "GET" else {}
        return {"User-Agent": AGENT, **sized, **self.headers}


def ask(server: HttpServer, request: Request, *, most: int = MOST) -> Answer:
    """Make a request; proves who we are as the server's settings say.

    Args:
        server: its settings.
        request: what is asked.
        most: bytes of the answer that are taken.

    Raises:
        TryLater: it cannot be reached, does not answer in time or as HTTP, or says too much.
        ConfigError: its TLS files or key cannot be used.
    """
    with answering(server, request) as response:
        return _whole(response, most)


def _whole(response: HTTPResponse, most: int) -> Answer:
    """An answer with all of its body.

    Raises:
        TryLater: it broke off, or is too long.
    """
    try:
        body = response.read(most + 1)
    except (OSError, HTTPException) as error:
        raise TryLater(f"no whole answer: {_why(error)}") from error
    if len(body) > most:
        raise TryLater(f"the answer is longer than {most} bytes")
    if response.length:  # http.client says nothing of what did not come
        raise TryLater("no whole answer: it ends before its Content-Length")
    return Answer(response.status, response.headers.get_content_type(), body)


@contextmanager
def answering(
    server: HttpServer, request: Request, *, longest_s: float | None = None
) -> Iterator[HTTPResponse]:
    """The answer to a request for the time of a ``with`` block, its body still to be read.

    A token that the server does not take (any more) is asked for anew, once.

    Args:
        server: its settings.
        request: what is asked.
        longest_s: for all of it; None: ``timeout_s`` and what the body's size means.

    Raises:
        TryLater, ConfigError: as `ask`, but for the body.
    """
    seconds = longest_s or server.timeout_s + request.size / SLOWEST
    token = credentials.header(server, _token_answer)
    with _answered(server, request, token, seconds) as response:
        if response.status != HTTPStatus.UNAUTHORIZED or not credentials.forget(server, token):
            yield response
            return
    token = credentials.header(server, _token_answer)
    with _answered(server, request, token, seconds) as response:
        yield response


@contextmanager
def _answered(
    server: HttpServer, request: Request, token: Mapping[str, str], seconds: float
) -> Iterator[HTTPResponse]:
    """One attempt at a request."""
    try:
        link = _open(server, request.url)
    except OSError as error:
        raise TryLater(f"no answer: {_why(error)}") from error
    with link, _deadline(link, seconds):
        link.connection.sock.settimeout(min(seconds, max(server.timeout_s, STALL_S)))
        with _sent(link, request, {**request.whole, **token}) as response:
            yield response


def _sent(link: "_Link", request: Request, headers: Mapping[str, str]) -> HTTPResponse:
    """The head of the answer; some servers refuse a body before they have read it."""
    body = request.body if isinstance(request.body, bytes) else request.body()
    broken: OSError | None = None
    try:
        link.connection.request(request.method, link.target, body, headers)
    except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError) as error:
        broken = error
    except (OSError, HTTPException) as error:
        raise TryLater(f"no answer: {_why(error)}") from error
    try:
        return link.connection.getresponse()
    except (OSError, HTTPException) as error:
        raise TryLater(f"no answer: {_why(broken or error)}") from error


def _token_answer(server: HttpServer, url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """What a token endpoint answers."""
    request = Request("POST", url, headers, body)
    with _answered(server, request, {}, server.timeout_s) as response:
        return _whole(response, LONGEST_TOKEN)


def reach(server: HttpServer, name: str) -> None:
    """Connect to a server, with TLS where it has it, and send nothing.

    Raises:
        TryLater: it cannot be reached, or does not prove its name.
        ConfigError: its TLS files cannot be used.
    """
    try:
        _open(server, server.address).connection.close()
    except OSError as error:
        raise TryLater(f"{name} cannot be reached: {error}") from error


@dataclass(frozen=True, slots=True)
class _Link:
    """An open connection, and what of the URL goes over it (RFC 9112 3.2.1)."""

    connection: HTTPConnection
    target: str

    def __enter__(self) -> None:
        """Nothing is left to be done."""

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def _open(server: HttpServer, url: str) -> _Link:
    """Connect to the host itself: proxies of the environment are not used."""
    parts = urlsplit(url)
    connection = _connection(server, parts)
    connection.connect()
    return _Link(connection, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _connection(server: HttpServer, parts: SplitResult) -> HTTPConnection:
    host, timeout = parts.hostname or "", server.timeout_s
    if parts.scheme == "http":
        return HTTPConnection(host, parts.port, timeout=timeout)
    return HTTPSConnection(host, parts.port, timeout=timeout, context=context(server))


@contextmanager
def _deadline(link: _Link, seconds: float) -> Iterator[None]:
    """Cut the connection after a time, however slowly the other side talks."""
    watch = Timer(seconds, _cut, (link.connection.sock,))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _cut(connected: socket.socket) -> None:
    """End a connection under whoever waits for it."""
    with suppress(OSError):  # it has just been closed
        connected.shutdown(socket.SHUT_RDWR)


def _why(error: Exception) -> str:
    """What is no HTTP may quote anything."""
    return str(error) if isinstance(error, OSError) else type(error).__name__


def context(server: HttpServer) -> ssl.SSLContext:
    """TLS 1.2 or newer, the server's certificate and name verified.

    Raises:
        ConfigError: a file is missing, unreadable or no PEM of its kind.
    """
    if server.tls is not None:
        return client_context(server.tls)
    return trusting(server.ca)
