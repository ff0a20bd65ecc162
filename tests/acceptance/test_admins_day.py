"""An administrator's questions about studies, and the two ways to do something again."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from msnode.records.uid_hash import uid_hash
from tests.acceptance import peers
from tests.acceptance.conftest import Sent
from tests.acceptance.node import Node
from tests.acceptance.small_node import small_node
from tests.patience import PATIENCE
from tests.unit.report.test_content import sentences

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def scp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Scp]:
    with peers.storescp(tmp_path_factory.mktemp("pacs"), "+uf") as running:
        yield running


@pytest.fixture(scope="module")
def node(scp: peers.Scp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    pacs = peers.destination("pacs", scp.ae_title, scp.port)
    archive = {"name": "archive", "folder": str(folder / "archive")}
    node = small_node(folder, folder / "data", destinations=[pacs, archive])
    node.start()
    yield node
    node.kill_if_alive()


@pytest.fixture
def done(node: Node, new_study: Callable[[], Sent]) -> Sent:
    """A study that has come, and whose result went to both destinations."""
    study = new_study()
    where = "127.0.0.1", node.port, study.folder
    assert peers.dcmtk("storescu", "-aec", "MSNODE", "+sd", "+r", *where).returncode == 0
    wait_for(node, study, 1)
    return study


def wait_for(node: Node, study: Sent, generation: int) -> None:
    def is_there() -> bool:
        (found,) = [one for one in listed(node) if one["study_instance_uid"] == study.uid]
        went = found["destinations"]
        there = found["generation"] == generation and found["state"] == "done"
        return bool(there) and went == {"archive": "delivered", "pacs": "delivered"}

    peers.wait(is_there, 90, f"revision {generation} to be delivered")


def msnode(node: Node, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "msnode", *arguments]
    command += ["--config", str(node.folder / "msnode.yaml")]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def listed(node: Node, *options: str) -> list[dict[str, Any]]:
    done = msnode(node, "studies", "--json", *options)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def objects(scp: peers.Scp, study: Sent) -> list[str]:
    """SOPInstanceUIDs of a study's results, each time that they came."""
    found = (pydicom.dcmread(path) for path in scp.files)
    return sorted(one.SOPInstanceUID for one in found if study.uid == one.StudyInstanceUID)


def test_what_came_what_was_said_where_it_went(node: Node, done: Sent) -> None:
    header = pydicom.dcmread(done.paths[0], stop_before_pixels=True)
    (found,) = listed(node, "--accession", header.AccessionNumber)
    assert found["study_instance_uid"] == done.uid
    assert found["images"] == len(done.paths)
    assert found["header"]["PatientID"] == "MSNODE-SAMPLE"
    assert found["result"]["outcome"] in ("present", "absent", "undetermined")
    for options in (["--patient", "MSNODE-SAMPLE"], ["--date", "2024-01-15"]):
        assert done.uid in [one["study_instance_uid"] for one in listed(node, *options)]
    for options in (["--patient", "nobody"], ["--date", "1999-01-01"], ["--accession", "x"]):
        assert listed(node, *options) == []
    table = msnode(node, "studies").stdout
    assert uid_hash(done.uid) in table
    assert "MSNODE-SAMPLE" not in node.log.read_text(), "names are told, never logged"


def test_a_job_shows_its_result_and_each_object_by_kind(node: Node, done: Sent) -> None:
    job = f"study.{uid_hash(done.uid)}.1"
    said = msnode(node, "jobs", "show", job).stdout
    for words in ("probability", "small 0.0.0", "montage", "sr", "yes"):
        assert words in said, said
    told = json.loads(msnode(node, "jobs", "show", job, "--json").stdout)
    assert {receipt["kind"] for receipt in told["receipts"]} == {"sr", "montage"}
    assert told["result"]["outcome"]


def test_redo_makes_a_revision_that_says_so(node: Node, scp: peers.Scp, done: Sent) -> None:
    before = objects(scp, done)
    answer = msnode(node, "redo", done.uid)
    assert answer.returncode == 0, answer.stderr
    assert "revision 2" in answer.stdout
    wait_for(node, done, 2)
    assert len(objects(scp, done)) == 2 * len(before)
    found = (pydicom.dcmread(path) for path in scp.files)
    revised = [one for one in found if one.StudyInstanceUID == done.uid and one.Modality == "SR"]
    assert any("on request" in line for one in revised for line in sentences(one))
    assert msnode(node, "redo", "1.2.3.4").returncode == 1


def test_resend_sends_the_very_same_objects(node: Node, scp: peers.Scp, done: Sent) -> None:
    before = objects(scp, done)
    answer = msnode(node, "resend", uid_hash(done.uid), "--to", "pacs")
    assert answer.returncode == 0, answer.stderr
    peers.wait(lambda: len(objects(scp, done)) == 2 * len(before), 60, "the objects again")
    assert set(objects(scp, done)) == set(before)
    wait_for(node, done, 1)
    unknown = msnode(node, "resend", done.uid, "--to", "nowhere")
    assert unknown.returncode == 1
    assert "known: pacs, archive" in unknown.stderr


def test_forget_asks_first(node: Node, done: Sent) -> None:
    looked = msnode(node, "forget", done.uid, "--dry-run")
    assert looked.returncode == 0
    assert f"{len(done.paths)} image(s), 1 result(s), 4 receipt(s)" in looked.stdout
    unasked = msnode(node, "forget", done.uid)
    assert unasked.returncode == 1
    assert "--yes" in unasked.stderr
    assert done.uid in [one["study_instance_uid"] for one in listed(node)]
    assert msnode(node, "forget", done.uid, "--yes").returncode == 0
    assert done.uid not in [one["study_instance_uid"] for one in listed(node)]
    gone = msnode(node, "redo", done.uid)
    assert gone.returncode == 1
    assert "there is no study" in gone.stderr


def test_nothing_to_send_is_an_error(node: Node, scp: peers.Scp, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = msnode(node, "send", str(empty), "--to", "pacs")
    assert answer.returncode == 1
    assert "there is no file there" in answer.stderr


def test_a_rejected_association_is_said_once(node: Node, done: Sent) -> None:
    peer = f"WRONG@127.0.0.1:{node.port}"
    answer = msnode(node, "send", str(done.folder), "--to", peer)
    assert answer.returncode == 1
    assert len(answer.stdout.splitlines()) <= 4, answer.stdout
    assert f"0 of {len(done.paths)} files" in answer.stdout
