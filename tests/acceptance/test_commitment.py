"""Storage commitment with a node that is killed between its request and the peer's report."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import peers
from tests.acceptance.conftest import Sent
from tests.acceptance.node import Node
from tests.acceptance.small_model import small_model
from tests.integration import committing
from tests.integration.committing import Pacs, outcome
from tests.patience import PATIENCE

pytestmark = pytest.mark.timeout(420)  # a loaded machine takes a minute to read the model


def jobs(node: Node, *arguments: str) -> list[dict[str, Any]]:
    """What `msnode jobs` says as JSON."""
    command = [sys.executable, "-m", "msnode", "jobs", *arguments, "--json"]
    config = ["--config", str(node.folder / "msnode.yaml")]
    done = subprocess.run(
        [*command, *config], capture_output=True, check=True, timeout=60 * PATIENCE
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def states(node: Node) -> dict[str, str]:
    """State of the last job of each destination."""
    found = jobs(node, "list", "--state", "all")
    return {job["destination"]: job["state"] for job in found if job["destination"]}


def test_a_report_finds_its_request_after_a_kill(
    tmp_path: Path, new_study: Callable[[], Sent]
) -> None:
    study, bundle = new_study(), small_model(tmp_path / "model")
    port = peers.free_port()
    with (
        peers.orthanc(tmp_path / "pacs", node_port=port) as orthanc,
        committing.pacs() as slow,
    ):
        proof = {"verify": "commitment", "retry": {"first_s": 1.0, "longest_s": 2.0}}
        asks_again = proof | {"verify_s": 5.0}  # the first report may come to the dead node
        node = Node(
            {
                "data": str(tmp_path / "data"),
                "receive": {"address": "127.0.0.1", "port": port},
                "complete": {"quiet_s": 1.0, "idle_s": 2.0, "cap_s": 60.0},
                "classify": {"device": "cpu", "threads": 1, "bundle": str(bundle)},
                "lesions": {"bundle": None},  # not what this is about, and it takes seconds
                "destinations": [
                    peers.destination("orthanc", "ORTHANC", orthanc.port) | asks_again,
                    peers.destination("slow", "PACS", slow.destination.port or 0) | proof,
                ],
                "http": {"port": peers.free_port()},
            },
            tmp_path,
        )
        slow.react = lambda *_: node.kill()
        node.start()
        try:
            peers.dcmtk("dcmsend", "-aec", "MSNODE", "+sd", "127.0.0.1", port, study.folder)
            peers.wait(lambda: node.process and node.process.poll(), 120, "the kill")
            slow.react = lambda *_: None
            node.start()
            _assert_committed(node, slow)
            assert orthanc.modalities(study.uid) == ["OT", "SR"]
        finally:
            node.kill_if_alive()


def _assert_committed(node: Node, slow: Pacs) -> None:
    """Nothing is sent or asked twice, and nothing counts before it is committed."""
    expected = {"orthanc": "done", "slow": "sent"}
    peers.wait(lambda: states(node) == expected, 150, "one commitment of two")
    (waiting,) = jobs(node, "list", "--state", "sent")
    command = [sys.executable, "-m", "msnode", "jobs", "retry", waiting["id"]]
    config = ["--config", str(node.folder / "msnode.yaml")]
    subprocess.run([*command, *config], check=True, timeout=60 * PATIENCE)
    peers.wait(lambda: len(slow.requests) == 2, 120, "the request that was made by hand")
    assert slow.report(outcome(slow.requests[0]), node.port) == 0x0000
    peers.wait(lambda: states(node) == dict.fromkeys(expected, "done"), 120, "both commitments")
    assert len(slow.received) == len(set(slow.received)) == 2
    (told,) = jobs(node, "show", jobs(node, "list", "--state", "done")[-1]["id"])
    assert all(receipt["delivered"] for receipt in told["receipts"])
    assert len(told["receipts"]) == 4
    done = 'msnode_deliveries_total{destination="slow",outcome="delivered"}'
    assert node.metric(done) == 2
