"""What was acknowledged survives kill -9, exactly once."""

import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.uid import ExplicitVRLittleEndian

from msnode.database import instances, migrate, open_database
from msnode.receive import Inbox
from tests.acceptance.peers import ENVIRONMENT, ROOT, dcmtk, tool
from tests.integration.listening import write
from tests.unit.receive.datasets import mr

KILLS = 10
IMAGES = 60  # an association
SENDERS = 4


@contextmanager
def receiver(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The receiver in a process of its own; killed at the end in any case."""
    command = [sys.executable, "-m", "tests.integration.receiver", str(folder)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[list[Path]]:
    """A share of images for each sender; big enough for several PDUs each."""
    folder = tmp_path_factory.mktemp("images")
    shares = []
    for sender in range(SENDERS):
        share = folder / str(sender)
        share.mkdir()
        for number in range(IMAGES):
            image = mr(StudyInstanceUID=f"1.2.{sender}", Rows=256, Columns=256)
            image.SOPInstanceUID = f"1.2.{sender}.{number + 1}"
            image.PixelData = bytes([sender, number]) * 65_536
            write(share / f"{number:03}.dcm", image, ExplicitVRLittleEndian)
        shares.append(sorted(share.iterdir()))
    return shares


def send_until_killed(
    process: subprocess.Popen[str], port: str, shares: list[list[Path]]
) -> set[str]:
    """Send from all sides, kill the receiver under load; returns the acknowledged UIDs."""
    base = [tool("storescu", "dcmtk"), "-v", "-aec", "MSNODE", "127.0.0.1", port]
    senders = [
        subprocess.Popen(
            [*base, *map(str, share)],
            env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for share in shares
    ]  # fmt: skip
    killer = threading.Timer(random.uniform(0.15, 0.8), process.send_signal, [signal.SIGKILL])
    killer.start()
    acknowledged = set()
    for sender, share in zip(senders, shares, strict=True):
        output, _ = sender.communicate(timeout=60)
        answers = re.findall(r"Received Store Response \(Success\)", output)
        acknowledged |= {uid_of(path) for path in share[: len(answers)]}
    killer.join()
    return acknowledged


def uid_of(path: Path) -> str:
    """The UID that was written into a test file."""
    return f"1.2.{path.parent.name}.{int(path.stem) + 1}"


def kept(folder: Path) -> list[tuple[str, Path]]:
    """SOPInstanceUID and file of every row, after a rebuild."""
    engine = open_database(f"sqlite:///{folder / 'msnode.sqlite'}")
    migrate(engine)
    inbox = Inbox(engine, folder)
    inbox.rebuild()
    with engine.connect() as connection:
        rows = connection.execute(sa.select(instances.c.sop_instance_uid, instances.c.path)).all()
    inbox.close()
    engine.dispose()
    return [(uid, folder / path) for uid, path in rows]


def test_nothing_acknowledged_is_lost(tmp_path: Path, images: list[list[Path]]) -> None:
    acknowledged: set[str] = set()
    for kill in range(KILLS):
        # each time other images first, so that there are always new ones under way at the kill
        first = kill * IMAGES // KILLS
        shares = [share[first:] + share[:first] for share in images]
        with receiver(tmp_path) as (process, port):
            acknowledged |= send_until_killed(process, port, shares)
        found = kept(tmp_path)
        uids = [uid for uid, _ in found]
        assert acknowledged <= set(uids)
        assert len(uids) == len(set(uids)), "an instance has two rows"
        assert len(list((tmp_path / "instances").glob("*/*"))) == len(uids)
        for uid, path in found:
            assert pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID == uid
        assert list((tmp_path / "incoming").iterdir()) == [], "half-received files are left"
    assert acknowledged, "the receiver was killed before it answered at all"
    assert not (tmp_path / "quarantine").exists() or not list((tmp_path / "quarantine").iterdir())


def test_after_the_crash_the_sender_completes_the_study(
    tmp_path: Path, images: list[list[Path]]
) -> None:
    with receiver(tmp_path) as (process, port):
        send_until_killed(process, port, images)
    with receiver(tmp_path) as (process, port):
        for share in images:
            sent = dcmtk("dcmsend", "-v", "-aec", "MSNODE", "127.0.0.1", port, *share)
            assert f"with status SUCCESS  : {IMAGES}" in sent.stdout
        process.terminate()
        assert process.wait(10) == 0
    assert sorted(uid for uid, _ in kept(tmp_path)) == sorted(
        uid_of(path) for share in images for path in share
    )
