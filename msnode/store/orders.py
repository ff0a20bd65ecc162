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


@dataclass(frozen=True, slots=True)
class News:
    """Urgent orders, and studies.

    Attributes:
        orders: key and time of each.
        studies: key and generation of those that wait in the queue.
    """

    orders: tuple[tuple[str, str], ...] = ()
    studies: tuple[tuple[str, int], ...] = ()


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


def find_news(connection: sa.Connection) -> News:
    """Urgent orders that nobody has looked at, and the studies in the queue that they are for.

    They count as looked at with `settle_news`. A study that comes later finds its order by itself.
    """
    columns = orders.c
    query = sa.select(columns.order_key, columns.told_at, columns.study_key, columns.accession_key)
    news = connection.execute(query.where(columns.is_news)).all()
    if not news:
        return News()
    is_its = sa.or_(
        studies.c.study_key.in_([row.study_key for row in news if row.study_key]),
        studies.c.accession_key.in_([row.accession_key for row in news if row.accession_key]),
    )
    waiting = sa.select(studies.c.study_key, studies.c.generation).where(
        is_its, studies.c.state == StudyState.QUEUED
    )
    found = [(row.study_key, row.generation) for row in connection.execute(waiting)]
    return News(
        tuple((row.order_key, row.told_at) for row in news),
        tuple(one for one in found if is_stat(connection, one[0])),
    )


def settle_news(connection: sa.Connection, news: News) -> None:
    """Take orders as looked at, unless something newer has been told of them since."""
    for key, told_at in news.orders:
        mine = sa.and_(orders.c.order_key == key, orders.c.told_at == told_at)
        connection.execute(orders.update().where(mine).values(is_news=False))


def listed(connection: sa.Connection, limit: int) -> list[tuple[Order, tuple[str, ...]]]:
    """Orders, the newest first, each with the keys of the studies it is for."""
    columns = [orders.c[name] for name in Order.__dataclass_fields__]
    query = sa.select(*columns).order_by(orders.c.told_at.desc()).limit(limit)
    every = [Order(**row) for row in connection.execute(query).mappings()]
    return [(one, _studies_of(connection, one)) for one in every]


def _studies_of(connection: sa.Connection, order: Order) -> tuple[str, ...]:
    columns = studies.c
    is_its = [columns.study_key == order.study_key]
    if order.accession_key:
        is_its.append(columns.accession_key == order.accession_key)
    query = sa.select(columns.study_key, columns.patient_key).where(sa.or_(*is_its))
    found = connection.execute(query).all()
    return tuple(key for key, whose in found if _fits(connection, order.patient_key, whose))


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
