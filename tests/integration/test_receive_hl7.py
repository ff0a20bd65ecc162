"""HL7 v2 in over MLLP: a foreign client, callers, and peers that are slow, half-open or hostile."""

import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import hl7.client
import pytest
import sqlalchemy as sa
import trustme

from msnode import config, metrics
from msnode.hl7v2.mllp import block
from msnode.receive import MllpListener
from msnode.store.database import open_database
from msnode.store.hl7_tables import hl7_messages
from msnode.store.schema import migrate
from tests.hl7_messages import EDSS, OBR, PID, code, exchange, message, msh
from tests.integration.hl7_host import listener
from tests.integration.test_deliver_tls import issue

Listen = Callable[..., MllpListener]


@pytest.fixture
def listen(database: sa.Engine) -> Iterator[Listen]:
    with ExitStack() as stack:

        def start(hl7: config.Hl7 | None = None, **limits: float) -> MllpListener:
            started = listener(database, hl7, **limits)
            stack.callback(started.stop, 2)
            return started

        yield start


def result(number: int = 1) -> bytes:
    return message(msh(control=f"C{number}"), PID, OBR.replace("F1", f"F{number}"), EDSS)


def kept(database: sa.Engine) -> int:
    with database.connect() as connection:
        query = sa.select(sa.func.count()).select_from(hl7_messages)
        return connection.scalar(query) or 0


def broken(reason: str) -> float:
    return float(metrics.HL7_BROKEN.labels(reason)._value.get())


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_foreign_client_sends_message_after_message(database: sa.Engine, listen: Listen) -> None:
    with hl7.client.MLLPClient("127.0.0.1", listen().port, encoding="utf-8") as client:
        for number in range(1, 4):
            answer = client.send_message(result(number))
            assert code(answer.strip(b"\x0b\x1c\r")) == "AA"
    assert kept(database) == 3


def test_many_at_once_are_each_answered_once(database: sa.Engine, listen: Listen) -> None:
    port = listen().port
    answers: list[str] = []

    def send(start: int) -> None:
        answers.extend(map(code, exchange(port, *(result(start + n) for n in range(5)))))

    threads = [threading.Thread(target=send, args=(100 * n // 200 * 100,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["AA"] * 40  # some sent the same ones at the same moment
    assert kept(database) == 20


def test_a_half_message_changes_nothing_and_is_counted(database: sa.Engine, listen: Listen) -> None:
    port, before = listen().port, broken("half")
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(block(result())[:100])
    until(lambda: broken("half") == before + 1)
    assert kept(database) == 0


@pytest.mark.parametrize("inside", [b"\x1c", b"\x0b"])
def test_a_broken_block_has_no_answer_and_nothing_of_it_is_used(
    database: sa.Engine, listen: Listen, inside: bytes
) -> None:
    port, before = listen().port, broken("framing")
    torn = result() + b"NTE|1||a" + inside + b"b\r"
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        client.sendall(block(torn) + block(result()))
        assert client.recv(4096) == b""
    assert broken("framing") == before + 1
    assert kept(database) == 0
    assert [code(one) for one in exchange(port, result())] == ["AA"]


def test_who_is_slow_is_cut_and_holds_nobody_up(listen: Listen) -> None:
    port = listen(network_timeout_s=1.0).port
    before = broken("timeout")
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
    stop = threading.Event()

    def drip() -> None:
        for byte in block(result()):
            for client in slow:
                with suppress(OSError):  # it was cut
                    client.send(bytes([byte]))
            if stop.wait(0.05):
                return

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        began = time.monotonic()
        assert [code(one) for one in exchange(port, result())] == ["AA"]
        assert time.monotonic() - began < 1.0
        until(lambda: broken("timeout") == before + 60)
    finally:
        stop.set()
        dripping.join()
        for client in slow:
            client.close()


def test_a_connection_may_be_silent_between_messages(listen: Listen) -> None:
    port = listen(network_timeout_s=0.3).port
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        for number in (1, 2):
            client.sendall(block(result(number)))
            assert b"MSA|AA" in client.recv(4096)
            time.sleep(0.6)


def test_a_silent_connection_ends_in_the_end(listen: Listen) -> None:
    port = listen(max_association_s=0.3).port
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01",
        b"MSH|^~\\&|",
        block(b""),
        block(b"PID|1||4711\r"),
    ],
)
def test_what_is_no_mllp_is_cut_and_counted(listen: Listen, data: bytes) -> None:
    before = broken("framing")
    with closing(socket.create_connection(("127.0.0.1", listen().port), timeout=5)) as client:
        client.sendall(data)
        assert client.recv(1) == b""
    assert broken("framing") == before + 1


def test_bytes_changed_anywhere_end_no_service(database: sa.Engine, listen: Listen) -> None:
    port, chance = listen(network_timeout_s=0.5).port, random.Random(7)
    for number in range(40):
        stream = bytearray(block(result(number)))
        for _ in range(chance.randrange(1, 5)):
            stream[chance.randrange(len(stream))] = chance.randrange(256)
        with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
            client.sendall(stream)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
    before = kept(database)
    assert [code(one) for one in exchange(port, result(99))] == ["AA"]
    assert kept(database) == before + 1


def test_only_callers_that_fit_are_heard(database: sa.Engine, listen: Listen) -> None:
    callers = (
        config.Hl7Caller("far", address="10.0.0.0/8"),
        config.Hl7Caller("near", address="127.0.0.1", application="EHR", facility="CLINIC"),
    )
    port = listen(config.Hl7(port=0, callers=callers)).port
    assert [code(one) for one in exchange(port, result())] == ["AA"]
    with pytest.raises((AssertionError, OSError)):
        exchange(port, message(msh(sender="LAB|CLINIC"), PID, OBR, EDSS))
    with database.connect() as connection:
        assert connection.scalars(sa.select(hl7_messages.c.caller)).all() == ["near"]
    far = listen(config.Hl7(port=0, callers=callers[:1])).port
    with pytest.raises((AssertionError, OSError)):
        exchange(far, result())


def test_callers_are_known_by_their_certificate(listen: Listen, tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = issue(authority, tmp_path / "node", "localhost")
    callers = (config.Hl7Caller("his", subject="his.example.org"),)
    port = listen(config.Hl7(port=0, tls=tls, callers=callers)).port

    def send(name: str) -> str:
        context = ssl.create_default_context(cafile=tls.ca)
        theirs = issue(authority, tmp_path / name, name)
        context.load_cert_chain(theirs.certificate, theirs.key)
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(block(result()))
            return client.recv(4096).decode()

    assert "MSA|AA|C1" in send("his.example.org")
    assert send("other.example.org") == ""


def test_a_stop_answers_what_is_under_way(database_url: str) -> None:
    database = open_database(database_url)
    migrate(database)
    started = listener(database)
    with closing(socket.create_connection(("127.0.0.1", started.port), timeout=5)) as client:
        client.sendall(block(result()))
        assert b"MSA|AA" in client.recv(4096)
        began = time.monotonic()
        started.stop(5)
        assert time.monotonic() - began < 2
        assert client.recv(1) == b""
    assert kept(database) == 1
    database.dispose()


def test_without_the_database_there_is_no_answer_and_it_comes_again(
    tmp_path: Path,
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'gone' / 'msnode.sqlite'}")
    started = listener(database)  # without tables: as good as none
    with pytest.raises((AssertionError, OSError)):
        exchange(started.port, result())
    migrate(database)
    assert [code(one) for one in exchange(started.port, result())] == ["AA"]
    started.stop(1)
    database.dispose()
