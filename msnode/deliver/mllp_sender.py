"""An HL7 v2 system as destination: one message, one acknowledgment, over MLLP (docs/hl7.md).

HL7 v2.5.1: acknowledgments 2.9, 2.14.1. What an acknowledgment says is told by its codes and our
own words, as the receiver's may name a patient.
"""

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer

from msnode.config import Hl7Destination
from msnode.errors import Refused, TryLater
from msnode.hl7v2.acknowledgment import (
    INTERNAL,
    LOCKED,
    MEANINGS,
    Acknowledged,
    read_acknowledgment,
)
from msnode.hl7v2.hl7_message import Unreadable
from msnode.hl7v2.message_header import header_of
from msnode.hl7v2.mllp import END, Blocks, NoBlock, block
from msnode.records.receipt import Receipt
from msnode.tls import client_context

LONGEST_ANSWER = 1 << 16
"""Bytes: an acknowledgment has some hundred."""
BUFFER = 1 << 14
PASSING = {LOCKED, INTERNAL}
"""Errors of table 0357 that another attempt may not meet."""


def read_control_id(path: Path) -> tuple[str, bytes]:
    """A message's ID, the same in every attempt, and the file's bytes.

    Raises:
        Refused: the file cannot be read, or is no message.
    """
    try:
        message = path.read_bytes()
        return header_of(message).text(10), message
    except (OSError, Unreadable) as error:
        raise Refused(f"is no message: {type(error).__name__}") from error


def send_messages(paths: Sequence[Path], destination: Hl7Destination) -> tuple[Receipt, ...]:
    """Send messages, each over a connection of its own.

    Returns:
        One receipt per path, in their order, with the message's ID as ``sop_instance_uid``.

    Raises:
        ConfigError: its TLS files cannot be used.
    """
    return tuple(_sent(path, destination) for path in paths)


def reach(destination: Hl7Destination) -> None:
    """Connect to a destination, with TLS where it has it, and send nothing.

    Raises:
        TryLater: it cannot be reached, or does not prove its name.
        ConfigError: its TLS files cannot be used.
    """
    try:
        with _connected(destination, time.monotonic() + destination.timeout_s):
            return
    except OSError as error:
        raise TryLater(f"{destination.name} cannot be reached: {error}") from error


def _sent(path: Path, destination: Hl7Destination) -> Receipt:
    """One message; whatever goes wrong on the way is worth another attempt."""
    try:
        identifier, message = read_control_id(path)
    except Refused as refusal:
        return Receipt(destination.name, "", None, False, 1, f"the file {refusal}")
    end = time.monotonic() + destination.timeout_s
    try:
        with _connected(destination, end) as connection:
            answer = _exchanged(connection, message, end)
            acknowledged = read_acknowledgment(answer)
    except (OSError, NoBlock, Unreadable) as error:
        # what is no acknowledgment may quote anything
        why = error if isinstance(error, OSError) else type(error).__name__
        return Receipt(
            destination.name, identifier, None, False, 1, f"no acknowledgment: {why}", retry=True
        )
    return _receipt(destination.name, identifier, acknowledged)


def _receipt(name: str, identifier: str, got: Acknowledged) -> Receipt:
    """A receipt by the codes.

    An acknowledgment of another message says nothing of this one. What is in error (AE) or rejected
    (AR) stays so, unless the receiver says that it was not able to just now.
    """
    if got.control_id != identifier:
        why = "the acknowledgment is for another message (MSA-2)"
        return Receipt(name, identifier, None, False, 1, why, retry=True)
    if got.code in ("AA", "CA"):
        return Receipt(name, identifier, 0, True, 1)
    error = int(got.error) if got.error else None
    meaning = f", {error} {MEANINGS.get(error, '')}".rstrip() if error is not None else ""
    return Receipt(
        name, identifier, error, False, 1, f"{got.code}{meaning}",
        retry=error is None or error in PASSING,
    )  # fmt: skip


def _exchanged(connection: socket.socket, message: bytes, end: float) -> bytes:
    """Send a message and wait for the answer.

    Raises:
        OSError: there is none in time.
        NoBlock: what comes is none.
    """
    connection.settimeout(_left(end))
    connection.sendall(block(message))
    blocks = Blocks(LONGEST_ANSWER, END)
    while (answer := blocks.next()) is None:
        connection.settimeout(_left(end))
        if not (data := connection.recv(BUFFER)):
            raise ConnectionError("the connection was closed before an acknowledgment")
        blocks.feed(data)
    return answer


def _left(end: float) -> float:
    """Seconds until a moment of the monotonic clock.

    Raises:
        TimeoutError: it has passed.
    """
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


@contextmanager
def _connected(destination: Hl7Destination, end: float) -> Iterator[socket.socket]:
    """A connection, with TLS where it is configured."""
    context: ssl.SSLContext | None = None
    if destination.tls is not None:
        context = client_context(destination.tls)
    place = destination.mllp, destination.port
    with socket.create_connection(place, timeout=_left(end)) as plain:
        if context is None:
            yield plain
            return
        plain.settimeout(_left(end))
        watch = Timer(_left(end), _cut, (plain,))  # a handshake may come byte by byte
        watch.start()
        try:
            with context.wrap_socket(plain, server_hostname=destination.mllp) as secured:
                watch.cancel()
                yield secured
        finally:
            watch.cancel()


def _cut(connected: socket.socket) -> None:
    """End a connection under whoever waits for it."""
    with suppress(OSError):  # it has just been closed
        connected.shutdown(socket.SHUT_RDWR)
