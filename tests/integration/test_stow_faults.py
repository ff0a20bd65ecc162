"""STOW-RS in: clients that break off, are slow or too many; a disk that fails."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from msnode.store.database import SenderState, senders
from tests.faults import FULL, Faults, every_point, installed
from tests.integration.listening import Receiver, send, statuses, write
from tests.integration.stowing import BOUNDARY, OPEN, Start, multipart, part10, port_of, post, store
from tests.unit.receive.datasets import mr


def test_a_request_that_breaks_off_proves_no_study_complete(start_stow: Start) -> None:
    receiver = start_stow()
    body = multipart([part10(mr()), part10(mr())])
    head = (
        "POST /studies HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/related; "
        f'type="application/dicom"; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", port_of(receiver))) as client:
        client.sendall(head.encode() + body[: len(body) * 3 // 4])
        time.sleep(0.3)
    _until(lambda: _states(receiver) == [SenderState.BROKEN])
    assert not list((receiver.folder / "incoming").glob("*/*.part"))
    assert store(port_of(receiver), [mr()]).status == 200
    _until(lambda: _states(receiver) == [])


def _states(receiver: Receiver) -> list[SenderState]:
    receiver.inbox.flush()
    with receiver.engine.connect() as connection:
        return [SenderState(state) for state in connection.scalars(sa.select(senders.c.state))]


def _until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_who_is_slow_is_cut_and_holds_nobody_up(start_stow: Start, tmp_path: Path) -> None:
    receiver = start_stow(network_timeout_s=2.0)
    port, began = port_of(receiver), time.monotonic()
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    stop = threading.Event()

    def drip() -> None:
        for byte in b"POST /studies HTTP/1.1\r\nHost: " + b"x" * 1000:
            for client in slow:
                with suppress(OSError):  # it was cut
                    client.send(bytes([byte]))
            if stop.wait(0.1):
                return

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        sent = time.monotonic()
        paths = [write(tmp_path / f"{i}.dcm", mr()) for i in range(5)]
        assert statuses(send(receiver, *paths)) == ["Success"] * 5
        assert time.monotonic() - sent < 2.0
        _until(lambda: not receiver.web._open_sessions(), 10)  # type: ignore[union-attr]
        assert time.monotonic() - began < 10
    finally:
        stop.set()
        dripping.join()
        for client in slow:
            client.close()


def test_too_many_requests_at_once_are_told_to_come_again(start_stow: Start) -> None:
    receiver = start_stow(max_associations=2)
    port, body = port_of(receiver), multipart([part10(mr())])
    sent, done = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield body[:100]
        sent.set()
        done.wait(10)
        yield body[100:]

    first = threading.Thread(target=post, args=(port, slowly()))
    first.start()
    sent.wait(5)
    time.sleep(0.3)
    answer = store(port, [mr()])  # one address gets half
    done.set()
    first.join()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert store(port, [mr()]).status == 200


def test_a_disk_that_fails_anywhere_acknowledges_nothing_that_is_not_kept(tmp_path: Path) -> None:
    folder = tmp_path / "faulty"
    folder.mkdir()
    faults = Faults(folder, FULL)
    receiver = Receiver(f"sqlite:///{folder / 'msnode.sqlite'}", folder, replace(OPEN, port=0))
    answers = set()

    def scenario(point: int) -> None:
        image = mr(StudyInstanceUID=f"1.2.{point}", SOPInstanceUID=f"1.2.{point}.1")
        answer = store(port_of(receiver), [image])
        faults.clear()
        answers.add(answer.status)
        is_kept = image.SOPInstanceUID in {row[0] for row in receiver.rows()}
        assert answer.status != 200 or is_kept, f"lost at {faults.fired}"
        assert store(port_of(receiver), [image]).status == 200, f"refused after {faults.fired}"

    try:
        with installed(faults):
            every_point(faults, scenario, lasts=False)
    finally:
        receiver.close()
    assert answers >= {200, 503}
