"""A node that takes Bundles, and Bundles as tests post them."""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import date
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from msnode import config
from msnode.receive import WebListener
from msnode.store.database import clinical_events, open_database
from msnode.store.patients import patient_key, patient_secret
from msnode.twin.clinical.course import Course, course
from msnode.twin.clinical.event_store import of_patient
from tests.integration.fhir_intake_host import listening

SYSTEM = "urn:oid:1.2.3"
TYPE = "application/fhir+json"
Resource = dict[str, Any]


class Node:
    """A listener, and what is on record there."""

    def __init__(self, folder: Path, url: str, web: config.Dicomweb, **limits: float) -> None:
        self.folder = folder
        self.engine = open_database(url)
        self.listener: WebListener = listening(folder, url, web, **limits)
        self.port = self.listener.port

    def course(self, patient: str = "4711") -> Course:
        key = patient_key(patient_secret(self.folder / "patient.key"), patient, "")
        with self.engine.connect() as connection:
            events = [one.event for one in of_patient(connection, key)]
        return course(events, [], date.today())[0]

    def edss(self, patient: str = "4711") -> list[float]:
        found = self.course(patient)
        assert not found.contradicted("edss")
        return [one.value for one in found.edss()]

    def number(self) -> int:
        with self.engine.connect() as connection:
            query = sa.select(sa.func.count()).select_from(clinical_events)
            return connection.scalar(query) or 0

    def post(self, content: Any, **headers: str) -> tuple[int, Resource]:
        return post(self.port, content, **headers)


Start = Callable[..., Node]


def exchange(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[int, Resource]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read()
        assert response.getheader("Content-Type") == TYPE
        return response.status, json.loads(text or b"{}")


def post(port: int, content: Any, **headers: str) -> tuple[int, Resource]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return exchange(port, "POST", "/fhir", body, {"Content-Type": TYPE} | given)


def bundle(*resources: Any, kind: str = "batch") -> Resource:
    entries = [one if "resource" in one else {"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def patient(value: str = "4711", id_: str = "p") -> Resource:
    return {"resourceType": "Patient", "id": id_,
            "identifier": [{"system": SYSTEM, "value": value}], "gender": "female",
            "birthDate": "1980-05-01"}  # fmt: skip


def edss(value: float, seen: str = "v1", **more: Any) -> Resource:
    """An EDSS with a version."""
    updated = f"2024-03-0{seen[1:]}T12:00:00Z"
    made = {
        "resourceType": "Observation", "id": "e1", "status": "final",
        "meta": {"lastUpdated": updated},
        "code": {"coding": [{"system": "urn:msnode:twin:kind", "code": "edss"}]},
        "subject": {"identifier": {"system": SYSTEM, "value": "4711"}},
        "effectiveDateTime": "2024-03-01", "valueQuantity": {"value": value, "code": "{score}"},
    }  # fmt: skip
    return made | more


def statuses(answer: Resource) -> list[str]:
    return [entry["response"]["status"][:3] for entry in answer.get("entry", [])]
