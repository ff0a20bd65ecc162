"""Slow peers get the time that they need, and hold nobody else up."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless
from pynetdicom import AE, evt

from msnode.deliver import c_store
from msnode.deliver.c_store import Item, decoded, send
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


def test_what_ends_while_an_object_is_decoded_is_tried_again(
    save_dicom: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_dicom("2.25.3")
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)
    scp = AE("PACS")
    scp.add_supported_context(dataset.SOPClassUID, [ExplicitVRLittleEndian])
    ended = threading.Event()

    def end(event: evt.Event) -> None:
        def abort() -> None:
            event.assoc.abort()
            ended.set()

        threading.Timer(0.1, abort).start()

    server = scp.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_ACCEPTED, end)])

    def slowly(item: Item) -> Dataset:
        assert ended.wait(10)
        time.sleep(0.2)
        return decoded(item)

    monkeypatch.setattr(c_store, "decoded", slowly)
    assert server is not None
    assert server.socket is not None
    port = server.socket.getsockname()[1]
    (receipt,) = send([path], parse_peer(f"PACS@127.0.0.1:{port}"), "MSNODE")
    server.shutdown()
    assert not receipt.delivered
    assert receipt.retry, receipt.detail
