"""Reports on storage commitment come to the listener, from the destination that was asked alone."""

import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import trustme
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from msnode.config import Caller, Config, DicomPeer, Receive, Tls
from msnode.deliver.deliveries import Deliveries
from msnode.deliver.verification import Delivery
from msnode.receive import Inbox, Listener, Reports
from msnode.receive import n_event_report as receive_commitment
from msnode.receive.dicom.dimse import Command
from msnode.receive.dicom.negotiation import Context
from msnode.store.commitments import Commitments, State
from msnode.store.database import open_database
from msnode.store.schema import migrate
from tests.acceptance import peers
from tests.integration.committing import NO_SUCH_INSTANCE, Pacs, on_new_association, pacs
from tests.integration.test_deliver_tls import issue

STUDY = "0123456789abcdef"
PACS = DicomPeer("pacs", ae_title="PACS", host="localhost", verify="commitment")
RECEIVE = Receive(address="127.0.0.1", port=0, min_free_bytes=0)


class Node:
    """A listener that takes reports, and the database behind it."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.database = open_database(f"sqlite:///{folder / 'msnode.sqlite'}")
        migrate(self.database)
        self.commitments = Commitments(self.database)
        self.deliveries = Deliveries(self.database)
        self.inbox = Inbox(self.database, folder)
        reports = Reports(config, self.commitments)
        self.listener = Listener(config.receive, self.inbox, reports=reports)
        self.listener.start()

    def close(self) -> None:
        self.listener.stop(0)
        self.inbox.close()
        self.database.dispose()

    def states(self) -> list[State]:
        return [request.state for request in self.commitments.of("pacs", STUDY, 1)]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Start a listener for the destination PACS, which was asked about transaction 2.25.7."""
    started: list[Node] = []

    def make(*callers: Caller, destination: DicomPeer = PACS, tls: Tls | None = None) -> Node:
        receive = replace(RECEIVE, callers=callers, tls=tls)
        config = Config(receive=receive, destinations=(destination,))
        node = Node(tmp_path / str(len(started)), config)
        node.commitments.add("2.25.7", "pacs", STUDY, 1)
        started.append(node)
        return node

    yield make
    for node in started:
        node.close()


def report(transaction_uid: str | None = "2.25.7") -> Dataset:
    information = Dataset()
    if transaction_uid is not None:
        information.TransactionUID = transaction_uid
    item = Dataset()
    item.ReferencedSOPClassUID = MRImageStorage
    item.ReferencedSOPInstanceUID = "2.25.1"
    information.ReferencedSOPSequence = [item]
    return information


def tell(node: Node, information: Dataset, title: str = "PACS", kind: int = 1) -> int:
    """Report as the SCP, over an association of its own; returns the status."""
    return Pacs(PACS).report(information, node.listener.port, title, kind)


def two_objects(destination: DicomPeer, save_dicom: Callable[..., Path]) -> Delivery:
    """A result on its way."""
    files = {uid: save_dicom(uid) for uid in ("2.25.1", "2.25.2")}
    return Delivery(destination, STUDY, 1, files, "MSNODE", time.time())


def test_a_report_is_kept_and_acknowledged(start: Callable[..., Node]) -> None:
    node = start()
    assert tell(node, report()) == 0x0000
    assert node.states() == [State.REPORTED]
    assert tell(node, report()) == 0x0000, "twice is no fault"


def test_reports_of_others_are_refused(start: Callable[..., Node]) -> None:
    node = start()
    assert tell(node, report(), title="OTHER") == 0x0124
    assert tell(node, report("2.25.8")) == 0x0115
    assert tell(node, report(None)) == 0x0115
    assert tell(node, report(), kind=3) == 0x0113
    assert node.states() == [State.REQUESTED]


def test_sequences_without_end_are_refused() -> None:
    syntax = ImplicitVRLittleEndian
    context = Context(str(StorageCommitmentPushModel), syntax)
    request = Command(0x0100, 1, context.sop_class_uid, "", has_dataset=True, event_type=1)
    commitments: Any = None
    told = receive_commitment.EventReport(request, context, ["pacs"], commitments)
    deeper = struct.pack("<HHIHHI", 0x0008, 0x1199, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    told.write(memoryview(deeper * 5000))
    assert told.finish()[::2] == (0x0115, "report_refused")


def test_a_destination_elsewhere_must_be_among_the_callers(start: Callable[..., Node]) -> None:
    elsewhere = replace(PACS, host="192.0.2.1")
    node = start(Caller("PACS"), destination=elsewhere)
    assert tell(node, report()) == 0x0124
    node = start(Caller("PACS", "127.0.0.0/8"), destination=elsewhere)
    assert tell(node, report()) == 0x0000


def test_a_destination_that_may_not_send_may_report(start: Callable[..., Node]) -> None:
    node = start(Caller("PACS", rights=("echo",)))
    assert tell(node, report()) == 0x0000


def test_a_report_without_end_is_cut(
    start: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive_commitment, "LONGEST_REPORT", 50)
    node = start()
    assert tell(node, report()) == 0x0213
    assert node.states() == [State.REQUESTED]


def test_a_database_that_is_away_is_no_refusal_for_good(
    start: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> bool:
        raise sa.exc.OperationalError("UPDATE", {}, Exception("away"))

    node = start()
    monkeypatch.setattr(node.commitments._engine, "begin", away)
    assert tell(node, report()) == 0x0110


@pytest.mark.parametrize(
    ("role", "accepted"), [(None, True), ((False, True), True), ((True, True), True),
                           ((True, False), False)],
)  # fmt: skip
def test_roles_are_negotiated(
    start: Callable[..., Node], role: tuple[bool, bool] | None, accepted: bool
) -> None:
    node = start()
    entity = AE(ae_title="PACS")
    entity.add_requested_context(StorageCommitmentPushModel)
    entity.add_requested_context("1.2.840.10008.1.1")
    proposed: list[Any] = []
    if role is not None:
        scu, scp = role
        proposed.append(build_role(StorageCommitmentPushModel, scu_role=scu, scp_role=scp))
    association = entity.associate(
        "127.0.0.1", node.listener.port, ae_title="MSNODE", ext_neg=proposed
    )
    contexts = {str(cx.abstract_syntax): cx for cx in association.accepted_contexts}
    association.release()
    assert (StorageCommitmentPushModel in contexts) is accepted
    if accepted and role is not None:
        assert contexts[StorageCommitmentPushModel].as_scp
        assert not contexts[StorageCommitmentPushModel].as_scu


def test_without_such_a_destination_the_class_is_not_accepted(start: Callable[..., Node]) -> None:
    node = start(destination=replace(PACS, verify="none"))
    entity = AE(ae_title="PACS")
    entity.add_requested_context(StorageCommitmentPushModel)
    association = entity.associate("127.0.0.1", node.listener.port, ae_title="MSNODE")
    assert association.accepted_contexts == []


def test_a_report_on_an_association_of_its_own_ends_the_wait(
    start: Callable[..., Node], save_dicom: Callable[..., Path]
) -> None:
    node = start()
    failed = {"2.25.2": NO_SUCH_INSTANCE}
    with pacs(on_new_association(node.listener.port, failed)) as peer:
        delivery = two_objects(peer.destination, save_dicom)
        began = time.monotonic()
        assert node.deliveries.attempt(delivery, 1)["pause_s"] is not None
        peer.react = on_new_association(node.listener.port)
        assert node.deliveries.attempt(delivery, 2)["delivered"]
        assert time.monotonic() - began < 5
    assert peer.received == ["2.25.1", "2.25.2", "2.25.2"]
    assert peer.statuses == [0x0000, 0x0000]


def test_orthanc_commits_over_tls(
    start: Callable[..., Node], save_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    tls = issue(trustme.CA(), tmp_path / "tls", "localhost")
    orthanc = replace(PACS, ae_title="ORTHANC", tls=tls)
    node = start(destination=orthanc, tls=tls)
    with peers.orthanc(tmp_path / "pacs", node_port=node.listener.port, tls=tls) as server:
        result = two_objects(replace(orthanc, port=server.port), save_dicom)
        assert node.deliveries.attempt(result, 1) == {"delivered": True, "pause_s": None}
    assert node.states() == [State.REQUESTED, State.SETTLED], "the first was never made to it"


def test_orthanc_shows_what_it_has(
    start: Callable[..., Node], save_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    node = start()
    with peers.orthanc(tmp_path / "pacs") as server:
        orthanc = replace(PACS, ae_title="ORTHANC", port=server.port, verify="find")
        result = two_objects(orthanc, save_dicom)
        assert node.deliveries.attempt(result, 1) == {"delivered": True, "pause_s": None}
        assert server.modalities("2.25.1") == ["OT", "OT"]
