"""How long a study takes while a hundred hostile peers do their worst, beside its usual time.

The receiver, the attackers and the sender of the study (dcmtk's storescu) are processes of their
own on this machine. The attackers come from other loopback addresses than the sender, and run at
the lowest priority, as they would be on machines of their own. Some may call, and abuse that; the
others may not. Quiet and hostile runs take turns; medians count.

    python bench/hostile.py [--images 100] [--repeats 5]
"""

import argparse
import contextlib
import os
import random
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import numpy as np
import trustme
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)

from msnode import config
from msnode.receive import Inbox, Listener
from msnode.receive.dicom.upper_layer import P_DATA
from msnode.store import database, schema

ATTACKERS = 100
ALLOWED = "EVIL"  # AE title of the attackers that may call
SEED = 4
HEAD_START_S = 2.0  # for the attackers, once all have begun


def request(calling: str) -> bytes:
    """An A-ASSOCIATE-RQ for verification and MR images."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = calling, "MSNODE"
    contexts = [build_context("1.2.840.10008.1.1"), build_context(MRImageStorage)]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = contexts
    length = MaximumLengthNotification()
    length.maximum_length_received = 16384
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = "1.2.3"
    primitive.user_information = [length, implementation]
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def command(context: int, elements: dict[int, bytes]) -> bytes:
    """A command set as a P-DATA-TF PDU."""
    encoded = b"".join(
        struct.pack("<HHI", 0, number, len(value)) + value for number, value in elements.items()
    )
    return struct.pack(">BxIIBB", P_DATA, len(encoded) + 6, len(encoded) + 2, context, 3) + encoded


ECHO = command(1, {0x0002: b"1.2.840.10008.1.1\0", 0x0100: b"\x30\0", 0x0110: b"\1\0",
                   0x0800: b"\1\1"})  # fmt: skip
STORE = command(3, {0x0002: MRImageStorage.encode() + b"\0", 0x0100: b"\1\0", 0x0110: b"\1\0",
                    0x0800: b"\0\0", 0x1000: b"1.2.3.4\0"})  # fmt: skip


def drain(peer: socket.socket) -> None:
    """Read until the node closes."""
    while peer.recv(1 << 16):
        pass


def half_open(peer: socket.socket) -> None:
    """Half a request, then silence."""
    peer.sendall(request(ALLOWED)[:50])
    drain(peer)


def slow(peer: socket.socket) -> None:
    """An association in which an image comes byte by byte."""
    peer.sendall(request(ALLOWED) + STORE)
    for byte in struct.pack(">BxIIBB", P_DATA, 100_006, 100_002, 3, 0) + bytes(100_000):
        time.sleep(0.2)
        peer.sendall(bytes([byte]))


def garbage(peer: socket.socket) -> None:
    """Bytes without sense, before an association or within."""
    if random.random() < 0.5:
        peer.sendall(request(ALLOWED))
    peer.sendall(random.randbytes(5000))
    drain(peer)


def huge(peer: socket.socket) -> None:
    """Lengths of four gigabytes, in a PDU or in a command set."""
    peer.sendall(request(ALLOWED))
    if random.random() < 0.5:
        peer.sendall(struct.pack(">BxI", P_DATA, 0xFFFFFFFF))
    else:
        peer.sendall(struct.pack(">BxIIBBHHI", P_DATA, 14, 10, 1, 3, 0, 2, 0xFFFFFFFF))
    drain(peer)


def hello(peer: socket.socket) -> None:
    """A TLS handshake that is never finished."""
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    peer.sendall(outgoing.read()[:100])
    drain(peer)


def stranger(peer: socket.socket) -> None:
    """One that may not call, again and again."""
    peer.sendall(request("STRANGER"))
    drain(peer)


def flood(peer: socket.socket) -> None:
    """One that may call, with requests as fast as they are taken."""
    peer.sendall(request(ALLOWED))
    threading.Thread(target=_quietly, args=(drain, peer), daemon=True).start()
    while True:
        peer.sendall(ECHO * 50)


ATTACKS: tuple[Callable[[socket.socket], None], ...] = (
    half_open, slow, garbage, huge, hello, stranger, flood,
)  # fmt: skip


def _quietly(attack: Callable[[socket.socket], None], peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        attack(peer)


def attack(port: int, number: int, has_begun: threading.Semaphore) -> None:
    """One attacker: again and again, from the address that its kind has."""
    kind = number % len(ATTACKS)
    while True:
        with contextlib.suppress(OSError):
            source = (f"127.0.0.{2 + kind}", 0)
            with socket.create_connection(("127.0.0.1", port), 10, source) as peer:
                has_begun.release()
                peer.settimeout(10)
                _quietly(ATTACKS[kind], peer)
        time.sleep(0.01)


def be_hostile(port: int) -> NoReturn:
    """All attackers, in threads, until killed; says a word when all have begun."""
    os.nice(19)
    random.seed(SEED)
    has_begun = threading.Semaphore(0)
    for number in range(ATTACKERS):
        threading.Thread(target=attack, args=(port, number, has_begun), daemon=True).start()
    for _ in range(ATTACKERS):
        has_begun.acquire()
    print("begun", flush=True)
    while True:
        time.sleep(60)


def listen(folder: Path, tls: config.Tls | None) -> NoReturn:
    """The receiver: says its port, and goes on until it is killed."""
    engine = database.open_database(f"sqlite:///{folder / 'msnode.sqlite'}")
    schema.migrate(engine)
    inbox = Inbox(engine, folder)
    callers = config.Caller("STORESCU", "127.0.0.1"), config.Caller(ALLOWED)
    receive = config.Receive(
        address="127.0.0.1", port=0, callers=callers, tls=tls, min_free_bytes=0
    )
    listener = Listener(receive, inbox)
    listener.start()
    print(listener.port, flush=True)
    while True:
        time.sleep(60)


@contextmanager
def role(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """This script in another process and role, killed at the end."""
    process = subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def make_study(folder: Path, images: int) -> None:
    """MR images of 131 kB."""
    noise = np.random.default_rng(SEED)
    study, series = generate_uid(), generate_uid()
    for number in range(images):
        image = Dataset()
        image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
        image.PatientID, image.PatientName, image.Modality = "BENCH", "Bench", "MR"
        image.StudyInstanceUID, image.SeriesInstanceUID = study, series
        image.Rows = image.Columns = 256
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 0
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.PixelData = noise.integers(0, 4096, 65536, np.uint16).tobytes()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.save_as(folder / f"{number}.dcm", enforce_file_format=True)


def certificates(folder: Path) -> config.Tls:
    """A certificate of a new authority, which node and sender share."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    tls = config.Tls(folder / "crt.pem", folder / "key.pem", folder / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(str(tls.certificate))
    certificate.private_key_pem.write_to_path(str(tls.key))
    authority.cert_pem.write_to_path(str(tls.ca))
    return tls


def send(folder: Path, port: int, tls: config.Tls | None) -> float:
    """Send a new study of the given size; returns seconds.

    Raises:
        SystemExit: it did not get through.
    """
    secure = ["+tls", tls.key, tls.certificate, "+cf", tls.ca] if tls else []
    command = "storescu", "-v", "-nh", "-aec", "MSNODE", "+sd", *secure, "localhost", port, folder
    start = time.perf_counter()
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ | {"TCP_NODELAY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    number = len(list(folder.iterdir()))
    output = done.stdout + done.stderr
    if output.count("Store Response (Success)") != number:
        raise SystemExit(f"the study did not get through:\n{output}")
    return seconds


def compare(images: int, *, secure: bool) -> tuple[float, float]:
    """Seconds of a study sent in quiet, and of another among attackers, to one receiver.

    Args:
        images: of the study.
        secure: with TLS.
    """
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / f"study{number}" for number in range(3)]
        for folder in folders:
            folder.mkdir()
            make_study(folder, images)
        tls = certificates(Path(name)) if secure else None
        with role("--listen", name) as receiver:
            assert receiver.stdout is not None
            port = int(receiver.stdout.readline())
            send(folders[0], port, tls)  # warms up
            quiet = send(folders[1], port, tls)
            with role("--attack", port) as attackers:
                assert attackers.stdout is not None
                attackers.stdout.readline()
                time.sleep(HEAD_START_S)
                hostile = send(folders[2], port, tls)
    return quiet, hostile


def main() -> None:
    """Play one of the roles, or measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--listen", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--attack", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        be_hostile(options.attack)
    if options.listen:
        folder = options.listen
        tls = config.Tls(folder / "crt.pem", folder / "key.pem", folder / "ca.pem")
        listen(folder, tls if tls.key.exists() else None)
    for secure in (False, True):
        pairs = [compare(options.images, secure=secure) for _ in range(options.repeats)]
        for quiet, hostile in pairs:
            print(f"quiet {quiet:.2f} s, hostile {hostile:.2f} s, {hostile / quiet:.2f} times")
        median = statistics.median(hostile / quiet for quiet, hostile in pairs)
        print(f"{'TLS' if secure else 'plain'}: median {median:.2f} times")


if __name__ == "__main__":
    main()
