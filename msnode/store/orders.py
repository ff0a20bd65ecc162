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
        filler_key: of the filler's number, which stands in for one as long as none is told.
        study_key: hash of the StudyInstanceUID; "" likewise.
        told_at: time of the message, YYYYMMDDHHMMSS.
        stat: to be read at once; None where no priority is told.
        cancelled: or discontinued.
        procedure: what is ordered, for people.
        reason: why, for people.
    """

    order_key: str
    patient_key: str
    accession_key: str
    study_key: str
    told_at: str
    stat: bool | None
    cancelled: bool
    procedure: str
    reason: str
    filler_key: str = ""


LINKS = ("accession_key", "study_key", "procedure", "reason")
"""What a later message need not tell again."""
COLUMNS = ("order_key", "patient_key", *LINKS, "told_at", "stat", "cancelled")
"""Of an order, as it is on record."""


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
    """Keep what is told of an order; what a message does not tell changes nothing.

    Of two messages of one second a cancellation counts. One that is older than what is on record
    gives what no other has told.

    Args:
        connection: in a transaction.
        order: what is told.
        now: unix time in seconds.

    Returns:
        Whether it may be so; False: this order is another patient's, and nothing has changed.
    """
    values: dict[str, Any] = {name: getattr(order, name) for name in COLUMNS}
    values["accession_key"] = order.accession_key or order.filler_key
    values |= {"stat": bool(order.stat), "received_at": now}
    values["is_news"] = values["stat"] and not order.cancelled
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(orders).values(values)
    # psycopg tells of an insert's rows only when it is asked to
    statement = statement.on_conflict_do_nothing(index_elements=[orders.c.order_key])
    if connection.execute(statement.returning(orders.c.order_key)).first() is not None:
        return True
    is_it = orders.c.order_key == order.order_key
    known = connection.execute(sa.select(orders).where(is_it).with_for_update()).one()
    if not _fits(connection, known.patient_key, order.patient_key):
        return False
    connection.execute(orders.update().where(is_it).values(_changed(known, order, now)))
    return True


def _changed(known: sa.Row[Any], order: Order, now: float) -> dict[str, Any]:
    """What a message changes of an order on record."""
    told: dict[str, Any] = {name: getattr(order, name) for name in LINKS if getattr(order, name)}
    if not known.accession_key and order.filler_key:
        told.setdefault("accession_key", order.filler_key)
    is_older = order.told_at < known.told_at or (
        order.told_at == known.told_at and known.cancelled and not order.cancelled
    )
    if is_older:
        told = {name: value for name, value in told.items() if not getattr(known, name)}
        cancelled, stat = known.cancelled, known.stat
    else:
        cancelled, stat = order.cancelled, known.stat if order.stat is None else order.stat
        told |= {"told_at": order.told_at, "stat": stat, "cancelled": cancelled}
    # the key with the issuer tells more than the one without
    whose = max(known.patient_key, order.patient_key, key=len)
    return told | {"patient_key": whose, "received_at": now, "is_news": stat and not cancelled}


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
    columns = [orders.c[name] for name in COLUMNS]
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
