"""What an HL7 v2 message changes: in one transaction with its own record, before it is answered.

So a message that was answered is on record with all it says, and one that was not can be sent
again: whatever of it was done is taken back, and nothing is done twice.
"""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa

from msnode import audit, metrics
from msnode.errors import origin
from msnode.hl7v2 import acknowledgment as ack
from msnode.hl7v2.acknowledgment import Fault, Verdict, acknowledge
from msnode.hl7v2.hl7_message import Segment, Unreadable, segments
from msnode.hl7v2.message_header import MessageHeader, header_of
from msnode.store import message_log
from msnode.store.database import is_away
from msnode.store.message_log import Message, Outcome
from msnode.store.orders import place
from msnode.store.patients import accession_key, is_on_record, patient_key
from msnode.twin.clinical import order_hl7
from msnode.twin.clinical.event_csv import RefusedRow, Row
from msnode.twin.clinical.event_hl7 import MergeRow, read_message, read_person, who_of
from msnode.twin.clinical.event_import import Read, take
from msnode.twin.clinical.events import Provenance
from msnode.twin.clinical.order_hl7 import OrderHash, read_orders

log = logging.getLogger(__name__)

PATIENCE_S = 5.0
"""So long it waits for other writers of the database; its sender waits, too."""
UPDATES = ("ADT^A08", "ADT^A31")
RESULTS = ("ORU^R01", "ADT^A40")
OF_NO_CONCERN = tuple(
    f"ADT^A{number:02}"
    for number in (*range(1, 8), *range(9, 18), *range(19, 24), *range(25, 30), 32, 33, 38, 52, 53,
                   54, 55, 60, 61, 62)
)  # fmt: skip
"""They tell where a patient is: accepted, as interface engines send all ADT alike. What is not
among them changes who a patient is, and is refused rather than passed over (A18, A24, A34 …)."""
KINDS = (*RESULTS, *UPDATES, *OF_NO_CONCERN, *order_hl7.KINDS)
CODED = {("OBX", 2), ("OBX", 3), ("OBX", 11), ("MSH", 18)}
"""Fields whose values come from a table or a list."""
NOBODY = MessageHeader((b"MSH", b"|", b"^~\\&"))
"""Stands in for a header that cannot be read."""


class Findings(NamedTuple):
    """What a message came to."""

    outcome: Outcome
    faults: tuple[Fault, ...]
    patients: tuple[str, ...]
    """Their IDs, for the audit trail; () where nothing changed."""
    keys: tuple[str, str]
    """Of the patient, and of the ID that a merge gives up."""


@dataclass(frozen=True, slots=True)
class MessageIntake:
    """Takes messages in.

    Attributes:
        database: migrated.
        secret: see `patients.patient_secret`.
        processing: the only processing ID that is taken (MSH-11).
        has_room: whether the disk takes more.
        trail: the audit trail.
    """

    database: sa.Engine
    secret: bytes
    processing: str
    has_room: Callable[[], bool]
    trail: audit.Trail = audit.SILENT

    def take(self, message: bytes, caller: str) -> bytes | None:
        """Put a message on record, with what it changes, and answer it.

        Args:
            message: as it came, without its block.
            caller: who sent it, as configured.

        Returns:
            The acknowledgment; None where its sender wants none.
        """
        try:
            header = header_of(message)
        except Unreadable as error:
            return self._reject(NOBODY, caller, Fault(ack.SEQUENCE, error.fix, "MSH"))
        if (fault := self._unwanted(header)) is not None:
            return self._reject(header, caller, fault)
        try:
            return self._answered(header, message, caller)
        except sa.exc.IntegrityError:  # it came by another connection, too
            return self._safely(header, message, caller)
        except sa.exc.SQLAlchemyError as error:
            return self._not_now(header, caller, error)

    def _safely(self, header: MessageHeader, message: bytes, caller: str) -> bytes | None:
        try:
            return self._answered(header, message, caller)
        except sa.exc.SQLAlchemyError as error:
            return self._not_now(header, caller, error)

    def _not_now(
        self, header: MessageHeader, caller: str, error: sa.exc.SQLAlchemyError
    ) -> bytes | None:
        """The database cannot be used: its sender has to keep the message."""
        if not is_away(error):
            log.error("message not kept error=%s at=%s", *origin(error))
        why = "the database cannot be used now; send the message again later"
        return self._reject(header, caller, Fault(ack.INTERNAL, why))

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
        if not self.has_room():
            return Fault(ack.INTERNAL, "the disk is nearly full; send the message again later")
        return None

    def _reject(self, header: MessageHeader, caller: str, fault: Fault) -> bytes | None:
        """Answer what is not put on record; its sender still has it."""
        metrics.HL7_MESSAGES.labels(_label(header), "rejected").inc()
        log.warning("message rejected caller=%r kind=%s place=%s error=%d reason=%r", caller,
                    _label(header), fault.place, fault.code, fault.fix)  # fmt: skip
        return acknowledge(header, Verdict.REJECT, (fault,), at=time.time())

    def _answered(self, header: MessageHeader, message: bytes, caller: str) -> bytes | None:
        """In one transaction."""
        now, digest = time.time(), hashlib.sha256(message).hexdigest()
        options = {"sqlite_patience_s": PATIENCE_S}
        with self.database.execution_options(**options).begin() as connection:
            before = message_log.find(connection, header.identity)
            if before is not None:
                return self._repeated(header, before, digest, caller)
            found = self._used(connection, header, message, caller)
            verdict = Verdict.ERROR if found.outcome == Outcome.REFUSED else Verdict.ACCEPT
            answer = acknowledge(header, verdict, found.faults, at=now)
            kept = Message(
                message_id=header.identity,
                digest=digest,
                kind=header.kind,
                control_id=header.text(10),
                caller=caller,
                received_at=now,
                outcome=found.outcome,
                faults=tuple(_told(one) for one in found.faults),
                patient_key=found.keys[0],
                other_key=found.keys[1],
                content=message if found.outcome != Outcome.IGNORED else None,
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
        self, connection: sa.Connection, header: MessageHeader, message: bytes, caller: str
    ) -> Findings:
        """Do what a message says."""
        if header.kind in OF_NO_CONCERN:
            return Findings(Outcome.IGNORED, (), (), ("", ""))
        found: list[Segment] = []
        try:
            with connection.begin_nested():
                found = segments(_joined(message))
                return self._done(connection, header, found, message, caller)
        except Unreadable as error:
            fault = _fault(error.place, error.fix, found)
        except Exception as error:
            if isinstance(error, sa.exc.SQLAlchemyError) and is_away(error):
                raise
            # it would come again and again, and hold up all that its sender has behind it
            log.error("message not understood error=%s at=%s", *origin(error))
            fault = Fault(ack.INTERNAL, "this message cannot be read here; it is kept")
        return Findings(Outcome.REFUSED, (fault,), (), self._keys(found))

    def _done(
        self,
        connection: sa.Connection,
        header: MessageHeader,
        found: list[Segment],
        message: bytes,
        caller: str,
    ) -> Findings:
        """By the kind of message."""
        key_of = partial(patient_key, self.secret)
        keys, today = self._keys(found), date.today()
        if header.kind in order_hl7.KINDS:
            hashes = OrderHash(key_of, partial(accession_key, self.secret))
            for order in read_orders(found, hashes):
                place(connection, order, time.time())
            return Findings(Outcome.USED, (), _patients(found), keys)
        rows: list[Read]
        if header.kind in UPDATES:
            rows = list(read_person(found, key_of, today))
            if not is_on_record(connection, keys[0]):
                return Findings(Outcome.IGNORED, (), (), ("", ""))
        else:
            rows = list(read_message(_joined(message), 1, key_of, today))
        return self._taken(connection, header, rows, found, caller)

    def _taken(
        self,
        connection: sa.Connection,
        header: MessageHeader,
        rows: Sequence[Row | RefusedRow | MergeRow],
        found: list[Segment],
        caller: str,
    ) -> Findings:
        """Add what rows say; what is wrong with a part leaves the other parts alone."""
        name = f"{header.kind} {header.text(10)}"[:64]
        from_there = partial(Provenance, "hl7", name, imported_at=time.time(), imported_by=caller)
        merged: list[MergeRow] = []
        done, refused = take(connection, rows, caller, from_there, merged.append)
        faults = tuple(
            _fault(flaw.column, flaw.fix, found, ack.UNKNOWN_KEY if is_merge else None)
            for row in refused
            for flaw in row.flaws
            for is_merge in [any(isinstance(one, MergeRow) for one in rows)]
        )
        touched = _patients(found) if done.added else ()
        patients = tuple(one for pair in merged for one in pair.patients) or touched
        outcome = Outcome.REFUSED if faults else Outcome.USED
        return Findings(outcome, faults, patients, self._keys(found))

    def _keys(self, found: Iterable[Segment]) -> tuple[str, str]:
        """Keys of the patient, and of the ID that a merge gives up, as far as they are plain."""
        keys = {"PID": "", "MRG": ""}
        for one in found:
            if one.name in keys:
                with suppress(Unreadable):  # what is wrong is told where it is read
                    who = who_of(one, 3 if one.name == "PID" else 1)
                    keys[one.name] = patient_key(self.secret, *who)
        return keys["PID"], keys["MRG"]


def _joined(message: bytes) -> bytes:
    """A message with its segments ended by CR, as some end them otherwise."""
    return b"\r".join(line for line in re.split(rb"[\r\n]+", message) if line.strip())


def _patients(found: Iterable[Segment]) -> tuple[str, ...]:
    """PatientIDs of a message, each once."""
    return tuple(dict.fromkeys(who_of(one, 3)[0] for one in found if one.name == "PID"))


def _fault(place: str, fix: str, found: Sequence[Segment], code: int | None = None) -> Fault:
    """What is wrong, with the place as an answer names it."""
    match = re.fullmatch(r"(?:segment (\d+))?(?:, )?(?:(\w{3})-(\d+).*)?", place)
    number, name, field = match.groups() if match else (None, None, None)
    if number is not None and int(number) <= len(found):
        one = found[int(number) - 1]
        same = [other for other in found[: one.number] if other.name == one.name]
        is_its = name == one.name
        at = (one.name, len(same), int(field) if is_its and field else 0)
    else:
        at = (name or "", 1, int(field or 0))
    if code is None:
        code = ack.NOT_IN_TABLE if (at[0], at[2]) in CODED else ack.DATA_TYPE
        code = code if at[0] and at[2] else ack.SEQUENCE
    return Fault(code, fix, *at)


def _told(fault: Fault) -> dict[str, Any]:
    """A fault as it is kept."""
    return {"place": fault.place, "code": fault.code, "fix": fault.fix}


def _label(header: MessageHeader) -> str:
    """The kind of a message as a metric's label: only known ones, as anybody may send others."""
    return header.kind if header.kind in KINDS else "other"


def _count(message: Message) -> None:
    metrics.HL7_MESSAGES.labels(message.kind, message.outcome).inc()
    places = ",".join(dict.fromkeys(str(one["place"]) for one in message.faults))
    level = logging.WARNING if message.faults else logging.INFO
    log.log(level, "message caller=%r kind=%s outcome=%s faults=%d places=%s", message.caller,
            message.kind, message.outcome, len(message.faults), places)  # fmt: skip
