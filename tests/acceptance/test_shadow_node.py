"""Shadow bundles beside a running node: asked, counted, reported; then one is put in force."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance import peers
from tests.acceptance.conftest import Sent
from tests.acceptance.node import Node
from tests.acceptance.small_node import small_node
from tests.odd_classifiers import small_bundle
from tests.patience import PATIENCE


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    shadows = [{"name": "next", "bundle": str(small_bundle(tmp_path / "next", 1))}]
    made = small_node(tmp_path, tmp_path / "data", classify={"shadow": shadows})
    made.start()
    yield made
    made.kill_if_alive()


def msnode(node: Node, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "msnode", *map(str, arguments)]
    command += ["--config", str(node.folder / "msnode.yaml")]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60 * PATIENCE, check=False
    )


def test_a_node_starts_with_the_bundle_of_its_evidence_only(
    node: Node, new_study: Callable[[], Sent], tmp_path: Path
) -> None:
    sent = new_study()
    peers.run(peers.tool("storescu", "dcmtk"), "-aec", "MSNODE", "127.0.0.1", node.port,
              *sent.paths)  # fmt: skip
    counted = 'msnode_shadow_results_total{outcome="compared"}'
    peers.wait(lambda: node.metric(counted) == 1, 90, "the shadow")
    assert len(list((tmp_path / "archive").glob("*.dcm"))) == 2, "nothing of it is sent"
    assert node.metric("msnode_shadow_backlog") == 0
    evidence = tmp_path / "evidence.json"
    assert msnode(node, "shadow", "evidence", "next", "--out", evidence).returncode == 0
    node.terminate()

    section = node.settings["classify"]
    section |= {"evidence": str(evidence), "shadow": []}
    with pytest.raises(pytest.fail.Exception, match="evidence of this one"):
        node.start()
    section |= {"bundle": str(tmp_path / "next")}
    node.start()
    told = msnode(node, "check", "--no-peers").stdout
    assert "ok  evidence of next 0.0.1, studies compared: 1" in told
