"""Storage commitment (PS3.4 J): the peer takes over the responsibility for keeping objects."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event as Flag

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from msnode.config import DicomPeer
from msnode.deliver.c_store import read_item
from msnode.errors import Refused, TryLater
from msnode.records.receipt import Commitment
from msnode.requestor.peer import offering
from msnode.store.commitments import read_report

COMMITMENT = UID(StorageCommitmentPushModel)

REQUEST = 1
"""Action Type ID of Request Storage Commitment (PS3.4 J.3.2)."""

WAIT_S = 5.0
"""The association stays open so long for a report; most peers open one of their own anyway."""

LOOK_S = 0.1
"""Between looks for a report, wherever it came in."""


def request_commitment(
    paths: Sequence[Path],
    destination: DicomPeer,
    calling_ae_title: str,
    transaction_uid: str,
    keep: Callable[[Commitment], bool],
    is_reported: Callable[[], bool],
) -> None:
    """Ask a peer to commit itself to objects that it has been sent (N-ACTION, PS3.4 J.3.2).

    Args:
        paths: the files of the objects.
        destination: the peer.
        calling_ae_title: ours; the peer opens an association to it for a later report.
        transaction_uid: identifies the request in the report; never used before.
        keep: called, in another thread, with a report that comes over the request's association;
            says whether that was expected.
        is_reported: whether the report is here, however it came.

    Raises:
        TryLater: the peer cannot be reached, or fails to take the request.
        Refused: the peer does not support storage commitment, or a file is no DICOM file.
    """
    unanswered = Flag()
    handlers: list[EventHandlerType] = [
        (evt.EVT_N_EVENT_REPORT, _take, [keep, unanswered]),
        (evt.EVT_PDU_SENT, _sent, [unanswered]),
    ]
    with offering(COMMITMENT, destination, calling_ae_title, handlers) as association:
        answer, _ = association.send_n_action(
            _request(paths, transaction_uid),
            REQUEST,
            COMMITMENT,
            StorageCommitmentPushModelInstance,
        )
        status = answer.get("Status")
        if status != 0x0000:
            said = "nothing" if status is None else f"status 0x{status:04X}"
            raise TryLater(f"{destination.name} answered a commitment request with {said}")
        until = time.monotonic() + WAIT_S
        while association.is_established and (
            unanswered.is_set() or (time.monotonic() < until and not is_reported())
        ):
            time.sleep(LOOK_S)


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


def _take(event: Event, keep: Callable[[Commitment], bool], unanswered: Flag) -> tuple[int, None]:
    """Answer a report that comes over the request's own association; kept, then acknowledged."""
    unanswered.set()
    try:
        known = keep(read_report(event.event_information))
    except Refused:
        known = False
    except TryLater:
        return 0x0110, None  # Processing Failure (PS3.7 C.5.15)
    return 0x0000 if known else 0x0115, None  # Invalid Argument Value (PS3.7 C.5.9)


def _sent(event: Event, unanswered: Flag) -> None:
    """The answer to a report is out: before, a release would break the association."""
    if isinstance(event.pdu, P_DATA_TF):
        unanswered.clear()
