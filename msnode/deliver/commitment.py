"""Storage commitment (PS3.4 J): the peer takes over the responsibility for keeping objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from pydicom import Dataset
from pynetdicom import build_context, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from msnode.config import Destination
from msnode.deliver.peer import associate
from msnode.deliver.store import read_item
from msnode.errors import Refused, TryLater

REQUEST = 1
"""Action Type ID of Request Storage Commitment (PS3.4 J.3.2)."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a peer reports on a request; a peer may report on it at any later time.

    Attributes:
        transaction_uid: of the request.
        committed: SOPInstanceUIDs that the peer keeps.
        failed: SOPInstanceUID to FailureReason (PS3.3 C.14.1.1), e.g. 0x0112 for one that the
            peer does not have; to be sent again.
    """

    transaction_uid: str
    committed: frozenset[str]
    failed: Mapping[str, int]


def request_commitment(
    paths: Sequence[Path],
    destination: Destination,
    calling_ae_title: str,
    transaction_uid: str,
    wait_s: float = 2.0,
) -> Commitment | None:
    """Ask a peer to commit itself to objects that it has been sent (N-ACTION, PS3.4 J.3.2).

    Args:
        paths: the files of the objects.
        destination: the peer.
        calling_ae_title: ours; the peer opens an association to it for a later report.
        transaction_uid: identifies the request in the report; never used before.
        wait_s: how long the association stays open for a report.

    Returns:
        The report, or None if the peer will send it over an association of its own.

    Raises:
        TryLater: the peer cannot be reached, or fails to take the request.
        Refused: the peer does not support storage commitment, or a file is no DICOM file.
    """
    reports: SimpleQueue[Commitment] = SimpleQueue()
    contexts = [build_context(StorageCommitmentPushModel)]
    handlers = [(evt.EVT_N_EVENT_REPORT, _take, [reports])]
    with associate(destination, calling_ae_title, contexts, handlers) as association:
        if not association.is_established:
            raise Refused(f"{destination.name} does not support storage commitment")
        answer, _ = association.send_n_action(
            _request(paths, transaction_uid),
            REQUEST,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
        status = answer.get("Status")
        if status != 0x0000:
            said = "nothing" if status is None else f"status 0x{status:04X}"
            raise TryLater(f"{destination.name} answered a commitment request with {said}")
        try:
            return reports.get(timeout=wait_s)
        except Empty:
            return None


def read_report(information: Dataset) -> Commitment:
    """Read the Event Information of an N-EVENT-REPORT (PS3.4 J.3.3), event type 1 or 2.

    Raises:
        Refused: an attribute is missing.
    """
    try:
        committed = information.get("ReferencedSOPSequence") or []
        failed = information.get("FailedSOPSequence") or []
        return Commitment(
            str(information.TransactionUID),
            frozenset(str(item.ReferencedSOPInstanceUID) for item in committed),
            {str(item.ReferencedSOPInstanceUID): int(item.FailureReason) for item in failed},
        )
    except AttributeError as error:
        raise Refused(f"the commitment report is incomplete: {error}") from error


def _request(paths: Sequence[Path], transaction_uid: str) -> Dataset:
    """Action Information: the transaction and the objects (PS3.4 J.3.2.1.1)."""
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = [_reference(path) for path in paths]
    return information


def _reference(path: Path) -> Dataset:
    """Name one object."""
    item = read_item(path)
    reference = Dataset()
    reference.ReferencedSOPClassUID = item.sop_class_uid
    reference.ReferencedSOPInstanceUID = item.sop_instance_uid
    return reference


def _take(event: Event, reports: SimpleQueue[Commitment]) -> tuple[int, None]:
    """Answer a report that comes over the request's own association."""
    try:
        reports.put(read_report(event.event_information))
    except Refused:
        return 0x0120, None  # Missing Attribute (PS3.7 C.5.13)
    return 0x0000, None
