"""An earlier study lies in the PACS alone; the later one is sent to the node: they are compared."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from msnode.cli.main import main
from msnode.lesions import SHIPPED
from msnode.records.uid_hash import uid_hash
from msnode.sample import LJUBLJANA
from msnode.store.database import open_database, prior_studies, results, studies
from tests.acceptance import peers
from tests.acceptance.node import Node
from tests.acceptance.small_node import small_node
from tests.integration.lesion_node import NOW, THEN, with_a_lesion, write

pytestmark = pytest.mark.timeout(300)
NOW_2, THEN_2 = f"{NOW}2", f"{THEN}2"
AWAITED = "Earlier scans were being looked for"


WAIT_S, RETRY = 20.0, {"first_s": 8.0, "longest_s": 16.0}
"""The third attempt would come after the time: the result goes out after the second."""


@dataclass(frozen=True)
class Site:
    """A PACS that has the earlier studies of two patients and is switched off, and a node.

    Attributes:
        later: the present study of each patient, by StudyInstanceUID.
    """

    folder: Path
    node: Node
    pacs: peers.Orthanc
    later: dict[str, tuple[Path, ...]]
    stack: ExitStack

    def switch_on(self) -> None:
        """Start the PACS, unless it runs."""
        if not self.pacs.answers():
            self.stack.enter_context(peers.program(self.pacs.command, self.folder / "pacs.log"))
            peers.wait(self.pacs.answers, 20, "Orthanc to answer")


def of_another(paths: Sequence[Path], folder: Path, uid: str) -> tuple[Path, ...]:
    """The same images as those of another patient."""
    folder.mkdir()
    made = []
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.PatientID, dataset.StudyInstanceUID = "another", uid
        for name in ("SeriesInstanceUID", "SOPInstanceUID"):
            setattr(dataset, name, f"{getattr(dataset, name)[:60]}.9")
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(folder / path.name)
        made.append(folder / path.name)
    return tuple(made)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp("site"), peers.free_port()
    then = write(LJUBLJANA.nifti, folder / "then", THEN, "20230115")
    now = write(with_a_lesion(folder), folder / "now", NOW, "20240115")
    later = {NOW: now, NOW_2: of_another(now, folder / "now-2", NOW_2)}
    pacs = peers.configure_orthanc(folder / "pacs", node_port=port)
    with peers.program(pacs.command, folder / "pacs.log"):
        peers.wait(pacs.answers, 20, "Orthanc to answer")
        pacs.upload([*then, *of_another(then, folder / "then-2", THEN_2)])
    with ExitStack() as stack:
        node = node_at(folder, port, pacs)
        node.start()
        stack.callback(node.kill_if_alive)
        yield Site(folder, node, pacs, later, stack)


def node_at(folder: Path, port: int, pacs: peers.Orthanc) -> Node:
    """A node that fetches earlier studies from a PACS, and writes into a folder."""
    source = peers.destination("pacs", pacs.ae_title, pacs.port)
    return small_node(
        folder,
        folder / "data",
        receive={"port": port},
        lesions={"bundle": str(SHIPPED)},
        destinations=[
            {"name": "archive", "folder": str(folder / "archive"), "profile": "standard"},
            {"name": "ris", "url": "http://127.0.0.1:9/", "secret": "0123456789abcdef"},
        ],
        priors=[source | {"wait_s": WAIT_S, "retry": RETRY}],
    )


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


@pytest.mark.long
def test_a_source_that_is_down_delays_a_result_by_its_time_and_revises_it_later(
    site: Site,
) -> None:
    send(site.node, site.later[NOW])
    first = reported(site.folder, NOW, 1)
    assert first["lesions"]["comparison"]["status"] == "no_prior"
    assert any(AWAITED in warning for warning in first["warnings"])
    site.switch_on()
    second = reported(site.folder, NOW, 2)
    assert second["lesions"]["comparison"]["status"] == "compared"
    assert AWAITED not in json.dumps(second)
    peers.wait(lambda: "earlier scans that came since" in delivered(site), 20, "why it is revised")


def delivered(site: Site) -> str:
    """All text of the results in the archive."""
    found = [pydicom.dcmread(path) for path in (site.folder / "archive").glob("*.dcm")]
    values = (item.value for one in found for item in one.iterall() if item.keyword == "TextValue")
    return "\n".join(map(str, values))


@pytest.mark.long
def test_a_study_is_compared_with_one_that_only_the_pacs_has(site: Site) -> None:
    site.switch_on()
    send(site.node, site.later[NOW_2])
    result = reported(site.folder, NOW_2, 1)
    assert result["lesions"]["comparison"]["status"] == "compared"
    assert result["lesions"]["comparison"]["prior_date"] == "2023-01-15"
    assert AWAITED not in json.dumps(result)
    for table in (results, studies):
        of_patients = {row["study_key"] for row in rows(site.folder, table)}
        assert of_patients <= {uid_hash(NOW), uid_hash(NOW_2)}, "none of an earlier study"
    mine = [row for row in rows(site.folder, prior_studies) if row["study_key"] == uid_hash(NOW_2)]
    assert [(row["prior_key"], row["state"]) for row in mine] == [(uid_hash(THEN_2), "kept")]
    assert not list((site.folder / "data" / "fetched").rglob("*.dcm"))
    assert site.node.metric('msnode_priors_total{outcome="kept",source="pacs"}') >= 1
    listed = CliRunner().invoke(
        main, ["priors", NOW_2, "--config", str(site.folder / "msnode.yaml")]
    )
    assert "kept" in listed.output, listed.output
    time.sleep(6)  # for what must not come
    assert len(signals(site.folder, NOW_2)) == 1
    assert len(signals(site.folder, NOW)) <= 2
