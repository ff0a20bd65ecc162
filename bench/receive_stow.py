"""Images per second by STOW-RS, beside C-STORE to the same node and beside Orthanc's STOW-RS.

The images of bench/receive.py, 50 in each request, over 1 and 4 connections, in turn and several
times over; the median counts. The client is Python's own http.client, the same for both servers;
C-STORE is sent by dcmtk's dcmsend.

    python -m bench.receive_stow [--images 1000] [--repeats 3]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

from bench.receive import (
    free_port,
    make_images,
    send,
    until_sigterm,
    wait_for,
)
from bench.servers import NAGLE_OFF, orthanc
from msnode import config
from msnode.audit import open_trail
from msnode.receive import Inbox, Listener, WebListener
from msnode.store import database, schema

A_REQUEST = 50
BOUNDARY = "bench-0123456789"
CONNECTIONS = (1, 4)
PLUGINS = "/usr/share/orthanc/plugins"


def listen(folder: Path, dicom: int, http: int) -> None:
    """Be msnode's receiver of both kinds until SIGTERM."""
    engine = database.open_database(f"sqlite:///{folder / 'msnode.sqlite'}")
    schema.migrate(engine)
    inbox = Inbox(engine, folder)
    web = config.Dicomweb(port=http)
    receive = config.Receive(address="127.0.0.1", port=dicom, min_free_bytes=0, dicomweb=web)
    trail = open_trail(config.Config(data=folder, receive=receive), "receive")
    by_dicom = Listener(receive, inbox, trail=trail)
    by_web = WebListener(receive, web, inbox, trail)
    by_dicom.start()
    by_web.start()
    until_sigterm()
    by_web.stop(1)
    by_dicom.stop(1)


def msnode(folder: Path, dicom: int, http: int) -> list[str]:
    """Ours."""
    return [sys.executable, "-m", "bench.receive_stow", "--listen", str(folder), f"{dicom},{http}"]


def orthanc_web(folder: Path, dicom: int, http: int) -> list[str]:
    """Orthanc with Debian's DICOMweb plugin."""
    command = orthanc(folder, dicom)
    file = Path(command[1])
    settings = json.loads(file.read_text())
    settings |= {
        "HttpServerEnabled": True, "HttpPort": http, "Plugins": [PLUGINS],
        "DicomWeb": {"Enable": True}, "HttpThreadsCount": 16,
    }  # fmt: skip
    file.write_text(json.dumps(settings))
    return command


def body(paths: Sequence[Path]) -> Iterator[bytes]:
    """A multipart message (RFC 2046), read as it is sent."""
    for path in paths:
        yield f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield path.read_bytes()
        yield b"\r\n"
    yield f"--{BOUNDARY}--\r\n".encode()


def post(place: str, http: int, paths: Sequence[Path]) -> None:
    """One connection: requests one after the other."""
    connection = HTTPConnection("127.0.0.1", http, timeout=120)
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    head = {"Content-Type": kind, "Accept": "application/dicom+json"}
    for first in range(0, len(paths), A_REQUEST):
        some = paths[first : first + A_REQUEST]
        length = str(sum(map(len, body(some))))
        connection.request("POST", place, body(some), {**head, "Content-Length": length})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"STOW-RS answered {answer.status}")
    connection.close()


def stow(place: str, images: Path, http: int, connections: int) -> float:
    """Store all images; returns seconds."""
    paths = sorted(images.glob("*/*.dcm"))
    shares = [paths[i::connections] for i in range(connections)]
    start = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(partial(post, place, http), shares))
    return time.perf_counter() - start


Server = Callable[[Path, int, int], list[str]]
WAYS: dict[str, tuple[Server, Callable[[Path, int, int, int], float]]] = {
    "msnode, STOW-RS": (msnode, lambda images, _, http, n: stow("/studies", images, http, n)),
    "Orthanc, STOW-RS": (
        orthanc_web,
        lambda images, _, http, n: stow("/dicom-web/studies", images, http, n),
    ),
    "msnode, C-STORE": (msnode, lambda images, dicom, _, n: send(images, dicom, n)),
}


def measure(name: str, images: Path, count: int, connections: int) -> float:
    """Images per second into a fresh server."""
    server_of, send_by = WAYS[name]
    dicom, http = free_port(), free_port()
    folder = tempfile.mkdtemp(dir=images.parent)  # it stays, see disk.rate
    command = server_of(Path(folder), dicom, http)
    server = subprocess.Popen(command, env=NAGLE_OFF, stderr=subprocess.DEVNULL)
    try:
        wait_for(dicom, server)
        os.sync()  # what others left unwritten is not this server's to wait for
        return count / send_by(images, dicom, http, connections)
    finally:
        server.terminate()
        server.wait(20)


def main() -> None:
    """Run every way with every number of connections, repeatedly and in turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to be measured")
    parser.add_argument("--listen", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.listen:
        dicom, http = map(int, arguments.listen[1].split(","))
        listen(Path(arguments.listen[0]), dicom, http)
        return
    rates: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        images = Path(folder) / "images"
        images.mkdir()
        make_images(images, arguments.images)
        for _ in range(arguments.repeats):
            for connections in CONNECTIONS:
                for name in WAYS:
                    rate = measure(name, images, arguments.images, connections)
                    rates.setdefault((name, connections), []).append(rate)
    print(f"{arguments.images} MR images of 131 kB, median of {arguments.repeats} (lowest-highest)")
    print(f"{'':20}{'connections':>12}{'images/s':>10}{'range':>14}{'to Orthanc':>12}")
    for (name, connections), values in rates.items():
        middle = statistics.median(values)
        ratio = middle / statistics.median(rates["Orthanc, STOW-RS", connections])
        spread = f"{min(values):.0f}-{max(values):.0f}"
        print(f"{name:20}{connections:>12}{middle:>10.0f}{spread:>14}{ratio:>12.2f}")


if __name__ == "__main__":
    main()
