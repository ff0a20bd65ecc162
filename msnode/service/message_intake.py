"""What an HL7 v2 message changes: in one transaction with its own record, before it is answered.

So a message that was answered is on record with all it says, and one that was not can be sent
again: whatever of it was done is taken back, and nothing is done twice.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa

from msnode import audit, metrics
from msnode.errors import TryLater, origin
from msnode.hl7v2 import acknowledgment as ack
from msnode.hl7v2.acknowledgment import Fault, Verdict, acknowledge
from msnode.hl7v2.hl7_message import Unreadable
from msnode.hl7v2.message_header import MessageHeader, header_of
from msnode.receive.access.log_throttle import LogThrottle
from msnode.service.message_reading import (
    KINDS,
    OF_NO_CONCERN,
    UPDATES,
    Said,
    fault_at,
    read_said,
)
from msnode.store import message_log
from msnode.store.database import is_away
from msnode.store.message_log import Message, Outcome
from msnode.store.orders import place
from msnode.store.patients import is_on_record
from msnode.twin.clinical.event_hl7 import MergeRow
from msnode.twin.clinical.event_import import take
from msnode.twin.clinical.events import Provenance

log = logging.getLogger(__name__)

PATIENCE_S = 5.0
"""So long it waits for other writers of the database; its sender waits, too."""
NOBODY = MessageHeader((b"MSH", b"|", b"^~\\&"))
"""Stands in for a header that cannot be read."""


class Findings(NamedTuple):
    """What a message came to."""

    outcome: Outcome
    faults: tuple[Fault, ...]
    patients: tuple[str, ...]
    """Their IDs, for the audit trail; () where nothing changed."""


STRANGERS = Fault(
    ack.UNKNOWN_KEY,
    "another patient's order has this number: give it with a namespace, or merge them first (A40)",
    "PID",
    field=3,
)
"""Of an order."""
IGNORED = Findings(Outcome.IGNORED, (), ())


@dataclass(frozen=True, slots=True)
class MessageIntake:
    """Takes messages in.

    Attributes:
        database: migrated.
        secret: see `patients.patient_secret`.
        processing: the only processing ID that is taken (MSH-11).
        has_room: whether the disk takes more.
        trail: the audit trail.
        throttle: of what is logged again and again, as of messages that an engine sends in error.
    """

    database: sa.Engine
    secret: bytes
    processing: str
    has_room: Callable[[], bool]
    trail: audit.Trail = audit.SILENT
    throttle: LogThrottle = field(default_factory=LogThrottle)

    def take(self, message: bytes, caller: str) -> bytes | None:
        """Put a message on record, with what it changes, and answer it.

        Args:
            message: as it came, without its block.
            caller: who sent it, as configured.

        Returns:
            The acknowledgment; None where its sender wants none.

        Raises:
            TryLater: it cannot be put on record now. An answer would be an error to its sender, who
                may then pass on to the next; without one he sends it again.
        """
        try:
            header = header_of(message)
        except Unreadable as error:
            return self._reject(NOBODY, caller, Fault(ack.SEQUENCE, error.fix, "MSH"))
        if (fault := self._unwanted(header)) is not None:
            return self._reject(header, caller, fault)
        if not self.has_room():
            raise self._not_now(header, "the disk is nearly full")
        try:
            try:
                return self._answered(header, message, caller)
            except sa.exc.IntegrityError:  # it came by another connection, too
                return self._answered(header, message, caller)
        except sa.exc.SQLAlchemyError as error:
            if not is_away(error):
                log.error("message not kept error=%s at=%s", *origin(error))
            raise self._not_now(header, "the database cannot be used") from error

    def _not_now(self, header: MessageHeader, why: str) -> TryLater:
        """What keeps a message from being put on record now; its sender has to keep it."""
        metrics.HL7_MESSAGES.labels(_label(header), "postponed").inc()
        return TryLater(f"a message is not taken now: {why}")

    def _unwanted(self, header: MessageHeader) -> Fault | None:
        """Why a message is none that is taken here, by its header alone."""
        if not header.text(10):
            return Fault(ack.MISSING, "a message wants an ID", "MSH", 1, 10)
        if not header.text(12).startswith("2."):
            return Fault(ack.WRONG_VERSION, "only versions 2.x are taken", "MSH", 1, 12)
        if header.text(11) != self.processing:
            why = f"only messages of processing ID {self.processing} are taken"
            return Fault(ack.WRONG_PROCESSING, why, "MSH", 1, 11)
        if header.kind not in KINDS:
            known = {kind.partition("^")[0] for kind in KINDS}
            is_event = header.text(9) in known
            code = ack.WRONG_EVENT if is_event else ack.WRONG_TYPE
            return Fault(code, "such messages are not taken", "MSH", 1, 9)
        return None

    def _reject(self, header: MessageHeader, caller: str, fault: Fault) -> bytes | None:
        """Answer what is not put on record; its sender still has it."""
        metrics.HL7_MESSAGES.labels(_label(header), "rejected").inc()
        if times := self.throttle.count((caller, _label(header), fault.code)):
            log.warning("message rejected caller=%r kind=%s place=%s error=%d reason=%r times=%d",
                        caller, _label(header), fault.place, fault.code, fault.fix,
                        times)  # fmt: skip
        return acknowledge(header, Verdict.REJECT, (fault,), at=time.time())

    def _answered(self, header: MessageHeader, message: bytes, caller: str) -> bytes | None:
        """In one transaction."""
        now, digest = time.time(), hashlib.sha256(message).hexdigest()
        said = read_said(header, message, self.secret)
        options = {"sqlite_patience_s": PATIENCE_S}
        with self.database.execution_options(**options).begin() as connection:
            before = message_log.find(connection, header.identity)
            if before is not None:
                return self._repeated(header, before, digest, caller)
            found = self._used(connection, header, said, caller)
            verdict = Verdict.ERROR if found.outcome == Outcome.REFUSED else Verdict.ACCEPT
            answer = acknowledge(header, verdict, found.faults, at=now)
            is_kept = found.outcome != Outcome.IGNORED
            kept = Message(
                message_id=header.identity,
                digest=digest,
                kind=header.kind,
                control_id=header.text(10),
                caller=caller,
                received_at=now,
                outcome=found.outcome,
                faults=tuple(_told(one) for one in found.faults),
                patient_key=said.keys[0] if is_kept else "",
                other_key=said.keys[1] if is_kept else "",
                content=message if is_kept else None,
                answer=answer,
            )
            message_log.add(connection, kept)
            for patient in found.patients:  # before it is so: a change that nobody heard of
                self.trail.patient_record(caller, audit.Access.UPDATED, patient)
        _count(kept)
        return answer

    def _repeated(
        self, header: MessageHeader, before: Message, digest: str, caller: str
    ) -> bytes | None:
        """The answer to a message that has come before: the same, if it is the same."""
        if before.digest == digest:
            metrics.HL7_MESSAGES.labels(before.kind, "repeated").inc()
            return before.answer
        why = "another message had this ID and this time; nothing of this one is kept"
        return self._reject(header, caller, Fault(ack.DUPLICATE_KEY, why, "MSH", 1, 10))

    def _used(
        self, connection: sa.Connection, header: MessageHeader, said: Said, caller: str
    ) -> Findings:
        """Do what a message says."""
        if header.kind in OF_NO_CONCERN:
            return IGNORED
        fault = said.fault
        if fault is None:
            try:
                with connection.begin_nested():
                    return self._done(connection, header, said, caller)
            except Exception as error:
                if isinstance(error, sa.exc.SQLAlchemyError) and is_away(error):
                    raise
                # it would come again and again, and hold up all that its sender has behind it
                log.error("message not understood error=%s at=%s", *origin(error))
                fault = Fault(ack.INTERNAL, "this message cannot be used here; it is kept")
        return Findings(Outcome.REFUSED, (fault,), ())

    def _done(
        self, connection: sa.Connection, header: MessageHeader, said: Said, caller: str
    ) -> Findings:
        """By the kind of message."""
        if said.orders:
            fits = [place(connection, order, time.time()) for order in said.orders]
            if not all(fits):
                return Findings(Outcome.REFUSED, (STRANGERS,), said.patients if any(fits) else ())
            return Findings(Outcome.USED, (), said.patients)
        if header.kind in UPDATES and not is_on_record(connection, said.keys[0]):
            return IGNORED
        return self._taken(connection, header, said, caller)

    def _taken(
        self, connection: sa.Connection, header: MessageHeader, said: Said, caller: str
    ) -> Findings:
        """Add what rows say; what is wrong with a part leaves the other parts alone."""
        name = f"{header.kind} {header.text(10)}"[:64]
        from_there = partial(Provenance, "hl7", name, imported_at=time.time(), imported_by=caller)
        merged: list[MergeRow] = []
        done, refused = take(connection, said.rows, caller, from_there, merged.append)
        code = ack.UNKNOWN_KEY if any(isinstance(one, MergeRow) for one in said.rows) else None
        faults = tuple(
            fault_at(flaw.column, flaw.fix, said.found, code)
            for row in refused
            for flaw in row.flaws
        )
        touched = said.patients if done.added else ()
        patients = tuple(one for pair in merged for one in pair.patients) or touched
        return Findings(Outcome.REFUSED if faults else Outcome.USED, faults, patients)


def _told(fault: Fault) -> dict[str, Any]:
    """A fault as it is kept."""
    return {"place": fault.place, "code": fault.code, "fix": fault.fix}


def _label(header: MessageHeader) -> str:
    """The kind of a message as a metric's label: only known ones, as anybody may send others."""
    return header.kind if header.kind in KINDS else "other"


def _count(message: Message) -> None:
    """Every message has its line; a refused one is listed, so it needs no louder one."""
    metrics.HL7_MESSAGES.labels(message.kind, message.outcome).inc()
    if message.outcome == Outcome.REFUSED:
        metrics.QUARANTINED.labels("hl7_message").inc()
    places = ",".join(dict.fromkeys(str(one["place"]) for one in message.faults))
    log.info("message caller=%r kind=%s outcome=%s faults=%d places=%s", message.caller,
             message.kind, message.outcome, len(message.faults), places)  # fmt: skip
