"""One association from its request to its end, in the thread that waits on its socket."""

import collections
import logging
import threading

from pynetdicom.presentation import PresentationContext

from msnode import config, metrics
from msnode.receive import dimse, upper_layer
from msnode.receive.commitment import EventReport, Reports
from msnode.receive.inbox import Inbox
from msnode.receive.policy import Policy
from msnode.receive.reception import Reception
from msnode.receive.status import SUCCESS, UNRECOGNIZED_OPERATION
from msnode.receive.upper_layer import (
    INVALID_PARAMETER,
    UNEXPECTED_PDU,
    AssociationEnd,
    Connection,
    Context,
    Fragment,
    ProtocolError,
)

log = logging.getLogger(__name__)

LONGEST_COMMAND = 1 << 16  # bytes; a C-STORE-RQ takes some 200


class Session:
    """Serves C-ECHO, C-STORE and N-EVENT-REPORT on one association.

    Args:
        connection: the peer's.
        address: the peer's IP address.
        receive: the configuration.
        inbox: where instances go.
        reports: where reports on storage commitment go, None if nobody is to send any.
        policy: who may call.
        supported: the presentation contexts we support.
        slots: one for each association that may be open at once.
    """

    def __init__(
        self,
        connection: Connection,
        address: str,
        receive: config.Receive,
        inbox: Inbox,
        reports: Reports | None,
        policy: Policy,
        supported: list[PresentationContext],
        slots: threading.Semaphore,
    ) -> None:
        self.connection = connection
        self.is_idle = True
        self.is_stopping = False
        self._address = address
        self._config = receive
        self._inbox = inbox
        self._reports = reports
        self._policy = policy
        self._supported = supported
        self._slots = slots
        self._has_slot = False
        self._contexts: dict[int, Context] = {}
        self._caller = ""
        self._encoded = bytearray()  # of a command set, so far
        self._request: dimse.Command | None = None  # whose dataset is coming in
        self._reception: Reception | EventReport | None = None
        self._outcomes: collections.Counter[str] = collections.Counter()

    def run(self) -> None:
        """Negotiate and serve until the association ends; raises nothing on account of the peer."""
        end = "failed"
        try:
            end = self._serve()
        except AssociationEnd as over:
            end = str(over)
            if end == "timeout" or self.is_stopping:
                self.connection.abort()
        except ProtocolError as error:
            end = "violation"
            log.warning("protocol violation peer=%s error=%r", self._address, str(error))
            self.connection.abort(error.reason)
        finally:
            if self._reception is not None:
                self._reception.close()
            if self._has_slot:
                self._slots.release()
            self._report(end)

    def stop(self) -> None:
        """End the association as soon as no message is under way; called by another thread."""
        self.is_stopping = True
        if self.is_idle:
            self.connection.interrupt()

    def _serve(self) -> str:
        """Answer the request, then the messages; returns how it ended."""
        request = upper_layer.read_request(self.connection)
        self._caller = str(request.calling_ae_title).strip()
        why = self._policy.objection(request, self._address)
        if why is None:
            self._has_slot = self._slots.acquire(blocking=False)
            why = None if self._has_slot else upper_layer.LIMIT_EXCEEDED
        if why is not None:
            log.warning("association rejected peer=%s reason=%s", self._address, why.name)
            self.connection.reject(why)
            return "rejected"
        self._contexts = upper_layer.accept(
            self.connection, request, self._supported, self._config.max_pdu
        )
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
            self._reception = Reception(command, context, self._caller, self._config, self._inbox)
        elif command.field == dimse.N_EVENT_REPORT_RQ and self._reports is not None:
            self._reception = self._reports.take(command, context, self._caller, self._address)
        if command.has_dataset:
            self._request = command
        else:
            self._answer(context_id, command)

    def _take_dataset(self, fragment: Fragment) -> None:
        """A fragment of the dataset that belongs to the last command."""
        if self._reception is not None:
            self._reception.write(fragment.data)
        if fragment.is_last and self._request is not None:
            command, self._request = self._request, None
            self._answer(fragment.context_id, command)

    def _answer(self, context_id: int, command: dimse.Command) -> None:
        """Do what a complete message asks for and send the response."""
        status, comment = SUCCESS, ""
        if self._reception is not None:
            status, comment, outcome = self._reception.finish()
            self._reception = None
            self._outcomes[outcome] += 1
            if command.field == dimse.C_STORE_RQ:
                metrics.INSTANCES.labels(outcome).inc()
        elif command.field != dimse.C_ECHO_RQ:
            status = UNRECOGNIZED_OPERATION
        if command.field != dimse.C_CANCEL_RQ:
            response = dimse.encode_response(command, status, comment)
            self.connection.send_command(context_id, response)
        self.is_idle = True

    def _report(self, end: str) -> None:
        """Count and log how it ended."""
        metrics.ASSOCIATIONS.labels(end).inc()
        counts = " ".join(f"{name}={count}" for name, count in sorted(self._outcomes.items()))
        log.info("association %s peer=%s caller=%r %s", end, self._address, self._caller, counts)
