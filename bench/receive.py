"""Images per second received, beside Orthanc, pynetdicom and storescp, on the machine at hand.

All get the same synthetic 256x256 MR images from dcmtk's dcmsend, over 1, 4 and 16 associations, in
turn and several times over; the median counts. msnode and Orthanc fsync what they acknowledge and
keep an index of it. The pynetdicom server is as small as can be: its own reactor, a file that is
fsynced and renamed, no index. storescp does neither and shows what the sender is able to do; with
fsync it is the same program, whose files a library that is loaded before it syncs as they are
closed. The floor is what the disk takes with all promises and nothing received (`bench/disk.py`).
CPU is what the server used, microseconds an image, by /proc. What was received is deleted at the
end of all: see `bench.disk.rate` for why, and wait some minutes before the next run.

    python -m bench.receive [--images 1000] [--repeats 5]
"""

import argparse
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE

from bench import disk, processes
from bench.servers import NAGLE_OFF, SERVERS
from msnode import config
from msnode.receive import Inbox, Listener
from msnode.receive.dicom.sop_classes import VERIFICATION
from msnode.store import database, schema
from msnode.store.files import replacing

ASSOCIATIONS = (1, 4, 16)
FLOOR = "the disk alone"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one server.

    Attributes:
        rate: images a second.
        cpu: microseconds an image; None where nobody is a server.
    """

    rate: float
    cpu: float | None


def make_images(
    folder: Path, count: int, folders: int = max(ASSOCIATIONS), study: str | None = None
) -> None:
    """Write MR images of 131 kB of one study, in folders of one series each."""
    random = np.random.default_rng(0)
    study = study or generate_uid()
    series = [generate_uid() for _ in range(folders)]
    for i in range(count):
        image = Dataset()
        image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
        image.PatientID, image.PatientName, image.Modality = "BENCH", "Bench", "MR"
        image.StudyInstanceUID, image.SeriesInstanceUID = study, series[i % len(series)]
        image.Rows = image.Columns = 256
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 0
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.PixelData = random.integers(0, 4096, 65536, np.uint16).tobytes()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / str(i % len(series)) / f"{i}.dcm"
        path.parent.mkdir(exist_ok=True)
        image.save_as(path, enforce_file_format=True)


def listen(
    folder: Path, port: int, most: int = 4 * max(ASSOCIATIONS), tls: config.Tls | None = None
) -> None:
    """Be msnode's receiver until SIGTERM; one address, as the sender is here, gets half of most."""
    engine = database.open_database(f"sqlite:///{folder / 'msnode.sqlite'}")
    schema.migrate(engine)
    inbox = Inbox(engine, folder)
    settings = config.Receive(
        address="127.0.0.1", port=port, min_free_bytes=0, max_associations=most, tls=tls
    )
    listener = Listener(settings, inbox)
    listener.start()
    until_sigterm()
    listener.stop(1)


def keep(folder: Path, event: evt.Event) -> int:
    """Write a dataset to a file that is durable under its name, then answer success."""
    assert isinstance(event.request, C_STORE)
    with replacing(folder / f"{event.request.AffectedSOPInstanceUID}.dcm") as file:
        file.write(event.encoded_dataset())
    return 0x0000


def react(folder: Path, port: int) -> None:
    """Be pynetdicom's receiver until SIGTERM, with PDUs as long as ours."""
    entity = AE("MSNODE")
    entity.maximum_pdu_size = config.Receive().max_pdu
    entity.maximum_associations = 4 * max(ASSOCIATIONS)
    entity.add_supported_context(VERIFICATION)
    entity.add_supported_context(MRImageStorage)
    handlers: list[evt.EventHandlerType] = [(evt.EVT_C_STORE, partial(keep, folder))]
    entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    until_sigterm()
    entity.shutdown()


def until_sigterm() -> None:
    """Wait for it."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, server: subprocess.Popen[bytes], options: Sequence[str] = ()) -> None:
    """Until it answers C-ECHO."""
    echo = ["/usr/bin/echoscu", "-aec", "MSNODE", *options, "127.0.0.1", str(port)]
    for _ in range(200):
        if subprocess.run(echo, capture_output=True, check=False).returncode == 0:
            return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"{server.args!r} does not answer")


def send(
    images: Path, port: int, associations: int, program: Sequence[str] = ("dcmsend", "-q")
) -> float:
    """Send all images, the folders spread over the associations; returns seconds."""
    folders = sorted(images.iterdir())
    shares = [folders[i::associations] for i in range(associations)]
    command = [*program, "-aec", "MSNODE", "+sd", "127.0.0.1", str(port)]
    start = time.perf_counter()
    senders = [
        subprocess.Popen([*command, *map(str, share)], env=NAGLE_OFF, stderr=subprocess.PIPE)
        for share in shares
    ]
    for sender in senders:
        _, errors = sender.communicate()
        if sender.returncode or errors:
            raise SystemExit(f"dcmsend failed: {errors.decode()}")
    return time.perf_counter() - start


def cpu_seconds(pid: int) -> float:
    """Of a process, of those that it started, and of those of them that have ended."""
    return processes.cpu_seconds(processes.below(pid) | {pid})


def measure(name: str, images: Path, count: int, associations: int) -> Measured:
    """Images per second into a fresh server, or what the disk does without one."""
    if name == FLOOR:
        size = next(images.rglob("*.dcm")).stat().st_size
        return Measured(disk.rate(images.parent, associations, count, size), None)
    return received(SERVERS[name], images, count, associations)


def received(
    command: Callable[[Path, int], list[str]],
    images: Path,
    count: int,
    associations: int,
    program: Sequence[str] = ("dcmsend", "-q"),
    secure: Sequence[str] = (),
) -> Measured:
    """Images per second into a fresh server.

    Args:
        program: of dcmtk, which sends them.
        secure: its options for TLS.
    """
    port = free_port()
    folder = tempfile.mkdtemp(dir=images.parent)  # it stays, see disk.rate
    server = subprocess.Popen(command(Path(folder), port), env=NAGLE_OFF, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, server, secure)
        os.sync()  # what others left unwritten is not this server's to wait for
        before = cpu_seconds(server.pid)
        seconds = send(images, port, associations, [*program, *secure])
        used = cpu_seconds(server.pid) - before
        return Measured(count / seconds, 1e6 * used / count)
    finally:
        server.terminate()
        server.wait(20)


def machine() -> str:
    """The machine's name, for the heading of a table."""
    return f"{os.cpu_count()} x {processes.processor()}, {platform.system()} {platform.release()}"


def print_table(
    found: dict[tuple[str, int], list[Measured]], arguments: argparse.Namespace
) -> None:
    """Medians, their spread, and the ratios to Orthanc and to the floor."""
    print(machine())
    print(f"{arguments.images} MR images of 131 kB, median of {arguments.repeats} (lowest-highest)")
    print(
        f"{'':22}{'associations':>12}{'images/s':>10}{'range':>14}{'to Orthanc':>12}"
        f"{'to the disk':>12}{'CPU us':>8}"
    )
    rates = {of: statistics.median(one.rate for one in runs) for of, runs in found.items()}
    for (name, associations), runs in found.items():
        middle = rates[name, associations]
        spread = f"{min(one.rate for one in runs):.0f}-{max(one.rate for one in runs):.0f}"
        used = [one.cpu for one in runs if one.cpu is not None]
        print(
            f"{name:22}{associations:>12}{middle:>10.0f}{spread:>14}"
            f"{middle / rates['Orthanc', associations]:>12.2f}"
            f"{middle / rates[FLOOR, associations]:>12.2f}"
            f"{statistics.median(used) if used else 0:>8.0f}"
        )


def main() -> None:
    """Run every server with every number of associations, repeatedly and in turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to be measured")
    parser.add_argument("--listen", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--reactor", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.listen:
        listen(Path(arguments.listen[0]), int(arguments.listen[1]))
        return
    if arguments.reactor:
        react(Path(arguments.reactor[0]), int(arguments.reactor[1]))
        return
    for tool in ("Orthanc", "dcmsend", "echoscu", "/usr/bin/storescp"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is missing: apt-get install orthanc dcmtk")
    found: dict[tuple[str, int], list[Measured]] = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        images = Path(folder) / "images"
        images.mkdir()
        make_images(images, arguments.images)
        for _ in range(arguments.repeats):
            for associations in ASSOCIATIONS:
                for name in (FLOOR, *SERVERS):
                    run = measure(name, images, arguments.images, associations)
                    found.setdefault((name, associations), []).append(run)
    print_table(found, arguments)


if __name__ == "__main__":
    main()
