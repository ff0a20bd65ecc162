"""A webhook as destination: the result in short, POSTed as signed JSON (docs/webhook.md)."""

import hashlib
import hmac
import json
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib.metadata import version
from pathlib import Path
from threading import Timer
from urllib.parse import urlsplit

from msnode.config import Webhook
from msnode.errors import Refused, TryLater
from msnode.records.receipt import Receipt
from msnode.tls import client_context, trusting

AGENT = f"msnode/{version('msnode')}"

PASSING = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
"""Client errors (RFC 9110 15.5, RFC 8470, RFC 6585) that another attempt may not meet."""


def read(path: Path) -> tuple[str, bytes]:
    """A signal's identifier, the same in every attempt, and the file's bytes.

    Raises:
        Refused: the file cannot be read, or is no signal.
    """
    try:
        body = path.read_bytes()
        return str(json.loads(body)["id"]), body
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"is no signal: {type(error).__name__}") from error


def signature(body: bytes, secret: str, now: int) -> str:
    """The value of X-Msnode-Signature: unix time, and the HMAC-SHA256 (RFC 2104) of time and body.

    Args:
        body: as it is sent.
        secret: the key, shared with the receiver.
        now: unix time of the attempt in seconds; covered, so that a replay can be told.
    """
    digest = hmac.new(secret.encode(), b"%d." % now + body, hashlib.sha256)
    return f"t={now},v1={digest.hexdigest()}"


def post(paths: Sequence[Path], destination: Webhook) -> tuple[Receipt, ...]:
    """POST signals, once each.

    Only the answer's status counts: redirects are not followed and its body is not read.

    Returns:
        One receipt per path, in their order, with the signal's identifier as ``sop_instance_uid``.

    Raises:
        ConfigError: its TLS files cannot be used.
    """
    return tuple(_post(path, destination) for path in paths)


def reach(destination: Webhook) -> None:
    """Connect to a webhook, with TLS where it has it, and send nothing.

    Raises:
        TryLater: it cannot be reached, or does not prove its name.
        ConfigError: its TLS files cannot be used.
    """
    try:
        with _connected(destination):
            return
    except OSError as error:
        raise TryLater(f"{destination.name} cannot be reached: {error}") from error


def _post(path: Path, destination: Webhook) -> Receipt:
    """One signal; whatever goes wrong on the way is worth another attempt."""
    try:
        identifier, body = read(path)
    except Refused as refusal:
        return Receipt(destination.name, "", None, False, 1, f"the file {refusal}")
    try:
        with _connected(destination) as connection:
            headers = _headers(identifier, body, destination)
            connection.request("POST", _target(destination), body, headers)
            status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        # what is no HTTP may quote anything
        why = f"no answer: {error if isinstance(error, OSError) else type(error).__name__}"
        return Receipt(destination.name, identifier, None, False, 1, why, retry=True)
    return _answered(destination.name, identifier, status)


def _answered(name: str, identifier: str, status: int) -> Receipt:
    """A receipt by the status; its text is ours, as the receiver's may name a patient."""
    known = {code.value: code.phrase for code in HTTPStatus}
    detail = f"HTTP {status} {known.get(status, '')}".rstrip()
    if 300 <= status < 400:
        detail += ": redirects are not followed; configure the address where it ends"
    retry = status in PASSING or status >= 500 or 300 <= status < 400
    return Receipt(name, identifier, None, 200 <= status < 300, 1, detail, retry)


def _target(destination: Webhook) -> str:
    """Path and query of the request line (RFC 9112 3.2.1)."""
    parts = urlsplit(destination.url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _headers(identifier: str, body: bytes, destination: Webhook) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        "Idempotency-Key": identifier,
        "X-Msnode-Signature": signature(body, destination.secret, int(time.time())),
    }


@contextmanager
def _connected(destination: Webhook) -> Iterator[HTTPConnection]:
    """A connection that is cut after ``timeout_s``, however slowly the other side talks."""
    connection = _connection(destination)
    try:
        connection.connect()
        watch = Timer(destination.timeout_s, _cut, (connection.sock,))
        watch.start()
        try:
            yield connection
        finally:
            watch.cancel()
    finally:
        connection.close()


def _cut(connected: socket.socket) -> None:
    """End a connection under whoever waits for it."""
    with suppress(OSError):  # it has just been closed
        connected.shutdown(socket.SHUT_RDWR)


def _connection(destination: Webhook) -> HTTPConnection:
    """A connection to be made, to the host itself: proxies of the environment are not used."""
    parts = urlsplit(destination.url)
    host, timeout = parts.hostname or "", destination.timeout_s
    if parts.scheme == "http":
        return HTTPConnection(host, parts.port, timeout=timeout)
    return HTTPSConnection(host, parts.port, timeout=timeout, context=context(destination))


def context(destination: Webhook) -> ssl.SSLContext:
    """TLS 1.2 or newer, the receiver's certificate and name verified.

    Raises:
        ConfigError: a file is missing, unreadable or no PEM of its kind.
    """
    if destination.tls is not None:
        return client_context(destination.tls)
    return trusting(destination.ca)
