"""An earlier study lies in the PACS alone; the later one is sent to the node: they are compared."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa

from msnode.records.uid_hash import uid_hash
from msnode.sample import LJUBLJANA
from msnode.store.database import open_database, prior_searches, prior_studies, results, studies
from tests.acceptance import peers
from tests.acceptance.node import Node
from tests.acceptance.small_node import small_node
from tests.integration.lesion_node import NOW, THEN, with_a_lesion, write

pytestmark = pytest.mark.timeout(300)
AWAITED = "Earlier scans were being looked for"


@pytest.fixture(scope="module")
def studies_of_one(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, ...]]:
    """The sample, and a year later with a lesion more."""
    folder = tmp_path_factory.mktemp("studies")
    return {
        THEN: write(LJUBLJANA.nifti, folder / "then", THEN, "20230115"),
        NOW: write(with_a_lesion(folder), folder / "now", NOW, "20240115"),
    }


def node_at(folder: Path, port: int, pacs: peers.Orthanc, **source: Any) -> Node:
    """A node that fetches earlier studies from a PACS, and writes into a folder."""
    prior = peers.destination("pacs", pacs.ae_title, pacs.port) | source
    return small_node(
        folder,
        folder / "data",
        receive={"port": port, "callers": [
            {"ae_title": "ORTHANC", "address": "127.0.0.1"},
            {"ae_title": "STORESCU", "address": "127.0.0.1"},
        ]},
        lesions={"bundle": str(Path(__file__).parents[2] / "models" / "lesions")},
        destinations=[
            {"name": "archive", "folder": str(folder / "archive")},
            {"name": "ris", "url": "http://127.0.0.1:9/", "secret": "0123456789abcdef"},
        ],
        priors=[prior],
    )  # fmt: skip


def send(node: Node, paths: tuple[Path, ...]) -> None:
    """As the scanner does."""
    done = peers.dcmtk("storescu", "-aec", "MSNODE", "127.0.0.1", node.port, *paths)
    assert done.returncode == 0, done.stdout


def signals(folder: Path, uid: str) -> list[dict[str, Any]]:
    """The results of a study, as webhooks get them, by generation."""
    found = sorted((folder / "data" / "work" / uid_hash(uid)).glob("*/signal.json"))
    return [json.loads(path.read_bytes()) for path in found]


def reported(folder: Path, uid: str, generations: int) -> Any:
    """Wait for so many results of a study; returns the newest."""
    peers.wait(lambda: len(signals(folder, uid)) >= generations, 150, "the result")
    return signals(folder, uid)[-1]


def rows(folder: Path, table: sa.Table) -> list[dict[str, Any]]:
    """Of the node's database."""
    engine = open_database(f"sqlite:///{folder / 'data' / 'msnode.sqlite'}")
    with engine.connect() as connection:
        found = [dict(row._mapping) for row in connection.execute(sa.select(table))]
    engine.dispose()
    return found


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_study_is_compared_with_one_that_only_the_pacs_has(
    studies_of_one: dict[str, tuple[Path, ...]], tmp_path: Path, stack: ExitStack
) -> None:
    port = peers.free_port()
    pacs = stack.enter_context(peers.orthanc(tmp_path / "pacs", node_port=port))
    pacs.upload(studies_of_one[THEN])
    node = node_at(tmp_path, port, pacs)
    node.start()
    stack.callback(node.kill_if_alive)
    send(node, studies_of_one[NOW])
    began = time.monotonic()
    result = reported(tmp_path, NOW, 1)
    print("seconds", time.monotonic() - began)
    assert result["lesions"]["comparison"]["status"] == "compared"
    assert result["lesions"]["comparison"]["prior_date"] == "2023-01-15"
    assert AWAITED not in json.dumps(result)
    assert [row["study_key"] for row in rows(tmp_path, results)] == [uid_hash(NOW)]
    assert [row["study_key"] for row in rows(tmp_path, studies)] == [uid_hash(NOW)]
    [prior] = rows(tmp_path, prior_studies)
    assert (prior["prior_key"], prior["state"]) == (uid_hash(THEN), "kept")
    [search] = rows(tmp_path, prior_searches)
    assert (search["state"], search["news"], search["missed"]) == ("done", False, 0)
    assert not list((tmp_path / "data" / "fetched").rglob("*.dcm"))
    assert node.metric('msnode_priors_total{outcome="kept",source="pacs"}') == 1
    time.sleep(6)  # for what must not come
    assert len(signals(tmp_path, NOW)) == 1


def test_a_source_that_is_down_delays_a_result_by_its_time_and_revises_it_later(
    studies_of_one: dict[str, tuple[Path, ...]], tmp_path: Path, stack: ExitStack
) -> None:
    port = peers.free_port()
    pacs = peers.configure_orthanc(tmp_path / "pacs", node_port=port)
    retry = {"first_s": 2.0, "longest_s": 2.0}
    node = node_at(tmp_path, port, pacs, by="c-get", wait_s=5.0, retry=retry)
    node.start()
    stack.callback(node.kill_if_alive)
    send(node, studies_of_one[NOW])
    first = reported(tmp_path, NOW, 1)
    assert first["lesions"]["comparison"]["status"] == "no_prior"
    assert any(AWAITED in warning for warning in first["warnings"])
    stack.enter_context(peers.program(pacs.command, tmp_path / "orthanc.log"))
    peers.wait(pacs.answers, 20, "Orthanc to answer")
    pacs.upload(studies_of_one[THEN])
    second = reported(tmp_path, NOW, 2)
    assert second["lesions"]["comparison"]["status"] == "compared"
    assert AWAITED not in json.dumps(second)
    found = [pydicom.dcmread(path) for path in (tmp_path / "archive").glob("*.dcm")]
    assert any("earlier scans that came since" in str(one) for one in found)
    time.sleep(6)  # for what must not come
    assert len(signals(tmp_path, NOW)) == 2
