"""One message to an HL7 destination: what its acknowledgment makes of it, and peers that lie."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
import trustme

from msnode import config
from msnode.config import Hl7Destination
from msnode.deliver.mllp_sender import reach, send_messages
from msnode.errors import TryLater
from msnode.hl7v2.mllp import block
from msnode.records.receipt import Receipt
from tests.hl7_messages import message, msh
from tests.integration.hl7_host import listener
from tests.integration.test_deliver_tls import issue

Answer = Callable[[socket.socket], object]
Serve = Callable[[Answer], Hl7Destination]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "m.hl7"
    file.write_bytes(message(msh(control="ID7"), "PID|1||47"))
    return file


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A peer that reads something and then does what the test says."""
    server = socket.create_server(("127.0.0.1", 0))
    threads = []

    def start(answer: Answer) -> Hl7Destination:
        def run() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.recv(1 << 16)
                answer(connection)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return Hl7Destination("ris", "127.0.0.1", server.getsockname()[1], timeout_s=1.0)

    yield start
    for thread in threads:
        thread.join()
    server.close()


def acked(*segments: str) -> Answer:
    return lambda to: to.sendall(block(message(msh("ACK"), *segments)))


def one(path: Path, destination: Hl7Destination) -> Receipt:
    (receipt,) = send_messages([path], destination)
    assert receipt.sop_instance_uid == "ID7"
    return receipt


@pytest.mark.parametrize(
    ("segments", "delivered", "retry", "detail"),
    [
        (("MSA|AA|ID7",), True, False, ""),
        (("MSA|CA|ID7",), True, False, ""),
        (("MSA|AA|ID8",), False, True, "the acknowledgment is for another message (MSA-2)"),
        (("MSA|AE|ID7|DOE^JANE",), False, True, "AE"),
        (("MSA|AE|ID7", "ERR||PID^1^3|204^x"), False, False, "AE, 204 Unknown key identifier"),
        (("MSA|AR|ID7", "ERR|||207^x"), False, True, "AR, 207 Application internal error"),
        (("MSA|AR|ID7", "ERR|||200^x"), False, False, "AR, 200 Unsupported message type"),
        (("MSA|AR|ID7", "ERR|||999^DOE"), False, False, "AR, 999"),
    ],
)
def test_an_acknowledgment_means_what_it_says(
    path: Path, serve: Serve, segments: tuple[str, ...], delivered: bool, retry: bool, detail: str
) -> None:
    receipt = one(path, serve(acked(*segments)))
    assert (receipt.delivered, receipt.retry, receipt.detail) == (delivered, retry, detail)


def drip(to: socket.socket) -> None:
    """An answer that never ends."""
    for byte in block(b"M" * 100):
        to.sendall(bytes([byte]))
        time.sleep(0.1)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: None,
        lambda to: to.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda to: to.sendall(block(b"nonsense")),
        lambda to: to.sendall(b"\x0b" + b"x" * (1 << 17)),
        lambda _: time.sleep(1.5),
        drip,
        acked("MSA|ZZ|ID7"),
    ],
)
def test_without_an_acknowledgment_it_is_sent_again(
    path: Path, serve: Serve, answer: Answer
) -> None:
    began = time.monotonic()
    receipt = one(path, serve(answer))
    assert time.monotonic() - began < 1.6
    assert (receipt.delivered, receipt.retry) == (False, True)
    assert receipt.detail.startswith("no acknowledgment: ")


def test_who_is_not_there_is_tried_again(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = Hl7Destination("ris", "127.0.0.1", server.getsockname()[1])
    receipt = one(path, nobody)
    assert (receipt.delivered, receipt.retry) == (False, True)
    with pytest.raises(TryLater, match="ris cannot be reached"):
        reach(nobody)


def test_a_file_that_is_no_message_is_not_sent(tmp_path: Path) -> None:
    bad = tmp_path / "bad.hl7"
    bad.write_bytes(b"nothing")
    for file in (bad, tmp_path / "none.hl7"):
        (receipt,) = send_messages([file], Hl7Destination("ris", "127.0.0.1", 1))
        assert (receipt.delivered, receipt.retry) == (False, False)


def test_over_tls_both_sides_prove_themselves(
    path: Path, tmp_path: Path, database: sa.Engine
) -> None:
    authority = trustme.CA()
    tls = issue(authority, tmp_path / "node", "localhost")
    path.write_bytes(message(msh("ADT^A01", "ID7"), "PID|1||47"))
    callers = (config.Hl7Caller("us", subject="localhost"),)
    theirs = listener(database, config.Hl7(port=0, tls=tls, callers=callers))
    to = Hl7Destination("ris", "localhost", theirs.port, tls=tls, timeout_s=5.0)
    assert one(path, to).delivered
    stranger = issue(trustme.CA(), tmp_path / "stranger", "localhost")
    refused = one(path, replace(to, tls=stranger))
    assert (refused.delivered, refused.retry) == (False, True)
    theirs.stop(1)
