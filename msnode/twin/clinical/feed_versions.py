"""What versions of a resource do to those that are on record, also of another patient."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import sqlalchemy as sa

from msnode.store.database import clinical_events
from msnode.twin.clinical.event_csv import Row
from msnode.twin.clinical.events import FED, Event
from msnode.twin.clinical.fhir_feed import Vanished

MOST_NAMES = 500
"""Of one query; SQLite takes some thousands of parameters."""


def with_versions(connection: sa.Connection, rows: list[Row]) -> Iterator[Row]:
    """The rows that count, and what they mean for others.

    A withdrawal of what was never told is left out. Of a resource that was told of two patients,
    the last telling holds: it is withdrawn of the other, whichever came first.
    """
    known = _known(connection, {row.event.replaces for row in rows if _is_fed(row.event)})
    told = {row.event.replaces for row in rows if not isinstance(row, Vanished)}
    for row in rows:
        name = row.event.replaces
        if isinstance(row, Vanished) and name not in known and name not in told:
            continue
        yield row
        for key, identifier in known.get(name, ()):
            if key != row.patient_key:
                yield Row(row.line, key, _gone(row.event, row.event.identifier))
                yield replace(row, event=_gone(row.event, identifier))


def _is_fed(event: Event) -> bool:
    return event.replaces.startswith(FED)


def _gone(event: Event, identifier: str) -> Event:
    """A withdrawal, as a version of its own."""
    return Event("withdrawn", event.day, identifier=identifier, replaces=event.replaces)


def _known(connection: sa.Connection, names: Iterable[str]) -> dict[str, set[tuple[str, str]]]:
    """Patient and version of what is on record, by the name of the resource."""
    columns = clinical_events.c
    found: dict[str, set[tuple[str, str]]] = {}
    asked = sorted(names)
    for start in range(0, len(asked), MOST_NAMES):
        some = columns.replaces.in_(asked[start : start + MOST_NAMES])
        query = sa.select(columns.replaces, columns.patient_key, columns.identifier).where(some)
        for name, key, identifier in connection.execute(query):
            found.setdefault(name, set()).add((key, identifier))
    return found
