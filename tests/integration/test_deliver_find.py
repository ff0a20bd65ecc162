"""Verification by C-FIND: a result counts as delivered when its peer shows it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE, evt
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from msnode.config import DicomPeer, Retry
from msnode.deliver.deliveries import Attempt, Deliveries
from msnode.deliver.verification import Delivery
from msnode.store.database import open_database
from msnode.store.receipts import Receipts
from msnode.store.schema import migrate
from tests.acceptance import peers

STUDY = "0123456789abcdef"


@dataclass
class Archive:
    """A storage and query SCP; what it shows and how it answers is a test's choice."""

    destination: DicomPeer
    hidden: set[str] = field(default_factory=set)
    status: int = 0x0000
    received: list[str] = field(default_factory=list)
    queries: list[Dataset] = field(default_factory=list)

    def store(self, event: Event) -> int:
        self.received.append(str(getattr(event.request, "AffectedSOPInstanceUID", "")))
        return 0x0000

    def find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        """All instances of the series, as a query without SOPInstanceUID asks."""
        query = event.identifier
        self.queries.append(query)
        if self.status:
            yield self.status, None
            return
        for uid in dict.fromkeys([*self.received, "2.25.99"]):
            if uid not in self.hidden:
                match = Dataset()
                match.QueryRetrieveLevel = "IMAGE"
                match.StudyInstanceUID = query.StudyInstanceUID
                match.SOPInstanceUID = uid
                yield 0xFF00, match


@pytest.fixture
def archive() -> Iterator[Archive]:
    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(SecondaryCaptureImageStorage, ExplicitVRLittleEndian)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    port = peers.free_port()
    retry = Retry(first_s=10, longest_s=10, give_up_s=25)
    running = Archive(DicomPeer("a", "ARCHIVE", "127.0.0.1", port, verify="find", retry=retry))
    handlers: list[EventHandlerType] = [
        (evt.EVT_C_STORE, running.store),
        (evt.EVT_C_FIND, running.find),
    ]
    with peers.serving(entity, port, handlers):
        yield running


@dataclass
class Node:
    """Deliveries of one result with two objects."""

    deliveries: Deliveries
    receipts: Receipts
    files: dict[str, Path]

    def attempt(self, destination: DicomPeer, attempt: int = 1) -> Attempt:
        delivery = Delivery(destination, STUDY, 1, self.files, "MSNODE", time.time())
        return self.deliveries.attempt(delivery, attempt)

    def details(self) -> dict[str, str]:
        return {r.sop_instance_uid: r.detail for r in self.receipts.of(STUDY, 1)}


@pytest.fixture
def node(tmp_path: Path, save_dicom: Callable[..., Path]) -> Iterator[Node]:
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    files = {uid: save_dicom(uid, SeriesInstanceUID=f"{uid}.1") for uid in ("2.25.1", "2.25.2")}
    yield Node(Deliveries(database), Receipts(database), files)
    database.dispose()


def test_what_the_peer_shows_is_delivered(node: Node, archive: Archive) -> None:
    assert node.attempt(archive.destination) == {"delivered": True, "pause_s": None}
    keys = [
        (q.QueryRetrieveLevel, q.StudyInstanceUID, q.SeriesInstanceUID) for q in archive.queries
    ]
    assert keys == [("IMAGE", "2.25.1", "2.25.1.1"), ("IMAGE", "2.25.1", "2.25.2.1")]


def test_a_peer_that_is_slow_to_show_gets_nothing_twice(node: Node, archive: Archive) -> None:
    archive.hidden = {"2.25.2"}
    first = node.attempt(archive.destination)
    assert first["pause_s"] is not None
    assert [receipt.sent for receipt in node.receipts.of(STUDY, 1)] == [False, True]
    archive.hidden = set()
    assert node.attempt(archive.destination, 2)["delivered"]
    assert archive.received == ["2.25.1", "2.25.2"]


def test_what_stays_missing_is_sent_again_and_given_up(node: Node, archive: Archive) -> None:
    archive.hidden = {"2.25.2"}
    assert [node.attempt(archive.destination, n)["pause_s"] is None for n in (1, 2, 3, 4)] == [
        False,
        False,
        False,
        True,
    ]
    assert archive.received == ["2.25.1", *["2.25.2"] * 4]
    assert "never proved it" in node.details()["2.25.2"]


@pytest.mark.parametrize("status", [0xA700, 0xC001])
def test_a_query_that_fails_is_no_sign_that_something_is_missing(
    node: Node, archive: Archive, status: int
) -> None:
    archive.status = status
    assert node.attempt(archive.destination)["pause_s"] is not None
    assert f"0x{status:04X}" in node.details()["2.25.1"]
    archive.status = 0x0000
    assert node.attempt(archive.destination, 2)["delivered"]
    assert len(archive.received) == 2


def test_a_peer_that_never_answers_such_a_query_is_given_up(node: Node, archive: Archive) -> None:
    archive.status = 0xA900
    assert node.attempt(archive.destination) == {"delivered": False, "pause_s": None}
    assert "0xA900" in node.details()["2.25.1"]


def test_a_peer_without_c_find_is_no_destination_for_it(node: Node, tmp_path: Path) -> None:
    with peers.storescp(tmp_path) as scp:
        plain = DicomPeer("a", scp.ae_title, "127.0.0.1", scp.port, verify="find")
        assert node.attempt(plain) == {"delivered": False, "pause_s": None}
        assert "does not support the Study Root Query" in node.details()["2.25.1"]
        assert node.attempt(replace(plain, verify="none"))["delivered"]
