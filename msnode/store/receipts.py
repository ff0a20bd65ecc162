"""The receipts in the database: what became of every result object at every destination."""

import time
from collections.abc import Collection
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from msnode import metrics
from msnode.records.receipt import Commitment, Receipt
from msnode.store.commitments import Commitments, Request, remedy
from msnode.store.database import receipts, results

KEY = (receipts.c.destination, receipts.c.sop_instance_uid)
FIELDS = (
    *KEY,
    receipts.c.status,
    receipts.c.delivered,
    receipts.c.attempts,
    receipts.c.detail,
    receipts.c.retry,
    receipts.c.sent,
    receipts.c.superseded,
)
"""The columns of a Receipt, under the names of its attributes."""


def proven(receipt: Receipt) -> Receipt:
    """The receipt of an object that the destination has for certain."""
    return replace(receipt, delivered=True, detail="", retry=False, sent=False)


def count(receipt: Receipt) -> None:
    """Count what became of an object; what is refused for good is dead at once."""
    outcome = "retried" if receipt.retry else "dead"
    if receipt.superseded:
        outcome = "superseded"
    elif receipt.delivered or receipt.sent:
        outcome = "delivered" if receipt.delivered else "sent"
    metrics.DELIVERIES.labels(receipt.destination, outcome).inc()


class Receipts:
    """One row per destination and object; the last attempt's receipt replaces the one before."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def save(self, receipt: Receipt, study_key: str, generation: int) -> None:
        """Keep a receipt; one that says delivered is never taken back by a later one."""
        with self._engine.begin() as connection:
            self._save(connection, receipt, study_key, generation)

    def of(self, study_key: str, generation: int) -> tuple[Receipt, ...]:
        """The receipts of one result, by destination and object."""
        return self._where(receipts.c.study_key == study_key, receipts.c.generation == generation)

    def of_studies(self, keys: Collection[str]) -> dict[tuple[str, int], tuple[Receipt, ...]]:
        """The receipts of all results of these studies, by study and generation."""
        columns = receipts.c
        query = sa.select(columns.study_key, columns.generation, *FIELDS)
        found: dict[tuple[str, int], list[Receipt]] = {}
        with self._engine.connect() as connection:
            wanted = query.where(columns.study_key.in_(keys)).order_by(*KEY)
            for study_key, generation, *fields in connection.execute(wanted):
                found.setdefault((study_key, generation), []).append(Receipt(*fields))
        return {place: tuple(mine) for place, mine in found.items()}

    def at(self, destination: str, study_key: str, generation: int) -> tuple[Receipt, ...]:
        """The receipts of one result at one destination."""
        found = self.of(study_key, generation)
        return tuple(receipt for receipt in found if receipt.destination == destination)

    def sent(self, destination: str, study_key: str, generation: int) -> tuple[Receipt, ...]:
        """Those of objects whose proof is outstanding."""
        found = self.at(destination, study_key, generation)
        return tuple(receipt for receipt in found if receipt.sent)

    def newest(self, study_key: str) -> int:
        """The newest generation of a study that has a result; 0 where none has."""
        query = sa.select(sa.func.max(results.c.generation)).where(results.c.study_key == study_key)
        with self._engine.connect() as connection:
            return connection.scalar(query) or 0

    def reset(self, destination: str, study_key: str, generation: int) -> int:
        """Take a destination as having nothing of a result; returns of how many objects."""
        mine = (
            receipts.c.destination == destination,
            receipts.c.study_key == study_key,
            receipts.c.generation == generation,
        )
        values = {"delivered": False, "sent": False, "superseded": False, "retry": True}
        with self._engine.begin() as connection:
            return connection.execute(receipts.update().where(*mine).values(values)).rowcount

    def awaiting(self) -> frozenset[tuple[str, int, str]]:
        """Study key, generation and destination of what was sent whole and waits for its proof."""
        result = (receipts.c.study_key, receipts.c.generation, receipts.c.destination)
        unsent = sa.func.sum(sa.case((receipts.c.sent, 0), else_=1))
        query = sa.select(*result).where(~receipts.c.delivered).group_by(*result)
        with self._engine.connect() as connection:
            rows = connection.execute(query.having(unsent == 0)).all()
        return frozenset((row[0], row[1], row[2]) for row in rows)

    def settle(self, request: Request, commitments: Commitments) -> tuple[Receipt, ...]:
        """Bring a peer's report on a commitment request into the receipts, once.

        Returns:
            The receipts that it changed.
        """
        mine = (
            receipts.c.study_key == request.study_key,
            receipts.c.generation == request.generation,
            receipts.c.destination == request.destination,
            ~receipts.c.delivered,
        )
        with self._engine.begin() as connection:
            said = commitments.settle(connection, request.transaction_uid)
            if said is None:
                return ()
            is_last = commitments.is_last(connection, request)
            rows = connection.execute(sa.select(*FIELDS).where(*mine)).mappings().all()
            before = [Receipt(**row) for row in rows]
            after = [_settled(receipt, said, is_last) for receipt in before]
            changed = [new for old, new in zip(before, after, strict=True) if new != old]
            for receipt in changed:
                self._save(connection, receipt, request.study_key, request.generation)
        return tuple(changed)

    def _save(
        self, connection: sa.Connection, receipt: Receipt, study_key: str, generation: int
    ) -> None:
        values = {column.name: getattr(receipt, column.name) for column in FIELDS}
        values |= {"study_key": study_key, "generation": generation, "updated_at": time.time()}
        statement = (
            self._insert(receipts)
            .values(values)
            .on_conflict_do_update(
                index_elements=KEY,
                set_=values,
                where=sa.or_(~receipts.c.delivered, sa.literal(receipt.delivered)),
            )
        )
        connection.execute(statement)

    def _where(self, *conditions: sa.ColumnElement[bool]) -> tuple[Receipt, ...]:
        query = sa.select(*FIELDS).where(*conditions).order_by(*KEY)
        with self._engine.connect() as connection:
            return tuple(Receipt(**row) for row in connection.execute(query).mappings())


def _settled(receipt: Receipt, said: Commitment, is_last: bool) -> Receipt:
    """What a report makes of an undelivered object.

    A commitment counts whenever it comes. A failure counts on what is still as it was when the
    peer was asked: not if it was asked again since, or the object is about to be sent anyway.
    """
    uid = receipt.sop_instance_uid
    if uid in said.committed:
        return proven(receipt)
    if uid not in said.failed or not receipt.sent or not is_last:
        return receipt
    detail, helps = remedy(said.failed[uid])
    return replace(receipt, detail=detail, retry=helps != "none", sent=helps == "ask")
