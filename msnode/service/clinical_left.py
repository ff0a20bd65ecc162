"""What a FHIR source has told of a patient, and a search by patient and code finds no more."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from msnode.twin.clinical.event_csv import Row
from msnode.twin.clinical.event_store import of_patient
from msnode.twin.clinical.events import FED, Event, Recorded

MOST_IDS = 50
"""Of one search."""

Resource = dict[str, Any]
OnRecord = dict[str, list[Recorded]]
"""Events by the type and id of the resource that told of them."""


def on_record(database: sa.Engine, patient_key: str, source: str) -> OnRecord:
    """What the searches of a source have put on record under a key, as far as it has versions.

    Under this key alone: of an ID that is one patient with it here, the source tells elsewhere.
    """
    found: OnRecord = {}
    with database.connect() as connection:
        for one in of_patient(connection, patient_key):
            teller, _, name = one.provenance.file.rpartition(" ")
            told_by = teller, one.provenance.imported_by, one.patient_key
            if (
                told_by == (source, source, patient_key)
                and one.event.kind != "withdrawn"
                and one.event.replaces.startswith(FED)
            ):
                found.setdefault(name, []).append(one)
    return found


def id_lists(known: OnRecord, kind: str) -> Iterator[str]:
    """Values of `_id` (R4, 3.1.1.4.1) that find the resources of a type."""
    ids = sorted(name.partition("/")[2] for name in known if name.startswith(f"{kind}/"))
    for start in range(0, len(ids), MOST_IDS):
        yield ",".join(ids[start : start + MOST_IDS])


def is_about(resource: Resource, patient: str) -> bool:
    """Whether a resource is about a Patient."""
    subject = resource.get("subject")
    told = subject.get("reference") if isinstance(subject, dict) else None
    return isinstance(told, str) and f"/{told}".endswith(f"/Patient/{patient}")


def is_of_others(resource: Resource, patients: Sequence[str], base: str) -> bool:
    """Whether it says that it is about a Patient of the same server who is none of these."""
    subject = resource.get("subject")
    told = subject.get("reference") if isinstance(subject, dict) else None
    local = told.removeprefix(f"{base}/") if isinstance(told, str) else ""
    named = re.fullmatch(r"Patient/([A-Za-z0-9.-]{1,64})(?:/_history/.*)?", local)
    return named is not None and named[1] not in patients


def withdrawals(line: int, events: Sequence[Recorded]) -> Iterator[Row]:
    """Take events back, each at its own version: what is told of them later holds."""
    for one in events:
        event = one.event
        gone = Event("withdrawn", None, identifier=event.identifier, replaces=event.replaces)
        yield Row(line, one.patient_key, gone)
