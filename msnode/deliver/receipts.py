"""The receipts in the database: what became of every result object at every destination."""

import time

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from msnode.database import receipts
from msnode.records import Receipt

KEY = (receipts.c.destination, receipts.c.sop_instance_uid)
FIELDS = (
    *KEY,
    receipts.c.status,
    receipts.c.delivered,
    receipts.c.attempts,
    receipts.c.detail,
    receipts.c.retry,
)
"""The columns of a Receipt, under the names of its attributes."""


class Receipts:
    """One row per destination and object; the last attempt's receipt replaces the one before."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def save(self, receipt: Receipt, study_key: str, generation: int) -> None:
        """Keep a receipt; one that says delivered is never taken back by a later one."""
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
        with self._engine.begin() as connection:
            connection.execute(statement)

    def of(self, study_key: str, generation: int) -> tuple[Receipt, ...]:
        """The receipts of one result, by destination and object."""
        return self._where(receipts.c.study_key == study_key, receipts.c.generation == generation)

    def pending(self, destination: str | None = None) -> tuple[Receipt, ...]:
        """What is not delivered but still worth another attempt, at one destination or all."""
        mine = [] if destination is None else [receipts.c.destination == destination]
        return self._where(~receipts.c.delivered, receipts.c.retry, *mine)

    def _where(self, *conditions: sa.ColumnElement[bool]) -> tuple[Receipt, ...]:
        query = sa.select(*FIELDS).where(*conditions).order_by(*KEY)
        with self._engine.connect() as connection:
            return tuple(Receipt(**row) for row in connection.execute(query).mappings())
