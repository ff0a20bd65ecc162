"""Many associations of one sender that begin together: each is open before any sends an image.

So many dcmsends take longer to start than to send. This is one process, with a thread for each.
"""

import socket
import struct
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier

from pydicom.filereader import read_file_meta_info

from bench import hostile
from msnode.receive.dicom.upper_layer import ASSOCIATE_AC, P_DATA, RELEASE_RQ
from msnode.receive.inbox.part10 import read_meta

PDU = 1 << 17  # bytes; what the receiver takes by default
CONTEXT = 3  # of MR images, in `hostile.request`
STATUS = struct.pack("<HHI", 0, 0x0900, 2)  # before its value in a response (PS3.7 9.3.1.2)
TIMEOUT_S = 120.0


def send(images: Path, port: int, associations: int) -> float:
    """Send all images, the folders spread over the associations; returns seconds.

    Raises:
        SystemExit: an image was not acknowledged.
    """
    folders = sorted(images.iterdir())
    shares = [
        [path for folder in folders[i::associations] for path in sorted(folder.iterdir())]
        for i in range(associations)
    ]
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_send, shares, port).result()


def _send(shares: Sequence[Sequence[Path]], port: int) -> float:
    began: list[float] = []
    barrier = Barrier(len(shares), lambda: began.append(time.perf_counter()))
    with ThreadPoolExecutor(len(shares)) as pool:
        sent = sum(pool.map(partial(_associate, port, barrier), shares))
    if sent != sum(map(len, shares)):
        raise SystemExit(f"{sent} of {sum(map(len, shares))} images were acknowledged")
    return time.perf_counter() - began[0]


def _associate(port: int, barrier: Barrier, paths: Sequence[Path]) -> int:
    """Open an association, wait for all others, send; returns how many were acknowledged."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(hostile.request("BENCH"))
        if _read_pdu(peer)[0] != ASSOCIATE_AC:
            barrier.abort()
            raise SystemExit("an association was rejected")
        barrier.wait(TIMEOUT_S)
        acknowledged = sum(_store(peer, path) for path in paths)
        peer.sendall(struct.pack(">BxI4x", RELEASE_RQ, 4))
        _read_pdu(peer)
        return acknowledged


def _store(peer: socket.socket, path: Path) -> bool:
    """Send an image; whether it was answered with success."""
    meta, (_, _, start) = read_file_meta_info(path), read_meta(path)
    words = (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID)
    sop_class, instance = (uid.encode() + b"\0" * (len(uid) % 2) for uid in words)
    command = {0x0002: sop_class, 0x0100: b"\1\0", 0x0110: b"\1\0", 0x0700: b"\0\0",
               0x0800: b"\0\0", 0x1000: instance}  # fmt: skip
    peer.sendall(hostile.command(CONTEXT, command))
    with path.open("rb") as file:
        left = path.stat().st_size - start
        file.seek(start)
        while left:
            part = file.read(min(left, PDU - 6))
            left -= len(part)
            length, last = len(part), 0 if left else 2
            head = struct.pack(">BxIIBB", P_DATA, length + 6, length + 2, CONTEXT, last)
            peer.sendall(head + part)
    body = _read_pdu(peer)[1]
    return body.partition(STATUS)[2][:2] == b"\0\0"


def _read_pdu(peer: socket.socket) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BxI", _read(peer, 6))
    return kind, _read(peer, length)


def _read(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = peer.recv(size - len(data))
        if not more:
            raise SystemExit("the receiver ended an association")
        data += more
    return data
