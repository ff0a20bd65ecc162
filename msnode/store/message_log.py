"""HL7 v2 messages on record: each once, with what became of it and the answer it got."""

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from msnode.store.hl7_tables import hl7_messages, orders


class Outcome(StrEnum):
    """What became of a message."""

    USED = "used"
    """It changed something, or said what was known."""
    IGNORED = "ignored"
    """It is of no concern; its content is not kept."""
    REFUSED = "refused"
    """Something in it cannot be used: it waits for an administrator."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message on record.

    Attributes:
        message_id: of `MessageHeader.identity`.
        digest: sha256 hex digest of all of it.
        kind: as ORU^R01.
        control_id: MSH-10.
        caller: who sent it, as configured.
        received_at: unix time in seconds.
        outcome: what became of it.
        faults: what is wrong in it: place, code and fix; quotes nothing.
        patient_key: see `store.patients`; "" where it is not known.
        other_key: of a merge, the ID given up.
        content: as it came; None where nothing of it was of use.
        answer: what was answered; None for nothing.
    """

    message_id: str
    digest: str
    kind: str
    control_id: str
    caller: str
    received_at: float
    outcome: Outcome
    faults: tuple[dict[str, Any], ...] = ()
    patient_key: str = ""
    other_key: str = ""
    content: bytes | None = None
    answer: bytes | None = None


def find(connection: sa.Connection, message_id: str) -> Message | None:
    """A message on record; None where there is none."""
    query = sa.select(hl7_messages).where(hl7_messages.c.message_id == message_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _message(row)


def add(connection: sa.Connection, message: Message) -> None:
    """Put a message on record.

    Raises:
        sqlalchemy.exc.IntegrityError: it is there already.
    """
    values = asdict(message) | {"faults": json.dumps(message.faults)}
    connection.execute(hl7_messages.insert().values(values))


def listed(connection: sa.Connection, outcome: Outcome | None, limit: int) -> Iterator[Message]:
    """Messages on record, the newest first."""
    query = sa.select(hl7_messages).order_by(hl7_messages.c.received_at.desc()).limit(limit)
    if outcome is not None:
        query = query.where(hl7_messages.c.outcome == outcome)
    yield from map(_message, connection.execute(query).mappings())


def remove(connection: sa.Connection, message_id: str) -> bool:
    """Delete a message that has been looked at; returns whether it was there."""
    mine = hl7_messages.c.message_id == message_id
    return bool(connection.execute(hl7_messages.delete().where(mine)).rowcount)


def number(connection: sa.Connection, keys: Collection[str]) -> int:
    """How many messages and orders there are under these keys of patients."""
    columns = hl7_messages.c
    told = sa.or_(columns.patient_key.in_(keys), columns.other_key.in_(keys))
    count = sa.select(sa.func.count())
    ordered = count.select_from(orders).where(orders.c.patient_key.in_(keys))
    return (connection.scalar(count.select_from(hl7_messages).where(told)) or 0) + (
        connection.scalar(ordered) or 0
    )


def forget_messages(connection: sa.Connection, keys: Collection[str]) -> int:
    """Delete the messages of these patients' keys; returns how many they were."""
    columns = hl7_messages.c
    mine = sa.or_(columns.patient_key.in_(keys), columns.other_key.in_(keys))
    return connection.execute(hl7_messages.delete().where(mine)).rowcount


def expired(connection: sa.Connection, before: float, outcomes: Collection[Outcome]) -> int | None:
    """Bytes of the messages that came before a time; None where there is neither message nor order.

    Args:
        connection: to the database.
        before: unix time in seconds.
        outcomes: of the messages.
    """
    columns = hl7_messages.c
    sums = sa.func.count(), sa.func.sum(sa.func.length(columns.content))
    count, size = connection.execute(sa.select(*sums).where(_old(before, outcomes))).one()
    stale = sa.select(sa.func.count()).where(orders.c.received_at < before)
    if Outcome.USED in outcomes:
        count += connection.scalar(stale) or 0
    return (size or 0) if count else None


def expire(connection: sa.Connection, before: float, outcomes: Collection[Outcome]) -> None:
    """Delete what `expired` counts; with messages that were used go the orders that are as old."""
    connection.execute(hl7_messages.delete().where(_old(before, outcomes)))
    if Outcome.USED in outcomes:
        connection.execute(orders.delete().where(orders.c.received_at < before))


def _old(before: float, outcomes: Collection[Outcome]) -> sa.ColumnElement[bool]:
    columns = hl7_messages.c
    return sa.and_(columns.received_at < before, columns.outcome.in_(outcomes))


def _message(row: sa.RowMapping) -> Message:
    faults = tuple(json.loads(row["faults"]))
    return Message(**{**row, "outcome": Outcome(row["outcome"]), "faults": faults})
