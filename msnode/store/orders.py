"""Orders of studies as other systems tell them: who is to be read at once.

An order and its study find each other whichever comes first: by StudyInstanceUID, or by
AccessionNumber and patient. Of what is told of an order the newest counts, whichever comes last.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from msnode.store.database import StudyState, studies
from msnode.store.hl7_tables import orders
from msnode.store.patients import are_one, contradict


@dataclass(frozen=True, slots=True)
class Order:
    """What one message says of an order.

    Attributes:
        order_key: of the order, the same in all messages.
        patient_key: see `store.patients`.
        accession_key: see `patients.accession_key`; "" where it is not told.
        study_key: hash of the StudyInstanceUID; "" likewise.
        told_at: time of the message, YYYYMMDDHHMMSS.
        stat: to be read at once.
        cancelled: or discontinued.
        procedure: what is ordered, for people.
        reason: why, for people.
    """

    order_key: str
    patient_key: str
    accession_key: str
    study_key: str
    told_at: str
    stat: bool
    cancelled: bool
    procedure: str
    reason: str


def place(connection: sa.Connection, order: Order, now: float) -> bool:
    """Keep what is told of an order, unless something newer is on record.

    Of two messages of one second a cancellation counts.

    Args:
        connection: in a transaction.
        order: what is told.
        now: unix time in seconds.

    Returns:
        Whether it is on record now.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values: dict[str, Any] = {name: getattr(order, name) for name in Order.__dataclass_fields__}
    values |= {"received_at": now, "is_news": order.stat and not order.cancelled}
    kept = ("accession_key", "study_key", "procedure", "reason") if order.cancelled else ()
    fresh = {name: value for name, value in values.items() if name not in kept or value}
    columns = orders.c
    is_newer = sa.or_(
        columns.told_at < order.told_at,
        sa.and_(
            columns.told_at == order.told_at,
            sa.or_(~columns.cancelled, sa.literal(order.cancelled)),
        ),
    )
    statement = dialect.insert(orders).values(values)
    statement = statement.on_conflict_do_update(
        index_elements=[columns.order_key], set_=fresh, where=is_newer
    )
    return bool(connection.execute(statement).rowcount)


def is_stat(connection: sa.Connection, study_key: str) -> bool:
    """Whether an order wants a study to be read at once."""
    columns = studies.c
    query = sa.select(columns.patient_key, columns.accession_key).where(
        columns.study_key == study_key
    )
    study = connection.execute(query).one_or_none()
    if study is None:
        return False
    is_its = [orders.c.study_key == study_key]
    if study.accession_key:
        is_its.append(orders.c.accession_key == study.accession_key)
    wanted = sa.select(orders.c.patient_key).where(
        sa.or_(*is_its), orders.c.stat, ~orders.c.cancelled
    )
    keys = connection.scalars(wanted).all()
    return any(_fits(connection, key, study.patient_key) for key in keys)


def _fits(connection: sa.Connection, one: str, other: str) -> bool:
    """Whether an order and a study may be of one patient."""
    return not contradict(one, other) or are_one(connection, one, other)


def take_news(connection: sa.Connection) -> list[tuple[str, int]]:
    """Studies that wait in the engine's queue, for which an order came that wants them at once.

    Returns:
        Study key and generation. Each order is looked at once: a study that comes later finds it
        by itself.
    """
    news = connection.execute(sa.select(orders).where(orders.c.is_news)).mappings().all()
    if not news:
        return []
    seen = [row["order_key"] for row in news]
    connection.execute(orders.update().where(orders.c.order_key.in_(seen)).values(is_news=False))
    columns = studies.c
    is_its = sa.or_(
        columns.study_key.in_([row["study_key"] for row in news if row["study_key"]]),
        columns.accession_key.in_([row["accession_key"] for row in news if row["accession_key"]]),
    )
    query = sa.select(columns.study_key, columns.generation).where(
        is_its, columns.state == StudyState.QUEUED
    )
    found = [(row.study_key, row.generation) for row in connection.execute(query)]
    return [one for one in found if is_stat(connection, one[0])]


def forget_orders(connection: sa.Connection, keys: Collection[str], study_key: str = "") -> int:
    """Delete the orders of these patients' keys, and of a study; returns how many they were."""
    mine: list[sa.ColumnElement[bool]] = [orders.c.patient_key.in_(keys)]
    if study_key:
        accession = sa.select(studies.c.accession_key).where(studies.c.study_key == study_key)
        known = connection.scalar(accession)
        mine.append(orders.c.study_key == study_key)
        if known:
            mine.append(orders.c.accession_key == known)
    return connection.execute(orders.delete().where(sa.or_(*mine))).rowcount
