"""What another system says of patients in FHIR R4, resource by resource, again and again.

Unlike a file, it tells of all its patients, in its own codes, and tells the same resource anew
whenever it has changed there. Each telling is a version of its events: the last one holds, in
whatever order they come (`events.sift`).
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from msnode.config import ClinicalFeed
from msnode.twin.clinical.event_csv import Flaw, KeyOf, RefusedRow, Row, row_of
from msnode.twin.clinical.event_fhir import Cells, Resource, cells_of_resource, checked
from msnode.twin.clinical.event_hl7 import MergeRow
from msnode.twin.clinical.events import FED, VERSION
from msnode.twin.clinical.feed_patients import FeedPatients, Who
from msnode.twin.clinical.feed_terms import in_our_terms, is_treatment

KINDS_OF = {
    "Patient": ("sex", "birth_year"),
    "Observation": ("",),
    "Encounter": ("",),
    "Condition": ("onset", "diagnosis"),
    "MedicationStatement": ("treatment_begun", "treatment_stopped"),
}
"""The events that a resource may tell of: "" for one, whatever its kind."""
ELSE = frozenset({"code", "resourceType"})
"""Columns of flaws that are none: what a resource is about is not kept here."""
HOLDS = frozenset({"status", "verificationStatus", "dataAbsentReason", "effectivePeriod.end"})
"""Likewise: it does not hold (yet, or any more), or what it told is gone and nothing in its place.
A treatment that has ended nobody knows when must not run on."""
WRONG = (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError)
"""What a resource provokes that is none of R4."""


@dataclass(frozen=True, slots=True)
class Passed:
    """An entry that is in order and about something else."""

    line: int


@dataclass(frozen=True, slots=True)
class Vanished(Row):
    """Takes back an event of which the resource tells no more.

    It counts where the same source has told of it in the same resource: others may have the same
    identifier, such as the number of an order.
    """


ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
"""Of a resource (R4, Resource.id)."""
Told = Row | RefusedRow | MergeRow | Passed


def read_feed(
    entries: Sequence[Any],
    feed: ClinicalFeed,
    source: str,
    key_of: KeyOf,
    today: date,
    at: str,
    base: str = "",
) -> Iterator[Told]:
    """The events of the entries of a Bundle; `line` is the number of the entry, from 1.

    Args:
        entries: as they came.
        feed: how the system's IDs and codes are understood.
        source: who tells, as part of the names of resources without an identifier.
        key_of: makes the patient's key.
        today: no event is later.
        at: instant of the telling, where a resource does not say when it was changed; "" for none.
        base: base URL of the server that was asked for them; "" where they were posted.
    """
    patients = FeedPatients(entries, feed, base)
    for number, entry in enumerate(entries, 1):
        try:
            yield from _told(number, entry, patients, feed, source, key_of, today, at)
        except WRONG:
            yield RefusedRow(number, (Flaw("", "it is no resource of FHIR R4 as this reads it"),))


def tellers(entries: Sequence[Any], source: str) -> Callable[[int], str]:
    """Who tells the entry of a number, from 1: the source, and the resource by type and id."""

    def of(number: int) -> str:
        entry = entries[number - 1] if number else None
        resource = entry.get("resource") if isinstance(entry, dict) else None
        found = resource if isinstance(resource, dict) else {}
        kind, identity = found.get("resourceType"), found.get("id")
        if isinstance(kind, str) and isinstance(identity, str) and ID.fullmatch(identity):
            return f"{source} {kind}/{identity}"
        return source

    return of


def _told(
    number: int,
    entry: Any,
    patients: FeedPatients,
    feed: ClinicalFeed,
    source: str,
    key_of: KeyOf,
    today: date,
    at: str,
) -> list[Told]:
    """What one entry says: all of it, or what is wrong with it."""
    resource = in_our_terms(entry["resource"], feed)
    kind = resource["resourceType"]
    if kind not in KINDS_OF:
        return [Passed(number)]
    who = patients.of(entry)
    if kind == "Patient" and (into := patients.replaced_by(entry)) is not None:
        if who is None or not into[0]:
            return [RefusedRow(number, (Flaw("link", "both Patients need a known identifier"),))]
        keys = key_of(*who), key_of(*into)
        return [MergeRow(number, *keys, (who[0], into[0]))] if keys[0] != keys[1] else []
    cells = list(_versions(resource, source, at, who))
    if wrong := [one for one in cells if isinstance(one, Flaw)]:
        return [RefusedRow(number, tuple(wrong))]
    if not cells or (who is None and all(one.get("note") == GONE for one in _plain(cells))):
        return [Passed(number)]
    if who is None:
        fix = "the Patient it is about has no identifier of a system that is configured"
        return [RefusedRow(number, (Flaw("subject", fix),))]
    told = {"patient": who[0], "issuer": who[1]}
    rows = [row_of(number, one | told, key_of, today) for one in _plain(cells)]
    if refused := [row for row in rows if isinstance(row, RefusedRow)]:
        return [RefusedRow(number, tuple(flaw for row in refused for flaw in row.flaws))]
    return [_vanished(row) for row in rows if isinstance(row, Row)]


def _plain(cells: list[Cells | Flaw]) -> list[Cells]:
    return [one for one in cells if isinstance(one, dict)]


def _vanished(row: Row) -> Row:
    """A withdrawal of what may never have been told."""
    if row.event.kind == "withdrawn" and row.event.note == GONE:
        return Vanished(row.line, row.patient_key, replace(row.event, note=""))
    return row


GONE = "the resource does not tell of it any more"


def _versions(
    resource: Resource, source: str, at: str, patient: Who | None
) -> Iterator[Cells | Flaw]:
    """The cells of a resource, each with the name of this version; withdrawals of the others."""
    kind = resource["resourceType"]
    told_at = resource.get("meta", {}).get("lastUpdated") or resource.get("issued")
    when = _instant(told_at or at)
    found = _found(resource)
    is_else = bool(found) and all(isinstance(one, Flaw) and one.column in ELSE for one in found)
    if _is_error(resource) and not when and not is_else:
        yield Flaw("meta", "what was entered in error needs meta.lastUpdated")
        return
    if all(isinstance(one, Flaw) and one.column in ELSE | HOLDS for one in found):
        found = []
    names = KINDS_OF[kind]
    for one in found:
        if isinstance(one, Flaw):
            yield one
            continue
        yield one | _called(resource, source, patient, one["kind"] if len(names) > 1 else "", when)
    if not when or (kind == "Patient" and not told_at):  # often no more than whom others refer to
        return
    told = {one["kind"] for one in found if isinstance(one, dict)}
    for name in names:
        if name not in (told if len(names) > 1 else ({""} if told else set())):
            gone = {"kind": "withdrawn", "date": ""}  # in UTC it may be tomorrow already
            note = {"note": GONE} if is_else else {}
            yield gone | note | _called(resource, source, patient, name, when)


def _found(resource: Resource) -> list[Cells | Flaw]:
    """What it says now."""
    if resource["resourceType"] == "MedicationStatement":
        if not is_treatment(resource):
            return [Flaw("code", "it is no treatment of MS")]
        if _is_error(resource):
            return []
    return [checked(one) for one in cells_of_resource(resource)]


def _called(resource: Resource, source: str, patient: Who | None, kind: str, when: str) -> Cells:
    """Identifier and `replaces` of a version; the name alone where no time is told."""
    identifiers = [one for one in resource.get("identifier", []) if one.get("value")]
    if identifiers and resource["resourceType"] != "Patient":
        # without a system it is unique at its sender only
        system = identifiers[0].get("system") or f"{source}|"
        who = f"{system}|{identifiers[0]['value']}"
    elif "id" in resource:
        who = f"{source}|{resource['id']}"
    elif resource["resourceType"] == "Patient" and patient is not None:
        who = f"{source}||{'|'.join(patient)}"
    else:
        return {"identifier": "", "replaces": ""}
    whole = f"{resource['resourceType']}|{who}|{kind}"
    name = FED + hashlib.sha256(whole.encode()).hexdigest()[:32]
    return {"identifier": f"{name}{VERSION}{when}", "replaces": name} if when else {
        "identifier": name, "replaces": "",
    }  # fmt: skip


def _is_error(resource: Resource) -> bool:
    """Whether it says of itself that it was never so."""
    verification = resource.get("verificationStatus", {})
    codes = [one.get("code") for one in verification.get("coding", [])]
    gone = ("entered-in-error", "cancelled")
    return resource.get("status") in gone or "entered-in-error" in codes


def _instant(when: str) -> str:
    """An instant in 14 digits of UTC, and 6 more of a second that is broken; "" for none.

    Raises:
        ValueError: it is none.
    """
    if not when:
        return ""
    if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", when):
        raise ValueError
    found = datetime.fromisoformat(when).astimezone(UTC)
    return f"{found:%Y%m%d%H%M%S}" + (f"{found:%f}" if found.microsecond else "")
