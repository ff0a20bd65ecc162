"""Storage commitment (PS3.4 J): what was asked, and what the peers report.

A report comes over the association of the request, or over a new one to the listener, which may be
another host's. Whoever hears it writes it down here; whoever delivers reads it here.
"""

import json
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from msnode.errors import Refused, TryLater
from msnode.records.receipt import Commitment
from msnode.store.database import commitments as table

if TYPE_CHECKING:  # it takes a while to import, and who only lists jobs reads no dataset
    from pydicom import Dataset

Remedy = Literal["resend", "ask", "none"]

FAILURES: dict[int, tuple[str, Remedy]] = {
    0x0110: ("Processing failure", "ask"),
    0x0112: ("No such object instance", "resend"),
    0x0119: ("Class / Instance conflict", "none"),
    0x0122: ("Referenced SOP Class not supported", "none"),
    0x0131: ("Duplicate transaction UID", "ask"),  # the next request has another one
    0x0213: ("Resource limitation", "ask"),
}
"""Failure Reason (PS3.3 C.14.1.1): in words, and what helps where a peer does not commit itself.

``ask``: it may have the object, so that it is only asked again. Of other reasons nothing is known,
and sending again does no harm.
"""


class State(StrEnum):
    """Of a request, in the order in which they follow one another."""

    REQUESTED = "requested"  # the peer's report is outstanding
    EXPIRED = "expired"  # given up; a report that comes all the same is taken
    REPORTED = "reported"  # the report is here
    SETTLED = "settled"  # and the receipts say what it said


@dataclass(frozen=True, slots=True)
class Request:
    """A request for storage commitment.

    Attributes:
        transaction_uid: identifies it in the report; never used twice (PS3.4 J.3.2.1).
        requested_at: unix time in seconds.
    """

    transaction_uid: str
    destination: str
    study_key: str
    generation: int
    requested_at: float
    state: State


class Commitments:
    """The requests in the database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, transaction_uid: str, destination: str, study_key: str, generation: int) -> None:
        """Note a request before it goes out, so that a report can never be unknown."""
        row = {
            "transaction_uid": transaction_uid,
            "destination": destination,
            "study_key": study_key,
            "generation": generation,
            "requested_at": time.time(),
            "state": State.REQUESTED,
        }
        with self._engine.begin() as connection:
            connection.execute(table.insert().values(row))

    def report(self, commitment: Commitment, destinations: Collection[str]) -> bool:
        """Keep a report; the first one counts.

        Args:
            commitment: the report.
            destinations: in whose name the peer may speak.

        Returns:
            Whether it was one of these destinations that had been asked.

        Raises:
            TryLater: the database cannot be reached or written now.
        """
        said = {"committed": sorted(commitment.committed), "failed": dict(commitment.failed)}
        mine = (
            table.c.transaction_uid == commitment.transaction_uid,
            table.c.destination.in_(destinations),
        )
        waiting = table.c.state.in_((State.REQUESTED, State.EXPIRED))
        values = {"state": State.REPORTED, "report": json.dumps(said)}
        try:
            with self._engine.begin() as connection:
                connection.execute(table.update().where(*mine, waiting).values(values))
                query = sa.select(sa.literal(1)).where(*mine)
                return connection.scalar(query) is not None
        except sa.exc.OperationalError as error:
            raise TryLater(f"the database cannot be used now: {error.orig}") from error

    def of(self, destination: str, study_key: str, generation: int) -> tuple[Request, ...]:
        """The requests about one result at one destination, oldest first."""
        return self._where(*_about(destination, study_key, generation))

    def reported(self) -> tuple[Request, ...]:
        """Requests whose report nobody has read yet, oldest first."""
        return self._where(table.c.state == State.REPORTED)

    def expire(self, transaction_uids: Iterable[str]) -> None:
        """Expect no report any more."""
        mine = table.c.transaction_uid.in_(list(transaction_uids))
        with self._engine.begin() as connection:
            connection.execute(
                table.update()
                .where(mine, table.c.state == State.REQUESTED)
                .values(state=State.EXPIRED)
            )

    def settle(self, connection: sa.Connection, transaction_uid: str) -> Commitment | None:
        """Take a report, once, in the transaction that brings it into the receipts."""
        said = connection.scalar(
            table.update()
            .where(table.c.transaction_uid == transaction_uid, table.c.state == State.REPORTED)
            .values(state=State.SETTLED)
            .returning(table.c.report)
        )
        if said is None:
            return None
        parts = json.loads(said)
        return Commitment(transaction_uid, frozenset(parts["committed"]), parts["failed"])

    def is_last(self, connection: sa.Connection, request: Request) -> bool:
        """Whether the peer was not asked again about the same result."""
        later = sa.select(sa.literal(1)).where(
            *_about(request.destination, request.study_key, request.generation),
            table.c.requested_at > request.requested_at,
        )
        return connection.scalar(later.limit(1)) is None

    def _where(self, *conditions: sa.ColumnElement[bool]) -> tuple[Request, ...]:
        columns = [column for column in table.c if column.name != "report"]
        query = sa.select(*columns).where(*conditions).order_by(table.c.requested_at)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(Request(**{**row, "state": State(row["state"])}) for row in rows)


def _about(destination: str, study_key: str, generation: int) -> tuple[sa.ColumnElement[bool], ...]:
    """Requests about one result at one destination."""
    return (
        table.c.study_key == study_key,
        table.c.generation == generation,
        table.c.destination == destination,
    )


def read_report(information: "Dataset") -> Commitment:
    """Read the Event Information of an N-EVENT-REPORT (PS3.4 J.3.3), event type 1 or 2.

    Raises:
        Refused: an attribute is missing, or is not what it should be.
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
    except Exception as error:  # elements are decoded here, with all that others got wrong
        raise Refused(f"the commitment report is damaged: {type(error).__name__}") from error


def remedy(reason: int) -> tuple[str, Remedy]:
    """A Failure Reason in words, e.g. ``0x0112 No such object instance``, and what helps."""
    text, helps = FAILURES.get(reason, ("not in PS3.3 C.14.1.1", "resend"))
    return f"not committed: 0x{reason:04X} {text}", helps
