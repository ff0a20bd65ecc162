"""Storage commitment: Orthanc reports over a new association, others over the same one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    Verification,
)

from msnode.config import Destination
from msnode.deliver import deliver, read_report, request_commitment
from msnode.deliver.commitment import Commitment
from msnode.errors import Refused, TryLater
from tests.acceptance import peers
from tests.dicom import secondary_capture


@contextmanager
def peer(*handlers: EventHandlerType, accepted: str = StorageCommitmentPushModel) -> Iterator[int]:
    """An application entity with storage commitment; yields its port."""
    entity = AE(ae_title="MSNODE")
    entity.add_supported_context(accepted)
    port = peers.free_port()
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=list(handlers))
    assert server is not None
    try:
        yield port
    finally:
        server.shutdown()


def named(port: int) -> Destination:
    return Destination("pacs", ae_title="MSNODE", host="127.0.0.1", port=port)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / "1.dcm", tmp_path / "2.dcm"]
    for number, path in enumerate(found, 1):
        secondary_capture(SOPInstanceUID=f"2.25.{number}").save_as(path, enforce_file_format=True)
    return found


def test_orthanc_commits_to_what_it_has_and_names_the_rest(
    paths: list[Path], tmp_path: Path
) -> None:
    reports: SimpleQueue[Commitment] = SimpleQueue()

    def reported(event: Event) -> tuple[int, None]:
        reports.put(read_report(event.event_information))
        return 0x0000, None

    transaction = str(generate_uid())
    with (
        peer((evt.EVT_N_EVENT_REPORT, reported)) as node_port,
        peers.orthanc(tmp_path / "pacs", node_port=node_port) as server,
    ):
        pacs = Destination("pacs", ae_title="ORTHANC", host="127.0.0.1", port=server.port)
        assert all(receipt.delivered for receipt in deliver(paths[:1], pacs, "MSNODE"))
        report = request_commitment(paths, pacs, "MSNODE", transaction, wait_s=0.1)
        assert report is None
        assert reports.get(timeout=20) == Commitment(
            transaction, frozenset({"2.25.1"}), {"2.25.2": 0x0112}
        )


def test_a_report_over_the_same_association_is_returned(paths: list[Path]) -> None:
    def commit(event: Event) -> tuple[int, None]:
        information = event.action_information
        report = Dataset()
        report.TransactionUID = information.TransactionUID
        report.ReferencedSOPSequence = information.ReferencedSOPSequence
        sending = threading.Timer(
            0.2,
            event.assoc.send_n_event_report,
            (report, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance),
        )
        sending.start()
        return 0x0000, None

    with peer((evt.EVT_N_ACTION, commit)) as port:
        report = request_commitment(paths, named(port), "MSNODE", "2.25.99", wait_s=10)
    assert report == Commitment("2.25.99", frozenset({"2.25.1", "2.25.2"}), {})


def test_a_peer_without_it_is_not_asked_again(paths: list[Path]) -> None:
    with (
        peer(accepted=Verification) as port,
        pytest.raises(Refused, match="does not support storage commitment"),
    ):
        request_commitment(paths, named(port), "MSNODE", "2.25.99")


def test_a_peer_that_fails_is_asked_again(paths: list[Path]) -> None:
    with (
        peer((evt.EVT_N_ACTION, lambda _: (0x0213, None))) as port,
        pytest.raises(TryLater, match="0x0213"),
    ):
        request_commitment(paths, named(port), "MSNODE", "2.25.99")


def test_an_incomplete_report_names_what_is_missing() -> None:
    with pytest.raises(Refused, match="TransactionUID"):
        read_report(Dataset())
