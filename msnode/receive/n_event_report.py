"""Reports on storage commitment (PS3.4 J.3.3) that a destination sends over its own association."""

import logging
import socket
from collections.abc import Sequence
from io import BytesIO

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.dsutils import decode
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from msnode.config import Config, DicomPeer
from msnode.errors import Refused, TryLater
from msnode.receive.access.policy import Host, Peer
from msnode.receive.dicom.dimse import Command
from msnode.receive.dicom.dimse_status import (
    INVALID_ARGUMENT,
    NO_SUCH_CLASS,
    NO_SUCH_EVENT,
    NOT_AUTHORISED,
    PROCESSING_FAILURE,
    RESOURCE_LIMITATION,
    SUCCESS,
    StoreRefused,
)
from msnode.receive.dicom.negotiation import Context
from msnode.store.commitments import Commitments, read_report

log = logging.getLogger(__name__)

LONGEST_REPORT = 1 << 20
"""Bytes; the report on a result of a hundred objects takes some 15 kB."""

EVENTS = (1, 2)
"""Event Type IDs: all are committed; there are failures (PS3.4 J.3.3.1)."""


class Reports:
    """Takes reports of the destinations that verify by commitment.

    Args:
        config: destinations and callers.
        commitments: where reports are kept.
    """

    def __init__(self, config: Config, commitments: Commitments) -> None:
        self._destinations = [
            d for d in config.destinations if isinstance(d, DicomPeer) and d.verify == "commitment"
        ]
        self._callers = config.receive.callers
        self._commitments = commitments

    def contexts(self) -> list[PresentationContext]:
        """The presentation context to accept: the peer as SCP, or no role proposed."""
        if not self._destinations:
            return []
        context = build_context(
            StorageCommitmentPushModel, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
        )
        context.scu_role, context.scp_role = False, True
        return [context]

    def take(self, command: Command, context: Context, caller: str, peer: Peer) -> "EventReport":
        """Begin to take a report.

        Args:
            command: the N-EVENT-REPORT-RQ.
            context: the presentation context it came on.
            caller: calling AE title.
            peer: where the caller is.
        """
        names = [d.name for d in self._destinations if self._speaks_for(d, caller, peer)]
        return EventReport(command, context, names, self._commitments)

    def _speaks_for(self, destination: DicomPeer, title: str, peer: Peer) -> bool:
        """Whether a peer is a destination: by its title, and its host or its entry in callers."""
        if destination.ae_title.strip() != title:
            return False
        entries = [c for c in self._callers if c.ae_title.strip() == title and c.address]
        listed = any(peer.is_at(entry.address) and peer.shows(entry.subject) for entry in entries)
        return listed or peer.host in _hosts(destination.host)


class EventReport:
    """An N-EVENT-REPORT on its way in.

    Args:
        command: the N-EVENT-REPORT-RQ.
        context: the presentation context it came on.
        destinations: those that the peer may report for.
        commitments: where the report is kept.
    """

    def __init__(
        self,
        command: Command,
        context: Context,
        destinations: Sequence[str],
        commitments: Commitments,
    ) -> None:
        self._command = command
        self._context = context
        self._destinations = destinations
        self._commitments = commitments
        self._encoded = bytearray()

    def write(self, fragment: memoryview) -> None:
        """Append a fragment of the Event Information."""
        if len(self._encoded) <= LONGEST_REPORT:
            self._encoded += fragment

    def finish(self) -> tuple[int, str, str]:
        """Keep the report.

        Returns:
            DIMSE status, ErrorComment, and the outcome for the log.
        """
        try:
            self._keep()
        except StoreRefused as refused:
            log.warning("commitment report refused reason=%r", refused.comment)
            return refused.status, refused.comment, "report_refused"
        return SUCCESS, "", "report"

    def _keep(self) -> None:
        """Check the command, read the dataset, keep the report."""
        classes = {self._command.sop_class_uid, self._context.sop_class_uid}
        if classes != {str(StorageCommitmentPushModel)}:
            raise StoreRefused(NO_SUCH_CLASS, "Not the Storage Commitment Push Model")
        if self._command.event_type not in EVENTS:
            raise StoreRefused(NO_SUCH_EVENT, "EventTypeID is neither 1 nor 2")
        if not self._destinations:
            raise StoreRefused(NOT_AUTHORISED, "No destination is at this title and address")
        if len(self._encoded) > LONGEST_REPORT:
            raise StoreRefused(RESOURCE_LIMITATION, "The Event Information is too long")
        try:
            report = read_report(self._decoded())
            known = self._commitments.report(report, self._destinations)
        except Refused as refusal:
            raise StoreRefused(INVALID_ARGUMENT, str(refusal)) from refusal
        except TryLater as trouble:
            raise StoreRefused(PROCESSING_FAILURE, "Database unavailable") from trouble
        if not known:
            raise StoreRefused(INVALID_ARGUMENT, "TransactionUID was not requested")

    def _decoded(self) -> Dataset:
        """The Event Information.

        Raises:
            Refused: it cannot be decoded.
        """
        is_implicit = self._context.transfer_syntax_uid == ImplicitVRLittleEndian
        try:
            return decode(BytesIO(self._encoded), is_implicit, True)
        except Exception as error:  # for example, sequences nested too deeply
            raise Refused(f"the commitment report is damaged: {type(error).__name__}") from error

    def close(self) -> None:
        """Discard a report that did not arrive completely."""
        self._encoded.clear()


def _hosts(name: str) -> set[Host]:
    """The addresses of a destination, looked up now."""
    try:
        return {Peer(str(found[4][0])).host for found in socket.getaddrinfo(name, None)}
    except OSError as error:
        log.warning("host of a destination cannot be looked up error=%s", error)
        return set()
