"""A PACS with storage commitment that answers as a test wants it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, build_role, evt
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from msnode.config import DicomPeer
from tests.acceptance import peers

Reaction = Callable[["Pacs", Event, Dataset], None]

NO_SUCH_INSTANCE = 0x0112


@dataclass
class Pacs:
    """What a PACS got, and how it goes on.

    Attributes:
        received: SOPInstanceUIDs of the C-STOREs, in their order.
        requests: Action Information of the N-ACTIONs, in their order.
        react: called after an N-ACTION was answered.
        status: of the answer to an N-ACTION.
        statuses: of the answers to its reports.
    """

    destination: DicomPeer
    react: Reaction = lambda *_: None
    status: int = 0x0000
    received: list[str] = field(default_factory=list)
    requests: list[Dataset] = field(default_factory=list)
    statuses: list[int | None] = field(default_factory=list)

    def store(self, event: Event) -> int:
        """Take an object."""
        self.received.append(str(getattr(event.request, "AffectedSOPInstanceUID", "")))
        return 0x0000

    def commit(self, event: Event) -> tuple[int, None]:
        """Take a request, and react when its answer is out."""
        if self.status == 0x0000:
            self.requests.append(event.action_information)
            reaction = (self, event, event.action_information)
            threading.Timer(0.1, self.react, reaction).start()
        return self.status, None

    def report(self, information: Dataset, port: int, title: str = "PACS", kind: int = 1) -> int:
        """Report over an association of its own, as the SCP; returns the status."""
        entity = AE(ae_title=title)
        entity.add_requested_context(StorageCommitmentPushModel, ExplicitVRLittleEndian)
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        association = entity.associate("127.0.0.1", port, ae_title="MSNODE", ext_neg=[role])
        assert association.is_established
        assert association.accepted_contexts[0].as_scp
        status = _send(association, information, kind)
        association.release()
        self.statuses.append(status)
        return status


def outcome(request: Dataset, failed: Mapping[str, int] | None = None) -> Dataset:
    """The Event Information on a request, with Failure Reasons by SOPInstanceUID."""
    failed = failed or {}
    information = Dataset()
    information.TransactionUID = request.TransactionUID
    references = request.ReferencedSOPSequence
    kept = [r for r in references if r.ReferencedSOPInstanceUID not in failed]
    lost = [r for r in references if r.ReferencedSOPInstanceUID in failed]
    for reference in lost:
        reference.FailureReason = failed[reference.ReferencedSOPInstanceUID]
    if kept:
        information.ReferencedSOPSequence = kept
    if lost:
        information.FailedSOPSequence = lost
    return information


def on_same_association(failed: Mapping[str, int] | None = None) -> Reaction:
    """Report over the association of the request."""

    def react(pacs: Pacs, event: Event, request: Dataset) -> None:
        pacs.statuses.append(_send(event.assoc, outcome(request, failed), 2 if failed else 1))

    return react


def on_new_association(port: int, failed: Mapping[str, int] | None = None) -> Reaction:
    """Report over an association of its own."""

    def react(pacs: Pacs, _event: Event, request: Dataset) -> None:
        pacs.report(outcome(request, failed), port, kind=2 if failed else 1)

    return react


def _send(association: object, information: Dataset, kind: int) -> int:
    model = StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    answer, _ = association.send_n_event_report(information, kind, *model)  # type: ignore[attr-defined]
    return int(answer.Status)


@contextmanager
def pacs(react: Reaction = lambda *_: None) -> Iterator[Pacs]:
    """A storage and storage commitment SCP."""
    entity = AE(ae_title="PACS")
    for name in (SecondaryCaptureImageStorage, ComprehensiveSRStorage):
        entity.add_supported_context(name, ExplicitVRLittleEndian)
    entity.add_supported_context(StorageCommitmentPushModel)
    port = peers.free_port()
    destination = DicomPeer(
        "pacs", ae_title="PACS", host="127.0.0.1", port=port, verify="commitment"
    )
    running = Pacs(destination, react)
    handlers: list[EventHandlerType] = [
        (evt.EVT_C_STORE, running.store),
        (evt.EVT_N_ACTION, running.commit),
    ]
    with peers.serving(entity, port, handlers):
        yield running
