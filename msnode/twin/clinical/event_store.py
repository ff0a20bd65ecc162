"""The table of clinical events: rows are added, read by patient, and deleted with the patient."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from msnode.store.database import clinical_events
from msnode.store.patients import ID_DIGITS, keys_of
from msnode.twin.clinical.event_kinds import days_of
from msnode.twin.clinical.events import Event, Provenance, Recorded

CONTENT = tuple(Event.__dataclass_fields__)
ORIGIN = tuple(Provenance.__dataclass_fields__)


def add(connection: sa.Connection, events: Iterable[Recorded]) -> int:
    """Add events; one whose patient and content are there already changes nothing.

    Returns:
        How many are new.
    """
    # in one order, as two imports at once would wait for each other in a circle (PostgreSQL)
    rows = sorted((_row(one) for one in events), key=lambda r: (r["patient_key"], r["identity"]))
    if not rows:
        return 0
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(clinical_events).on_conflict_do_nothing()
    # psycopg counts the rows of many statements only when it is asked to
    counted = connection.execute(statement, rows, execution_options={"preserve_rowcount": True})
    return counted.rowcount


def _row(one: Recorded) -> dict[str, Any]:
    event = asdict(one.event)
    del event["day"], event["last"]
    return {
        "patient_key": one.patient_key,
        "identity": one.event.identity,
        "event_date": one.event.when.replace("-", "") or None,
    } | event | asdict(one.provenance)  # fmt: skip


def of_patient(connection: sa.Connection, patient_key: str) -> list[Recorded]:
    """A patient's events under all of his keys (`patients.same_patient`), as they were added.

    The same content under two keys, with and without the issuer, comes twice.
    """
    query = (
        sa.select(clinical_events)
        .where(clinical_events.c.patient_key.in_(keys_of(connection, patient_key)))
        .order_by(clinical_events.c.imported_at, clinical_events.c.line)
    )
    return [recorded(row) for row in connection.execute(query).mappings()]


def recorded(row: sa.RowMapping) -> Recorded:
    """An event of a row of the table."""
    content = {name: row[name] for name in CONTENT if name not in ("day", "last")}
    day, last = days_of(row["event_date"] or "")
    origin = Provenance(**{name: row[name] for name in ORIGIN})
    return Recorded(row["patient_key"], Event(day=day, last=last, **content), origin)


def birth_years(connection: sa.Connection, keys: Collection[str]) -> dict[str, int]:
    """The earliest year of birth on record, by key; an ID without its issuer knows its own only."""
    columns = clinical_events.c
    wanted = {*keys, *(key[:ID_DIGITS] for key in keys)}
    query = (
        sa.select(columns.patient_key, sa.func.min(columns.value))
        .where(columns.kind == "birth_year", columns.patient_key.in_(wanted))
        .group_by(columns.patient_key)
    )
    return {key: int(year) for key, year in connection.execute(query)}


def delete(connection: sa.Connection, keys: Collection[str]) -> int:
    """Delete the events under these keys; returns how many they were."""
    mine = clinical_events.c.patient_key.in_(keys)
    return connection.execute(clinical_events.delete().where(mine)).rowcount


def number(connection: sa.Connection, keys: Collection[str]) -> int:
    """How many events there are under these keys."""
    mine = clinical_events.c.patient_key.in_(keys)
    query = sa.select(sa.func.count()).select_from(clinical_events).where(mine)
    return connection.scalar(query) or 0
