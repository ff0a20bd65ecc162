"""What versions of a resource do to those that are on record, also of another patient."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from msnode.store.database import clinical_events
from msnode.twin.clinical.event_csv import Row
from msnode.twin.clinical.events import FED, Event
from msnode.twin.clinical.fhir_feed import Vanished

MOST_NAMES = 500
"""Of one query; SQLite takes some thousands of parameters."""


@dataclass(frozen=True, slots=True)
class _Version:
    """What is on record of a resource."""

    patient_key: str
    identifier: str
    kind: str
    teller: str


def with_versions(
    connection: sa.Connection, rows: list[Row], teller_of: Callable[[int], str]
) -> Iterator[Row]:
    """The rows that count, and what they mean for others.

    A withdrawal of what was never told is left out. Of a resource that was told of two patients,
    the last telling holds: it is withdrawn of the other, whichever came first.

    Args:
        connection: in a transaction.
        rows: of resources.
        teller_of: who tells a line, as its provenance has it.
    """
    known = _known(connection, {row.event.replaces for row in rows if _is_fed(row.event)})
    tellers = {(name, one.teller) for name, versions in known.items() for one in versions}
    tellers |= {
        (row.event.replaces, teller_of(row.line)) for row in rows if not isinstance(row, Vanished)
    }
    for row in rows:
        name = row.event.replaces
        if isinstance(row, Vanished) and (name, teller_of(row.line)) not in tellers:
            continue
        yield row
        versions = known.get(name, set())
        # of two patients at one time neither is the last: a withdrawal would take it from both
        told = {(one.patient_key, one.identifier) for one in versions if one.kind != "withdrawn"}
        told |= {(row.patient_key, row.event.identifier)}
        is_gone = row.event.kind == "withdrawn"
        for one in versions:
            if one.patient_key == row.patient_key:
                continue
            if is_gone or (one.patient_key, row.event.identifier) not in told:
                yield Row(row.line, one.patient_key, _gone(row.event, row.event.identifier))
            if (row.patient_key, one.identifier) not in told:
                yield Row(row.line, row.patient_key, _gone(row.event, one.identifier))


def _is_fed(event: Event) -> bool:
    return event.replaces.startswith(FED)


def _gone(event: Event, identifier: str) -> Event:
    """A withdrawal, as a version of its own."""
    return Event("withdrawn", None, identifier=identifier, replaces=event.replaces)


def _known(connection: sa.Connection, names: Iterable[str]) -> dict[str, set[_Version]]:
    """What is on record, by the name of the resource."""
    columns = clinical_events.c
    found: dict[str, set[_Version]] = {}
    asked = sorted(names)
    for start in range(0, len(asked), MOST_NAMES):
        some = columns.replaces.in_(asked[start : start + MOST_NAMES])
        query = sa.select(
            columns.replaces,
            columns.patient_key,
            columns.identifier,
            columns.kind,
            columns.file,
        ).where(some)
        for name, *version in connection.execute(query):
            found.setdefault(name, set()).add(_Version(*version))
    return found
