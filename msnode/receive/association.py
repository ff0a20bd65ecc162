"""One association, from the request to the end, handled by one thread."""

import collections
import contextlib
import logging
import ssl
from dataclasses import dataclass

from pynetdicom.presentation import PresentationContext

from msnode import config, metrics
from msnode.association_items import APPLICATION_CONTEXT
from msnode.audit import Node, Trail
from msnode.receive.access.policy import Peer, Policy
from msnode.receive.access.rate_limit import RateLimit
from msnode.receive.access.refusals import Refusals
from msnode.receive.c_store_scp import CStore
from msnode.receive.dicom import dimse
from msnode.receive.dicom.dimse_status import SUCCESS, UNRECOGNIZED_OPERATION
from msnode.receive.dicom.negotiation import Context, accept
from msnode.receive.dicom.proposal import Proposal
from msnode.receive.dicom.request import NO_CONTEXT_NAME, Rejected, read_request
from msnode.receive.dicom.sop_classes import right
from msnode.receive.dicom.upper_layer import (
    INVALID_PARAMETER,
    UNEXPECTED_PDU,
    AssociationEnd,
    Connection,
    Fragment,
    ProtocolError,
)
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.inbox.rows import Taken
from msnode.receive.inbox.senders import Sender
from msnode.receive.n_event_report import EventReport, Reports
from msnode.receive.received_audit import ReceivedAudit
from msnode.records.uid_hash import uid_hash

log = logging.getLogger(__name__)

OVERDUE = {"timeout": "network_timeout_s", "expired": "max_association_s"}
COSTS = {"stored": -1.0, "fetched": -1.0, "duplicate": 0.0, "own": 0.0, "refused": 1.0,
         "failed": 1.0}  # fmt: skip
HERE = (Taken.STORED, Taken.DUPLICATE)
CHEAP_REQUEST = 1 << 13  # bytes; few contexts take hundreds of bytes; 256 kB decode in 0.4 s
LONGEST_COMMAND = 1 << 16  # bytes; a C-STORE-RQ takes some 200


@dataclass(frozen=True, slots=True)
class Services:
    """What all associations share.

    Attributes:
        receive: the configuration.
        inbox: where instances go.
        reports: where reports on storage commitment go; None refuses them.
        policy: who may call.
        supported: the presentation contexts we support.
        trail: the audit trail.
        guard: records all refusals.
        pace: makes peers wait that ask for too much.
    """

    receive: config.Receive
    inbox: Inbox
    reports: Reports | None
    policy: Policy
    supported: list[PresentationContext]
    trail: Trail
    guard: Refusals
    pace: RateLimit


class AssociationThread:
    """Serves C-ECHO, C-STORE and N-EVENT-REPORT on one association.

    Args:
        connection: the peer's.
        address: the peer's IP address.
        services: what it shares with all others.
    """

    def __init__(self, connection: Connection, address: str, services: Services) -> None:
        self.connection = connection
        self.is_idle = True
        self.is_stopping = False
        self._peer = Peer(address)
        self._services = services
        self._contexts: dict[int, Context] = {}
        self._caller = ""
        self._encoded = bytearray()  # the command set so far
        self._context_id = 0  # of the command set
        self._request: dimse.Command | None = None  # whose dataset is coming in
        self._reception: CStore | EventReport | None = None
        self._outcomes: collections.Counter[str] = collections.Counter()
        self._tally: ReceivedAudit | None = None
        self._sender: Sender | None = None

    def run(self) -> None:
        """Negotiate and serve until the association ends; nothing the peer does raises an error."""
        end = "failed"
        try:
            end = self._serve()
        except Rejected as rejected:
            end = "rejected"
            self._refuse(rejected.rule, rejected.why.name)
            with contextlib.suppress(AssociationEnd):
                self.connection.reject(rejected.why)
        except AssociationEnd as over:
            end = str(over)
            if end in OVERDUE:
                self._refuse(OVERDUE[end], "too slow" if end == "timeout" else "too long")
            if end in OVERDUE or self.is_stopping:
                self.connection.abort()
        except ProtocolError as error:
            end = "violation"
            self._refuse("protocol", str(error))
            self.connection.abort(error.reason)
        except OSError as error:
            end = "no_connection"
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                self._refuse("tls", str(error.reason))
        finally:
            if self._reception is not None:
                self._reception.close()
            if self._tally is not None:
                self._tally.close()
            if self._sender is not None:
                self._sender.end(end == "released")
            self._report(end)

    def stop(self) -> None:
        """End the association as soon as no message is under way; called by another thread."""
        self.is_stopping = True
        if self.is_idle:
            self.connection.interrupt()

    def _serve(self) -> str:
        """Let the peer in, if it may; returns how the association ended."""
        services = self._services
        services.pace.wait(self._peer.address)
        self.connection.shake_hands()
        self._peer = Peer(self._peer.address, self.connection.names())
        request = read_request(self.connection)
        self._caller = request.calling
        caller = services.policy.admit(request, self._peer)
        services.pace.wait(self._peer.address, len(request.body) // CHEAP_REQUEST)
        with services.policy.place(caller, self._peer):
            whole = request.decode()
            if whole.application_context != APPLICATION_CONTEXT:
                raise Rejected(NO_CONTEXT_NAME, "application_context")
            contexts = self._allowed(caller, whole)
            self._contexts = accept(self.connection, whole, contexts, services.receive.max_pdu)
            self._tally = ReceivedAudit(services.trail, Node(request.calling, self._peer.address))
            self._sender = services.inbox.senders.begin(request.calling)
            return self._answer_messages()

    def _allowed(self, caller: config.Caller, request: Proposal) -> list[PresentationContext]:
        """The supported presentation contexts that this caller may use."""
        supported = self._services.supported
        allowed = [context for context in supported if _may_use(context, caller)]
        barred = {context.abstract_syntax for context in supported}
        barred -= {context.abstract_syntax for context in allowed}
        if any(offer.abstract_syntax in barred for offer in request.offers.values()):
            self._refuse("rights", f"may only {' and '.join(caller.rights)}")
        return allowed

    def _answer_messages(self) -> str:
        """Answer message after message, until we are told to stop."""
        for fragment in self.connection.fragments():
            self.is_idle = False
            self._take(fragment)
            if self.is_idle and self.is_stopping:
                break
        self.connection.abort()
        return "stopped"

    def _take(self, fragment: Fragment) -> None:
        """One fragment of a command set or of a dataset."""
        if fragment.context_id not in self._contexts:
            raise ProtocolError(INVALID_PARAMETER, "presentation context was not accepted")
        if fragment.is_command != (self._request is None):
            raise ProtocolError(UNEXPECTED_PDU, "command set and dataset out of order")
        if not fragment.is_command:
            self._take_dataset(fragment)
            return
        if self._encoded and fragment.context_id != self._context_id:
            raise ProtocolError(INVALID_PARAMETER, "command set on two presentation contexts")
        self._context_id = fragment.context_id
        self._encoded += fragment.data
        if len(self._encoded) > LONGEST_COMMAND:
            raise ProtocolError(INVALID_PARAMETER, "command set is too long")
        if fragment.is_last:
            self._take_command(fragment.context_id)

    def _take_command(self, context_id: int) -> None:
        """A complete command set: answer it, or wait for its dataset."""
        try:
            command = dimse.decode(bytes(self._encoded))
        except ValueError as error:
            raise ProtocolError(INVALID_PARAMETER, str(error)) from error
        self._encoded.clear()
        context = self._contexts[context_id]
        if command.field == dimse.C_STORE_RQ:
            inbox, receive = self._services.inbox, self._services.receive
            self._reception = CStore(command, context, self._caller, receive, inbox)
        elif command.field == dimse.N_EVENT_REPORT_RQ and self._services.reports is not None:
            reports = self._services.reports
            self._reception = reports.take(command, context, self._caller, self._peer)
        if command.has_dataset:
            self._request = command
        else:
            self._answer(context_id, command)

    def _take_dataset(self, fragment: Fragment) -> None:
        """A fragment of the dataset that belongs to the last command (PS3.8 E.2)."""
        if fragment.context_id != self._context_id:
            if not isinstance(self._reception, CStore):
                raise ProtocolError(INVALID_PARAMETER, "dataset on another presentation context")
            self._reception.misplace()
        if self._reception is not None:
            self._reception.write(fragment.data)
        if fragment.is_last and self._request is not None:
            command, self._request = self._request, None
            self._answer(self._context_id, command)

    def _answer(self, context_id: int, command: dimse.Command) -> None:
        """Do what a complete message asks for and send the response."""
        status, comment = SUCCESS, ""
        if self._reception is not None:
            status, comment, outcome = self._reception.finish()
            self._outcomes[outcome] += 1
            if isinstance(self._reception, CStore):
                self._note(self._reception, outcome)
                if status != SUCCESS:
                    guard, address = self._services.guard, self._peer.address
                    guard.refuse_instance(address, self._caller, status, comment)
            self._reception = None
        else:
            status = SUCCESS if command.field == dimse.C_ECHO_RQ else UNRECOGNIZED_OPERATION
            self._services.pace.wait(self._peer.address)
        if command.field != dimse.C_CANCEL_RQ:
            response = dimse.encode_response(command, status, comment)
            self.connection.send_command(context_id, response)
        self.is_idle = True

    def _note(self, reception: CStore, outcome: str) -> None:
        """Count and audit a received instance, and let the peer wait if it must."""
        metrics.INSTANCES.labels(outcome).inc()
        self._services.pace.wait(self._peer.address, COSTS[outcome])
        if reception.limit:
            self._refuse(reception.limit, "instance refused")
        if reception.header is not None and self._tally is not None:
            self._tally.add(reception.header, outcome)
        if reception.header is not None and self._sender is not None and outcome in HERE:
            self._sender.sends(uid_hash(reception.header.study_instance_uid))

    def _refuse(self, rule: str, why: str) -> None:
        self._services.pace.charge(self._peer.address)
        self._services.guard.refuse(self._peer.address, self._caller, rule, why)

    def _report(self, end: str) -> None:
        """Count how the association ended; log it if it was established."""
        metrics.ASSOCIATIONS.labels(end).inc()
        if self._tally is None:
            return
        counts = " ".join(f"{name}={count}" for name, count in sorted(self._outcomes.items()))
        address, caller = self._peer.address, self._caller
        log.info("association %s peer=%s caller=%r %s", end, address, caller, counts)


def _may_use(context: PresentationContext, caller: config.Caller) -> bool:
    """Whether a caller may use a presentation context."""
    needed = right(str(context.abstract_syntax))
    return needed is None or needed in caller.rights
