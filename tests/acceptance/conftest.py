"""A hospital for acceptance tests: a PACS that routes to the node, an archive, a folder."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from msnode import sample
from tests.acceptance import peers
from tests.acceptance.node import Node


@dataclass(frozen=True)
class Sent:
    """A study on disk, ready to be sent."""

    uid: str
    folder: Path
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Hospital:
    """The node and its surroundings, all on this machine."""

    node: Node
    pacs: peers.Orthanc
    results: Path
    """The folder destination."""
    dead_port: int
    """Of a destination that is switched off."""

    def of(self, study_instance_uid: str) -> list[Dataset]:
        """The results in the folder for one study, by Modality: Secondary Capture (OT), SR."""
        found = [pydicom.dcmread(path) for path in self.results.glob("*.dcm")]
        mine = [dataset for dataset in found if dataset.StudyInstanceUID == study_instance_uid]
        return sorted(mine, key=lambda dataset: str(dataset.Modality))

    def await_results(self, study_instance_uid: str, seconds: float = 90) -> list[Dataset]:
        """Wait for both objects of a study's result in the folder."""
        peers.wait(
            lambda: len(self.of(study_instance_uid)) >= 2, seconds, "the result in the folder"
        )
        return self.of(study_instance_uid)

    def await_in_pacs(self, uid: str, modalities: list[str], seconds: float = 20) -> None:
        """Wait until the PACS has just these objects of a study, by QIDO-RS."""
        peers.wait(
            lambda: self.pacs.modalities(uid) == modalities, seconds, f"{modalities} in the PACS"
        )


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """Orthanc with auto-routing, the node with three destinations: folder, PACS and a dead one."""
    folder = tmp_path_factory.mktemp("hospital")
    port, dead_port, results = peers.free_port(), peers.free_port(), folder / "results"
    with ExitStack() as stack:
        pacs = stack.enter_context(peers.orthanc(folder / "pacs", node_port=port, route=True))
        retry = {"first_s": 0.5, "longest_s": 1.0}
        node = Node(
            {
                "data": str(folder / "data"),
                "receive": {"address": "127.0.0.1", "port": port},
                "complete": {"quiet_s": 1.0, "idle_s": 2.0, "cap_s": 60.0},
                "classify": {"device": "cpu"},
                "lesions": {"bundle": None},  # test_demo.py takes lesions this way
                "destinations": [
                    {"name": "folder", "folder": str(results)},
                    peers.destination("pacs", pacs.ae_title, pacs.port),
                    peers.destination("dead", "STORESCP", dead_port) | {"retry": retry},
                ],
                "http": {"port": peers.free_port()},
            },
            folder,
        )
        results.mkdir()
        node.start()
        stack.callback(node.kill_if_alive)
        yield Hospital(node, pacs, results, dead_port)


@pytest.fixture
def new_study(tmp_path: Path) -> Callable[[], Sent]:
    """Write the sample as a study of its own."""

    def write() -> Sent:
        uid = str(generate_uid())
        folder = tmp_path / uid[-8:]
        return Sent(uid, folder, tuple(sample.write_study(folder, study_uid=uid)))

    return write
