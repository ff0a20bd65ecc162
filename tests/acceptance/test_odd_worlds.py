"""What surrounds the node misbehaves: its clock, its disk, a second node, a sender that repeats."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pydicom
import pytest

from tests.acceptance import peers
from tests.acceptance.conftest import Sent
from tests.acceptance.node import Node
from tests.acceptance.small_node import small_node

pytestmark = pytest.mark.timeout(300)

NewStudy = Callable[[], Sent]


def send(node: Node, study: Sent) -> str:
    """What dcmtk says of the answers."""
    where = "127.0.0.1", node.port, study.folder
    return peers.dcmtk("storescu", "-v", "-aec", "MSNODE", "+sd", "+r", "-nh", *where).stdout


def results(node: Node, study: Sent) -> list[pydicom.Dataset]:
    """Result objects of a study in the node's folder."""
    found = [pydicom.dcmread(path) for path in (node.folder / "archive").glob("*.dcm")]
    return [dataset for dataset in found if study.uid == dataset.StudyInstanceUID]


def await_result(node: Node, study: Sent) -> list[pydicom.Dataset]:
    """The two objects of the minimal profile."""
    peers.wait(lambda: len(results(node, study)) >= 2, 90, "the result")
    return results(node, study)


@contextmanager
def running(node: Node) -> Iterator[Node]:
    node.start()
    try:
        yield node
    finally:
        node.kill_if_alive()


# --- the clock ---


class Clock:
    """The wall clock of a process and its children, to be set while they run (libfaketime)."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        peers.tool("faketime", "faketime")
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        self._file = folder / "clock"
        self.set("+0")
        for name, value in {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # as when a real clock is set
        }.items():
            monkeypatch.setenv(name, value)
        self._monkeypatch = monkeypatch

    def set(self, offset: str) -> None:
        """Set it, by libfaketime's notation: an offset from the true time."""
        part = self._file.with_suffix(".part")
        part.write_text(offset)
        part.replace(self._file)

    def only_for(self, node: Node) -> None:
        """Start a node with it; what the test starts later has the true time."""
        node.start()
        self._monkeypatch.delenv("LD_PRELOAD")


@pytest.mark.long
def test_a_clock_that_jumps_costs_no_study(
    tmp_path: Path, new_study: NewStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour back, and past January 2038, while a study is waited for."""
    clock = Clock(tmp_path, monkeypatch)
    node = small_node(tmp_path, tmp_path / "data", complete={"quiet_s": 3.0, "idle_s": 4.0})
    with ExitStack() as stack:
        stack.callback(node.kill_if_alive)
        clock.only_for(node)
        before = new_study()
        send(node, before)
        await_result(node, before)
        for jump in ("-1h", "+13y"):
            between, after, last = (new_study() for _ in range(3))
            send(node, between)
            clock.set(jump)
            await_result(node, between)
            send(node, after)
            assert len(await_result(node, after)) == 2
            assert node.get("/healthz")[0] == 200
            clock.set("+0")
            send(node, last)
            await_result(node, last)
        assert node.sum("msnode_studies_total") == 7


def test_a_study_of_any_date_gets_its_result(tmp_path: Path, new_study: NewStudy) -> None:
    studies = {date: new_study() for date in ("99991231", "00010101", "20380119")}
    for date, study in studies.items():
        for path in study.paths:
            dataset = pydicom.dcmread(path)
            dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = date
            dataset.PatientBirthDate = date
            dataset.save_as(path)
    with running(small_node(tmp_path, tmp_path / "data")) as node:
        for date, study in studies.items():
            send(node, study)
            assert {result.StudyDate for result in await_result(node, study)} == {date}


# --- the disk ---


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Callable[[bool], None]]:
    """A folder tmp_path/data, and how to make it read-only and writable again.

    It is bound onto itself, read-only: what is open stays so, as after an error of the disk.
    """
    data = tmp_path / "data"
    data.mkdir()

    def freeze(is_frozen: bool) -> None:
        if is_frozen:
            subprocess.run(["mount", "--bind", data, data], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", data], check=True)
        else:
            subprocess.run(["umount", "-l", data], check=True)

    bind = ["mount", "--bind", str(data), str(data)]
    if os.geteuid() != 0 or subprocess.run(bind, capture_output=True, check=False).returncode:
        pytest.skip("a folder that becomes read-only needs root, to mount it")
    freeze(False)
    yield freeze
    subprocess.run(["umount", "-l", data], capture_output=True, check=False)


def test_a_disk_that_becomes_read_only_refuses_and_recovers(
    tmp_path: Path, new_study: NewStudy, frozen: Callable[[bool], None]
) -> None:
    """What is refused is sent again by its sender, when somebody has mended the disk."""
    refused, taken = new_study(), new_study()
    with running(small_node(tmp_path, tmp_path / "data")) as node:
        send(node, taken)
        await_result(node, taken)
        frozen(True)
        answers = send(node, refused)
        assert "Success" not in answers
        assert "OutOfResources" in answers, answers
        frozen(False)
        assert "OutOfResources" not in send(node, refused)
        await_result(node, refused)


def test_a_folder_that_is_read_only_is_said_in_one_line(
    tmp_path: Path, frozen: Callable[[bool], None]
) -> None:
    node = small_node(tmp_path, tmp_path / "data")
    frozen(True)
    with pytest.raises(pytest.fail.Exception, match="stopped at its start"):
        node.start()
    said = node.log.read_text()
    assert "Traceback" not in said
    assert str(tmp_path / "data") in said
    assert "ead-only" in said


# --- others ---


def test_two_nodes_make_one_result(tmp_path: Path, new_study: NewStudy) -> None:
    """A study that reaches two nodes: the archive gets each object twice, and keeps it once."""
    study = new_study()
    uids = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        with running(small_node(folder, folder / "data")) as node:
            send(node, study)
            uids.append(sorted(one.SOPInstanceUID for one in await_result(node, study)))
    assert uids[0] == uids[1]


def test_a_study_sent_again_while_its_result_is_delivered(
    tmp_path: Path, new_study: NewStudy
) -> None:
    """Again and again while its destination is away: one analysis, one result."""
    port = peers.free_port()
    away = peers.destination("pacs", "STORESCP", port) | {
        "retry": {"first_s": 0.5, "longest_s": 1.0}
    }
    study = new_study()
    node = small_node(tmp_path, tmp_path / "data", destinations=[away])
    with running(node):
        send(node, study)
        peers.wait(lambda: node.sum("msnode_studies_total") == 1, 60, "the analysis")
        for _ in range(3):
            send(node, study)
            time.sleep(1)
        with peers.storescp(tmp_path, port=port) as scp:
            peers.wait(lambda: len(scp.files) >= 2, 60, "the result")
            send(node, study)
            time.sleep(4)
            found = [pydicom.dcmread(path, force=True) for path in scp.files]
        assert len(found) == len({one.SOPInstanceUID for one in found}) == 2
        assert node.sum("msnode_studies_total") == 1
