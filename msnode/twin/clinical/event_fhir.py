"""Clinical events as a FHIR R4 Bundle: read entry by entry, and written again.

Each entry becomes the cells that a row of CSV would have, so that one set of checks holds for both.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from msnode.errors import Refused
from msnode.twin.clinical.event_csv import Flaw, KeyOf, RefusedRow, Row, row_of
from msnode.twin.clinical.event_kinds import KINDS
from msnode.twin.clinical.events import Event

LARGEST = 256 * 1024**2
"""Bytes: a Bundle is read as a whole, and shall not fill the memory."""
SNOMED = "http://snomed.info/sct"
LOCAL = "urn:msnode:twin:kind"
"""System of codes that are the kinds of the CSV, for what no public code was verified."""
EXTENSION = "urn:msnode:twin:"
"""Of the columns `detail` and `replaces`, for which the resources have no place."""
DISEASES = {"24700007": "MS", "426373005": "RRMS", "425500002": "SPMS"}
"""SNOMED CT: multiple sclerosis; relapsing remitting; secondary progressive."""
SEXES = {"female": "F", "male": "M", "other": "O"}
STATUSES = {"final", "amended", "corrected"}
"""Of an Observation that holds."""

Resource = dict[str, Any]
Cells = dict[str, str]


def read_bundle(path: Path, key_of: KeyOf, today: date) -> Iterator[Row | RefusedRow]:
    """The events of a Bundle; `line` is the number of the entry, from 1.

    Args:
        path: JSON, UTF-8.
        key_of: makes the patient's key.
        today: no event is later.

    Raises:
        Refused: it is no Bundle.
        OSError: it cannot be read.
    """
    entries = _entries(path)
    patients = _patients(entries)
    for number, entry in enumerate(entries, 1):
        try:
            found = [checked(cells) for cells in cells_of_resource(entry["resource"])]
            who = patients.get(_reference(entry), ("", "")) if found else ("", "")
        except (KeyError, TypeError, AttributeError, IndexError, ValueError):
            yield RefusedRow(number, (Flaw("", "it is no resource of FHIR R4 as this reads it"),))
            continue
        for cells in found:
            if isinstance(cells, Flaw):
                yield RefusedRow(number, (cells,))
            else:
                told = cells | {"patient": who[0], "issuer": who[1]}
                yield row_of(number, told, key_of, today)


def checked(cells: Cells | Flaw) -> Cells | Flaw:
    """Cells that are text, which nothing before has asked of them."""
    if isinstance(cells, dict) and not all(isinstance(cell, str) for cell in cells.values()):
        raise TypeError
    return cells


def _entries(path: Path) -> list[Resource]:
    if path.stat().st_size > LARGEST:
        raise Refused(f"it has more than {LARGEST // 1024**2} MiB: split the Bundle")
    try:
        # numbers as they are written: 2.0 is not 2 for an exact reader
        bundle = json.loads(path.read_text("utf-8-sig"), parse_float=Decimal)
        entries = bundle["entry"] if bundle["resourceType"] == "Bundle" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise Refused("it is no Bundle of FHIR R4 in JSON that has entries")
    return entries


def _patients(entries: list[Resource]) -> dict[str, tuple[str, str]]:
    """PatientID and issuer by name; what two patients are called is nobody's name."""
    found: dict[str, set[tuple[str, str]]] = {}
    for entry in entries:
        for name, who in patient_names(entry).items():
            found.setdefault(name, set()).add(who)
    return {name: next(iter(them)) for name, them in found.items() if len(them) == 1}


def patient_names(entry: Resource) -> dict[str, tuple[str, str]]:
    """PatientID and issuer of a Patient, by each name under which others refer to it."""
    resource = entry.get("resource")
    if not isinstance(resource, dict) or resource.get("resourceType") != "Patient":
        return {}
    try:
        identifiers = resource["identifier"]
        records = [one for one in identifiers if code_of(one.get("type", {})) == "MR"]
        (identifier,) = records or identifiers
        issuer = identifier.get("assigner", {}).get("display") or identifier.get("system") or ""
        names = [entry.get("fullUrl"), f"Patient/{resource['id']}" if "id" in resource else None]
        who = identifier["value"], issuer
        texts = all(isinstance(one, str) for one in (*who, *filter(None, names)))
        return {name: who for name in names if name} if texts else {}
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}  # what refers to it is refused for want of a PatientID


def _reference(entry: Resource) -> str:
    """The name of the patient that an entry is about."""
    resource = entry["resource"]
    if resource["resourceType"] == "Patient":
        return str(entry.get("fullUrl") or f"Patient/{resource.get('id')}")
    return str(resource["subject"]["reference"])


def cells_of_resource(resource: Resource) -> Iterator[Cells | Flaw]:
    """What a resource says, as rows."""
    if "modifierExtension" in resource:  # it may turn the meaning round (R4, 2.4.2)
        yield Flaw("modifierExtension", "this reads none, and may not pass over it")
        return
    kind = resource["resourceType"]
    if kind == "Patient":
        yield from _of_patient(resource)
    elif kind == "Observation":
        yield _of_observation(resource)
    elif kind == "Condition":
        yield from _of_condition(resource)
    elif kind == "MedicationStatement":
        yield from _of_medication(resource)
    else:
        yield Flaw("resourceType", "give Patient, Observation, Condition or MedicationStatement")


def _of_patient(resource: Resource) -> Iterator[Cells]:
    if resource.get("gender") in SEXES:
        yield {"kind": "sex", "value": SEXES[resource["gender"]]}
    if "birthDate" in resource:
        yield {"kind": "birth_year", "value": resource["birthDate"][:4]}


def _of_observation(resource: Resource) -> Cells | Flaw:
    kind = code_of(resource["code"], LOCAL)
    if kind not in KINDS:
        return Flaw("code", f"give a code of the system {LOCAL}: {', '.join(KINDS)}")
    if resource["status"] not in STATUSES:
        return Flaw("status", "only what is final, amended or corrected goes on record")
    quantity = resource.get("valueQuantity", {})
    if "dataAbsentReason" in resource:
        return Flaw("dataAbsentReason", "give a value: without one there is nothing to record")
    if "comparator" in quantity:
        return Flaw("value", "give a value, no bound of it (comparator)")
    value = resource.get("valueString", quantity.get("value", ""))
    when = _day(resource.get("effectiveDateTime", ""))
    return {"date": when, "kind": kind, "value": str(value), "unit": quantity.get("code", "")} | (
        _common(resource)
    )


def _of_condition(resource: Resource) -> Iterator[Cells | Flaw]:
    """Its onset, if it is MS, and the diagnosis on the day on which it was recorded."""
    name = code_of(resource["code"], LOCAL) or DISEASES.get(code_of(resource["code"], SNOMED))
    if name is None:
        codes = ", ".join(DISEASES)
        yield Flaw("code", f"give one of {codes} of SNOMED CT, or one of the system {LOCAL}")
        return
    wrong = code_of(resource.get("verificationStatus", {}))
    if wrong not in ("", "confirmed"):
        yield Flaw("verificationStatus", "only what is confirmed goes on record")
        return
    if "onsetDateTime" not in resource and "recordedDate" not in resource:
        yield Flaw("recordedDate", "give it, or onsetDateTime")
    if "onsetDateTime" in resource:
        yield {"date": _day(resource["onsetDateTime"]), "kind": "onset"} | _common(resource)
    if "recordedDate" in resource:
        said = {"date": _day(resource["recordedDate"]), "kind": "diagnosis", "value": name}
        yield said | _common(resource)


def _of_medication(resource: Resource) -> Iterator[Cells | Flaw]:
    """Begin and end of its period."""
    concept = resource["medicationCodeableConcept"]
    name = concept.get("text") or concept["coding"][0]["display"]
    if resource["status"] not in ("active", "completed", "stopped"):
        yield Flaw("status", "only what is active, completed or stopped goes on record")
        return
    period = resource.get("effectivePeriod", {})
    if resource["status"] != "active" and "end" not in period:
        yield Flaw("effectivePeriod.end", "of what is completed or stopped give the end")
        return
    if not {"start", "end"} & period.keys():
        yield Flaw("effectivePeriod", "give its start, its end, or both")
    for edge, kind in (("start", "treatment_begun"), ("end", "treatment_stopped")):
        if edge in period:
            yield {"date": _day(period[edge]), "kind": kind, "value": name} | _common(resource)


def _common(resource: Resource) -> Cells:
    """The columns that every kind has."""
    extensions = {e["url"]: e["valueString"] for e in resource.get("extension", ())
                  if e["url"].startswith(EXTENSION)}  # fmt: skip
    identifiers, notes = resource.get("identifier", []), resource.get("note", [])
    return {
        "identifier": identifiers[0]["value"] if identifiers else "",
        "note": " ".join(note["text"] for note in notes),
        **{name: extensions.get(EXTENSION + name, "") for name in ("detail", "replaces")},
    }


def code_of(concept: Mapping[str, Any], system: str | None = None) -> str:
    """The code of a system, or any; "" where there is none."""
    codings = concept.get("coding", [])
    return next((str(c["code"]) for c in codings if system in (None, c.get("system"))), "")


def _day(when: str) -> str:
    """A dateTime without its time: the day as the clinic wrote it."""
    return when.partition("T")[0]


def as_bundle(patient: str, events: Sequence[tuple[str, Event]]) -> Resource:
    """A Bundle that `read_bundle` reads into the same events.

    Args:
        patient: PatientID.
        events: each with the issuer under which it came, "" for none.
    """
    issuers = sorted({issuer for issuer, _ in events})
    resources = [_who(patient, issuer, number) for number, issuer in enumerate(issuers)]
    resources += [_resource(event, issuers.index(issuer)) for issuer, event in events]
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _who(patient: str, issuer: str, number: int) -> Resource:
    identifier = {"value": patient} | ({"assigner": {"display": issuer}} if issuer else {})
    return {"resourceType": "Patient", "id": f"patient-{number}", "identifier": [identifier]}


def _resource(event: Event, patient: int) -> Resource:
    subject = {"subject": {"reference": f"Patient/patient-{patient}"}}
    extensions = [
        {"url": EXTENSION + name, "valueString": text}
        for name, text in (("detail", event.detail), ("replaces", event.replaces))
        if text
    ]
    shared: Resource = subject | ({"extension": extensions} if extensions else {})
    if event.identifier:
        shared |= {"identifier": [{"value": event.identifier}]}
    if event.note:
        shared |= {"note": [{"text": event.note}]}
    return shared | _body(event)


def _body(event: Event) -> Resource:
    """What is not shared."""
    if event.kind in ("treatment_begun", "treatment_stopped"):
        edge = "start" if event.kind == "treatment_begun" else "end"
        return {
            "resourceType": "MedicationStatement",
            "status": "active" if edge == "start" else "stopped",
            "medicationCodeableConcept": {"text": event.value},
            "effectivePeriod": {edge: event.when},
        }
    if event.kind in ("diagnosis", "onset"):
        edge = "recordedDate" if event.kind == "diagnosis" else "onsetDateTime"
        name = event.value or "MS"
        public = [{"system": SNOMED, "code": code} for code, d in DISEASES.items() if d == name]
        coding = [*public, {"system": LOCAL, "code": name}]
        return {"resourceType": "Condition", "code": {"coding": coding}, edge: event.when}
    body: Resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOCAL, "code": event.kind}],
                 "text": KINDS[event.kind].what},
    }  # fmt: skip
    if event.when:
        body["effectiveDateTime"] = event.when
    if event.unit:
        quantity = {"value": float(event.value), "unit": event.unit, "code": event.unit}
        body["valueQuantity"] = quantity | {"system": "http://unitsofmeasure.org"}
    elif event.value:
        body["valueString"] = event.value
    return body
