"""Asks FHIR sources for what a clinic knows of patients; each in a thread of its own."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from msnode import metrics
from msnode.audit import SILENT, Access, Trail
from msnode.config import FhirSource
from msnode.confined import Confined
from msnode.deliver.backoff import pause
from msnode.errors import MsnodeError, TryLater
from msnode.fetch.limits import HOUR_S, until_allowed, until_open
from msnode.fetch.patient import Patient, read_patient
from msnode.requestor.fhir_search import ID, Resource, read, search
from msnode.service.asker import Asker
from msnode.service.clinical_left import (
    OnRecord,
    id_lists,
    is_about,
    is_of_others,
    on_record,
    withdrawals,
)
from msnode.store.clinical_searches import ClinicalSearches, Due, LeaseLost
from msnode.store.patients import patient_key
from msnode.twin.clinical.event_fhir import DISEASES, LOCAL, SNOMED
from msnode.twin.clinical.event_hl7 import MergeRow
from msnode.twin.clinical.event_import import Imported, import_told
from msnode.twin.clinical.event_kinds import KINDS
from msnode.twin.clinical.events import Provenance
from msnode.twin.clinical.fhir_feed import Passed, read_feed, tellers

log = logging.getLogger(__name__)

OVERLAP_S = 3600.0
"""Clocks differ: what changed so long before the last search is asked for again."""
MOST_LINKS = 3
"""Patients that took another's place, one after the other."""


class ClinicalSearch(Asker):
    """The searches of one source.

    Args:
        source: whom it asks.
        database: migrated.
        data: the data folder.
        secret: see `patients.patient_secret`.
        glance: reads an image's header.
        trail: the audit trail.
    """

    def __init__(
        self,
        source: FhirSource,
        database: sa.Engine,
        data: Path,
        secret: bytes,
        glance: Confined,
        trail: Trail = SILENT,
    ) -> None:
        super().__init__("clinical", source.name)
        self._source = source
        self._database = database
        self._data = data
        self._key_of = partial(patient_key, secret)
        self._glance = glance
        self._trail = trail
        self._searches = ClinicalSearches(database, source.name)
        self._base = source.address.rstrip("/")

    def ask(self) -> bool:
        """Ask for the patient who is due; returns whether there was one."""
        source, now = self._source, time.time()
        if until_open(source.window, datetime.fromtimestamp(now).astimezone()) > 0:
            return False
        if until_allowed(self._searches.asked(now - HOUR_S), source.per_hour, now) > 0:
            return False
        due = self._searches.begin(now)
        if due is None:
            return False
        try:
            done, scope = self._asked(due)
        except LeaseLost as error:
            log.info("clinical source=%s left out detail=%r", source.name, str(error))
            return True
        except (MsnodeError, OSError) as error:
            self._failed(due, error)
            return True
        self._searches.end(
            due, now + source.every_s, began=None if done.refused else now, scope=scope
        )
        if done.refused:
            log.warning(
                "clinical source=%s refused=%d: they are asked for again; correct them there, or "
                "codes, patient_system or issuers here", source.name, done.refused,
            )  # fmt: skip
        metrics.CLINICAL_SEARCHES.labels(source.name, "answered").inc()
        log.info("clinical source=%s patient answered added=%d known=%d refused=%d",
                 source.name, done.added, done.known, done.refused)  # fmt: skip
        return True

    def _failed(self, due: Due, error: Exception) -> None:
        """When it is asked again; after that was given up, as of the next day."""
        source, now = self._source, time.time()
        why = str(error) if isinstance(error, MsnodeError) else type(error).__name__
        wait_s = pause(source.retry, due.failures + 1) if isinstance(error, TryLater) else None
        outcome = "failed" if wait_s is not None else "given_up"
        self._searches.fail(due, now + (wait_s or source.every_s), why)
        metrics.CLINICAL_SEARCHES.labels(source.name, outcome).inc()
        level = logging.WARNING if wait_s is not None else logging.ERROR
        log.log(level, "clinical source=%s %s detail=%r", source.name, outcome, why)

    def _asked(self, due: Due) -> tuple[Imported, str]:
        """Search for a patient, and put on record what is found; the scope comes back, too."""
        who = self._glance.call(Patient, read_patient, self._data / due.path)
        system = self._source.system_of(who.issuer)
        if not who.patient_id or system is None:
            return Imported(), ""  # nobody whom the source could know
        patients = self._patients(system, who.patient_id)
        ids = sorted({_id(one) for one in patients})
        scope = self._scope(ids)
        # what is asked for anew may be older than the last search
        since = due.since if due.scope in (None, scope) else None
        found = [*patients, *self._said_of(ids, since)]
        if since is None and len(found) == len(patients):
            scope = ""
        named = {one.system: one.issuer for one in self._source.issuers}
        key = self._key_of(who.patient_id, named.get(system, ""))
        earlier = on_record(self._database, key, self._source.name)
        left = list(self._left(earlier, due.since)) if ids else []
        found += [one for one in left if any(is_about(one, name) for name in ids)]
        moved = [one for one in left if is_of_others(one, ids, self._base)]
        entries = [{"resource": one} for one in found]
        today = date.today()
        name = self._source.name
        told = list(read_feed(entries, self._source, name, self._key_of, today, "", self._base))
        rows = [one for one in told if not isinstance(one, Passed)]
        passed = len(told) - len(rows)
        for line, one in enumerate(moved, len(entries) + 1):
            rows += withdrawals(line, earlier[_name(one)])
        teller_of = tellers([*entries, *({"resource": one} for one in moved)], name)
        now = time.time()
        held = partial(self._searches.hold, due=due)

        def here(line: int) -> Provenance:
            return Provenance("fhir", teller_of(line), line, now, name)

        done, _ = import_told(self._database, rows, here, self._heard, whole=False, first=held)
        if done.added:
            self._trail.patient_record(name, Access.UPDATED, who.patient_id)
        for outcome, number in {
            "added": done.added, "known": done.known, "passed": passed,
            "refused": done.refused,
        }.items():  # fmt: skip
            metrics.CLINICAL_TOLD.labels("search", outcome).inc(number)
        return done, scope

    def _heard(self, pair: MergeRow) -> None:
        """The audit trail hears whose records became one."""
        for patient in pair.patients:
            self._trail.patient_record(self._source.name, Access.UPDATED, patient)

    def _patients(self, system: str, value: str) -> list[Resource]:
        """The Patient, and those that took his place; nobody else, whatever the source says."""
        source = self._source
        query = [("identifier", f"{_escaped(system)}|{_escaped(value)}")]
        said = list(search(source, source.name, "Patient", query))
        patients = [one for one in said if _has(one, system, value) and _id(one)]
        for patient in list(patients):
            patients += self._followed(patient)
        return patients

    def _scope(self, ids: Sequence[str]) -> str:
        """Hash of all that decides what a search finds, but for the time."""
        source = self._source
        parts = [ids, self._wanted(), source.patient_system, self._base,
                 [[one.system, one.issuer] for one in source.issuers]]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def _said_of(self, ids: Sequence[str], since: float | None) -> Iterator[Resource]:
        """All that is said of Patients, or was changed since; of nobody else."""
        source = self._source
        for one in ids:
            for kind, more in self._wanted().items():
                asked = [("patient", one), *more, *_changed(since)]
                for resource in search(source, source.name, kind, asked):
                    if is_about(resource, one):
                        yield resource

    def _left(self, earlier: OnRecord, since: float | None) -> Iterator[Resource]:
        """What has told of the patient earlier and was changed since: also its code or subject."""
        source = self._source
        for kind in self._wanted():
            for ids in id_lists(earlier, kind):
                asked = [("_id", ids), *_changed(since)]
                for resource in search(source, source.name, kind, asked):
                    if _name(resource) in earlier:
                        yield resource

    def _followed(self, patient: Resource) -> list[Resource]:
        """The Patients that took his place, as far as the source tells."""
        found: list[Resource] = []
        other = _replaced_by(patient, self._base)
        while other and len(found) < MOST_LINKS:
            into = read(self._source, self._source.name, "Patient", other)
            if into is None or _id(into) != other:
                break
            found.append(into)
            other = _replaced_by(into, self._base)
        return found

    def _wanted(self) -> dict[str, list[tuple[str, str]]]:
        """What is asked for, by type."""
        own = [f"{_escaped(one.system)}|{_escaped(one.code)}" for one in self._source.codes]
        kinds = ",".join([*own, *(f"{LOCAL}|{kind}" for kind in KINDS)])
        diseases = [f"{SNOMED}|{code}" for code in DISEASES]
        return {
            "Observation": [("code", kinds)],
            "Condition": [("code", ",".join([*own, *diseases, f"{LOCAL}|"]))],
            "MedicationStatement": [("code", ",".join([*own, f"{LOCAL}|treatment"]))],
            "Encounter": [("reason-code", ",".join([*own, f"{LOCAL}|relapse"]))],
        }


def _changed(since: float | None) -> list[tuple[str, str]]:
    """Part of a search: what was changed since a time, unix s."""
    if since is None:
        return []
    at = datetime.fromtimestamp(since - OVERLAP_S).astimezone()
    return [("_lastUpdated", f"ge{at.isoformat(timespec='seconds')}")]


def _escaped(text: str) -> str:
    """Part of a search value (R4, 3.1.1.3)."""
    return "".join(f"\\{c}" if c in "\\,$|" else c for c in text)


def _id(resource: Resource) -> str:
    """Its id; "" where it is none."""
    found = resource.get("id")
    return found if isinstance(found, str) and ID.fullmatch(found) else ""


def _name(resource: Resource) -> str:
    """Its type and id."""
    return f"{resource['resourceType']}/{_id(resource)}"


def _has(patient: Resource, system: str, value: str) -> bool:
    """Whether a Patient has an identifier: a source may answer with others."""
    listed: Any = patient.get("identifier")
    return any(
        isinstance(one, dict) and (one.get("system"), one.get("value")) == (system, value)
        for one in (listed if isinstance(listed, list) else [])
    )


def _replaced_by(patient: Resource, base: str) -> str:
    """Id of the Patient at this server that took another's place; "" where none did."""
    links: Any = patient.get("link")
    for one in links if isinstance(links, list) else []:
        if isinstance(one, dict) and one.get("type") == "replaced-by":
            other = one.get("other")
            told = other.get("reference") if isinstance(other, dict) else None
            told = told.removeprefix(f"{base}/") if isinstance(told, str) else ""
            name = told.removeprefix("Patient/") if told.startswith("Patient/") else ""
            return name if ID.fullmatch(name) else ""
    return ""
