"""Slow peers get the time that they need, and hold nobody else up."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from msnode.deliver.c_store import send
from msnode.requestor import peer
from msnode.requestor.peer import parse_peer
from tests.acceptance import peers

RATE = 100_000
"""Bytes a second."""

HOST = Path(__file__).with_name("slow_host.py")


@contextmanager
def slow_way(port: int) -> Iterator[int]:
    """A way to a local peer on which requests move at RATE; yields its port."""

    def pump(source: socket.socket, sink: socket.socket, pause: float) -> None:
        with suppress(OSError), source:
            while data := source.recv(10_000):
                sink.sendall(data)
                time.sleep(len(data) * pause)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))
            back = threading.Thread(target=pump, args=(far, near, 0.0))
            back.start()
            pump(near, far, 1 / RATE)
            with suppress(OSError):
                far.shutdown(socket.SHUT_RDWR)
            back.join()

        server = threading.Thread(target=serve)
        server.start()
        yield listener.getsockname()[1]
        server.join()


@pytest.mark.parametrize(("slowest", "arrives"), [(1e9, False), (RATE / 2, True)])
def test_an_object_has_the_time_that_its_size_asks_for(
    save_dicom: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    slowest: float,
    arrives: bool,
) -> None:
    monkeypatch.setattr(peer, "DIMSE_S", 1.0)
    monkeypatch.setattr(peer, "SLOWEST", slowest)
    large = save_dicom("2.25.2", Rows=512, Columns=512, PixelData=bytes(512 * 512))
    with peers.storescp(tmp_path) as scp, slow_way(scp.port) as port:
        start = time.monotonic()
        (receipt,) = send([large], parse_peer(f"STORESCP@127.0.0.1:{port}"), "MSNODE")
        seconds = time.monotonic() - start
    assert (receipt.delivered, receipt.retry) == (arrives, not arrives)
    assert 1 < seconds < 10


def test_a_destination_that_never_answers_holds_no_other_up(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(HOST), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
