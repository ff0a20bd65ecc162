"""What was acknowledged survives kill -9 and power loss, whole and exactly once.

CI stops once at each point. The long run is `MSNODE_KILLS=200 pytest` with this file;
`MSNODE_SEED` repeats one that failed.
"""

import itertools
import multiprocessing
import os
import random
import re
import signal
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from tests.acceptance.peers import ENVIRONMENT, tool
from tests.integration.crashing import POINTS, Stop
from tests.integration.disk import Disk, is_possible
from tests.integration.listening import write
from tests.integration.receiver import main
from tests.unit.receive.datasets import mr

KILLS = int(os.environ.get("MSNODE_KILLS", len(POINTS) + 2))
"""With the power cut as well, which says more; a third as many without."""
SEED = int(os.environ.get("MSNODE_SEED", random.SystemRandom().randrange(10**6)))
PROCESSES = multiprocessing.get_context("forkserver")  # forks a process that has imported all
PROCESSES.set_forkserver_preload([main.__module__])
SIDE = 128  # pixels; 33 kB, several PDUs
IMAGES = 12  # an association
SENDERS = 4
OFTEN = {"mkdir": 5, "commit": 6, "fsync-folder": 12}
"""How often at least a run passes a point; at the others once an image and more."""


@dataclass(frozen=True)
class Image:
    """One that is sent; its content follows from its UID."""

    uid: str
    path: Path


@dataclass
class Scanner:
    """Makes images, each run others, and remembers which were acknowledged."""

    folder: Path
    acknowledged: set[str] = field(default_factory=set)

    def shares(self, run: int) -> list[list[Image]]:
        """A study for each sender."""
        studies = [f"1.2.{run}.{sender}" for sender in range(SENDERS)]
        return [[self._image(study, n) for n in range(1, IMAGES + 1)] for study in studies]

    def _image(self, study: str, number: int) -> Image:
        uid = f"{study}.{number}"
        dataset = mr(StudyInstanceUID=study, SOPInstanceUID=uid, Rows=SIDE, Columns=SIDE)
        dataset.PixelData = pixels(uid)
        return Image(uid, write(self.folder / f"{uid}.dcm", dataset, ExplicitVRLittleEndian))

    def send(self, port: int, shares: list[list[Image]]) -> None:
        """Send from all sides at once, each to its end or to the first refusal."""
        base = [tool("storescu", "dcmtk"), "-v", "-aec", "MSNODE", "127.0.0.1", str(port)]
        senders = [
            subprocess.Popen(
                [*base, *(str(image.path) for image in share)],
                env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            for share in shares
        ]  # fmt: skip
        for sender, share in zip(senders, shares, strict=True):
            output, _ = sender.communicate(timeout=60)
            answers = re.findall(r"Received Store Response \(Success\)", output)
            self.acknowledged |= {image.uid for image in share[: len(answers)]}


def pixels(uid: str) -> bytes:
    """Pixel data that no other image has."""
    return random.Random(uid).randbytes(2 * SIDE * SIDE)


@contextmanager
def receiver(
    folder: Path, stop: Stop | None = None, lying: bool = False, by_web: bool = False
) -> Iterator[tuple[BaseProcess, int | None]]:
    """The receiver in a process of its own, and its port: None where it died before it listened."""
    ours, its = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=main, args=(folder, its, stop, lying, by_web))
    process.start()
    its.close()
    try:
        yield process, _port(ours)
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def _port(ready: Connection) -> int | None:
    try:
        port: int = ready.recv()
    except EOFError:
        return None
    return port


def rows(folder: Path) -> list[tuple[str, Path]]:
    """SOPInstanceUID and file of every row."""
    database = f"file:{folder / 'msnode.sqlite'}?mode=ro"
    with closing(sqlite3.connect(database, uri=True)) as connection:
        found = connection.execute("SELECT sop_instance_uid, path FROM instances").fetchall()
    return [(uid, folder / path) for uid, path in found]


def assert_kept(folder: Path, acknowledged: set[str]) -> None:
    """After a start: every acknowledged instance has one row and one file, nothing has two."""
    found = rows(folder)
    counted = Counter(uid for uid, _ in found)
    assert acknowledged <= set(counted), "an acknowledged instance is lost"
    assert max(counted.values(), default=1) == 1, "an instance has two rows"
    assert {path for _, path in found} == set((folder / "instances").glob("*/*"))
    assert not list((folder / "incoming").glob("*/*.part")), "half-received files are left"


def assert_whole(folder: Path) -> None:
    """Every instance is what was sent."""
    for uid, path in rows(folder):
        dataset = pydicom.dcmread(path)
        assert dataset.SOPInstanceUID == uid
        assert dataset.PixelData == pixels(uid), f"{uid} is not what was sent"


def stops(
    dice: random.Random, power: Path | None, points: Sequence[str], often_of: dict[str, int]
) -> Iterator[Stop | None]:
    """Every point in turn, at some passage or other; None: at any moment."""
    for point in itertools.cycle(dice.sample((*points, "any", "any"), len(points) + 2)):
        often = often_of.get(point.split()[-1], SENDERS * IMAGES)
        yield None if point == "any" else Stop(point, dice.randint(1, often), power)


def kill_again_and_again(
    folder: Path,
    scanner: Scanner,
    disk: Disk | None,
    kills: int = KILLS,
    points: Sequence[str] = POINTS,
    often: dict[str, int] = OFTEN,
    by_web: bool = False,
) -> None:
    """Each time at another point; a part of what was sent before is sent again."""
    dice, power = random.Random(SEED), disk.folder if disk else None
    shares: list[list[Image]] = []
    for run, stop in zip(range(kills), stops(dice, power, points, often), strict=False):
        again, shares = shares[:1], scanner.shares(run)
        with receiver(folder, stop, by_web=by_web) as (process, port):
            if port:
                assert_kept(folder, scanner.acknowledged)
                if stop is None:
                    threading.Timer(dice.uniform(0.02, 0.4), process.kill).start()
                scanner.send(port, again + shares)
            process.join(20)
            said = folder.with_suffix(".log").read_text()[-3000:]
            assert process.exitcode == -signal.SIGKILL, f"seed {SEED}: never came to {stop}\n{said}"
        if disk:
            disk.remount() if stop else disk.cut()
    with receiver(folder, by_web=by_web) as (_, port):
        assert_kept(folder, scanner.acknowledged)
        scanner.send(port or 0, shares)
        assert {image.uid for share in shares for image in share} <= scanner.acknowledged
    with receiver(folder):
        assert_kept(folder, scanner.acknowledged)
        assert_whole(folder)


@pytest.fixture
def scanner(tmp_path: Path) -> Scanner:
    folder = tmp_path / "sent"
    folder.mkdir()
    return Scanner(folder)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if not is_possible():
        pytest.skip("a disk whose power can be cut needs root, to mount it")
    disk = Disk(tmp_path / "disk", tmp_path / "mounted", tool)
    yield disk
    disk.unmount()
    (tmp_path / "disk").unlink()


@pytest.mark.timeout(60 + 10 * KILLS)
def test_nothing_acknowledged_is_lost_when_killed(tmp_path: Path, scanner: Scanner) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    kill_again_and_again(folder, scanner, None, KILLS // 3)
    assert not list((folder / "quarantine").iterdir()), "a whole file was put aside"


@pytest.mark.timeout(60 + 10 * KILLS)
def test_nothing_acknowledged_is_lost_without_power(disk: Disk, scanner: Scanner) -> None:
    kill_again_and_again(disk.folder, scanner, disk)


def test_the_test_would_notice(disk: Disk, scanner: Scanner) -> None:
    with receiver(disk.folder, Stop("after answer", IMAGES, disk.folder), lying=True) as (_, port):
        scanner.send(port or 0, scanner.shares(0))
    disk.remount()
    with receiver(disk.folder), pytest.raises(AssertionError, match="lost"):
        assert_kept(disk.folder, scanner.acknowledged)
