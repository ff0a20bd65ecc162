"""A disk that is really full: images are refused, work waits, and all goes on by itself."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from tests.acceptance import peers
from tests.acceptance.conftest import Sent
from tests.acceptance.node import Node
from tests.acceptance.small_node import small_node
from tests.patience import PATIENCE

pytestmark = pytest.mark.timeout(300)

MB = 1 << 20
SIZE, WARN, LEAST = 64 * MB, 32 * MB, 8 * MB


@dataclass
class Disk:
    """A file system in memory, and a file that takes room on it."""

    folder: Path

    @property
    def ballast(self) -> Path:
        return self.folder / "ballast"

    def leave(self, free: int) -> None:
        """Take room until so many bytes are free; with 0 to the very last."""
        step = MB if free else 4096
        with suppress(OSError), self.ballast.open("ab", buffering=0) as file:
            while (left := self._free() - free) > 0 or free == 0:
                file.write(bytes(min(left, step) if free else step))

    def _free(self) -> int:
        return shutil.disk_usage(self.folder).free

    def clear(self) -> None:
        self.ballast.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    folder = tmp_path_factory.mktemp("disk") / "data"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "msnode-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk to be filled needs root, to mount it")
    yield Disk(folder)
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module")
def node(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    room = {"warn_free_bytes": WARN, "min_free_bytes": LEAST}
    node = small_node(tmp_path_factory.mktemp("node"), disk.folder, receive=room)
    node.start()
    yield node
    node.kill_if_alive()


def send(node: Node, study: Sent) -> str:
    """What dcmtk says of the answers."""
    sent = peers.dcmtk(
        "storescu", "-v", "-aec", "MSNODE", "-R", "+sd", "+r", "-nh", "127.0.0.1", node.port,
        study.folder,
    )  # fmt: skip
    return sent.stdout


def output(*command: str) -> str:
    """What a program prints."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60 * PATIENCE, check=True
    )
    return done.stdout


def delivered(node: Node, study: Sent) -> int:
    """Result objects of a study in the archive."""
    found = (pydicom.dcmread(path) for path in (node.folder / "archive").glob("*.dcm"))
    return sum(dataset.StudyInstanceUID == study.uid for dataset in found)


def test_it_warns_refuses_and_recovers(
    node: Node, disk: Disk, new_study: Callable[[], Sent]
) -> None:
    study = new_study()
    assert node.metric('msnode_data_watermark_bytes{level="refuse"}') == LEAST
    disk.leave(WARN - MB)
    peers.wait(lambda: "room on the disk is low" in node.get("/readyz")[1], 15, "the warning")
    assert node.get("/readyz")[0] == 200
    disk.leave(LEAST - MB)
    peers.wait(lambda: node.get("/readyz")[0] == 503, 15, "the node not to be ready")
    assert "min_free_bytes" in node.get("/readyz")[1]
    answers = send(node, study)
    assert "Received Store Response (Refused: OutOfResources)" in answers, answers
    assert "Success" not in answers
    disk.clear()
    peers.wait(lambda: node.get("/readyz")[0] == 200, 15, "the node to be ready again")
    assert "OutOfResources" not in send(node, study)
    peers.wait(lambda: delivered(node, study) == 2, 60, "the result")
    for words in ("room is low", "no room", "room again"):
        assert node.log.read_text().count(words) == 1, words


def test_work_waits_for_room(node: Node, disk: Disk, new_study: Callable[[], Sent]) -> None:
    """The disk is full to its last byte while a study is still to be analysed."""
    study = new_study()
    answers = send(node, study)
    assert answers.count("Success") >= len(study.paths)
    disk.leave(0)
    peers.wait(lambda: "work waits" in node.log.read_text(), 60, "the work to wait")
    time.sleep(6)
    assert delivered(node, study) == 0
    assert node.get("/healthz")[0] == 200
    disk.clear()
    peers.wait(lambda: delivered(node, study) == 2, 90, "the result")
    jobs = [sys.executable, "-m", "msnode", "jobs", "list", "--json", "--config"]
    peers.wait(lambda: not output(*jobs, str(node.folder / "msnode.yaml")), 30, "all to be done")
    assert node.sum("msnode_studies_total") == 2
