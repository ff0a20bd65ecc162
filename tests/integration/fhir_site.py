"""A node with a study of one patient that asks a FHIR source; as a program, until it is killed."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from msnode.config import FhirSource, Retry
from msnode.service.clinical_search import ClinicalSearch
from msnode.store.database import clinical_events, instances, open_database, studies
from msnode.store.patients import patient_key, patient_secret
from msnode.store.schema import migrate
from msnode.twin.clinical.course import Course, course
from msnode.twin.clinical.event_store import of_patient
from tests.fhir_server import Resource, Server, serving

SYSTEM = "urn:oid:1.2.3"
LOCAL = "urn:msnode:twin:kind"


@contextmanager
def clinic() -> Iterator[Server]:
    """A server that knows one patient."""
    with serving() as running:
        running.add(patient("4711", "erika"))
        yield running


@contextmanager
def migrated(url: str) -> Iterator[sa.Engine]:
    """A database as the node has it."""
    made = open_database(url)
    migrate(made)
    yield made
    made.dispose()


def source(url: str, **more: Any) -> FhirSource:
    given: dict[str, Any] = {
        "every_s": 0.01,
        "timeout_s": 2.0,
        "retry": Retry(0.01, 0.01, 60.0),
    } | more
    return FhirSource(name="ehr", fhir=url, patient_system=SYSTEM, **given)


def asking(folder: Path, engine: sa.Engine, asked: FhirSource) -> ClinicalSearch:
    """What asks, not started."""
    glance: Any = SimpleNamespace(call=lambda _, function, path: function(path))
    secret = patient_secret(folder / "patient.key")
    return ClinicalSearch(asked, engine, folder, secret, glance)


def with_study(folder: Path, engine: sa.Engine, patient: str = "4711", number: int = 1) -> str:
    """Put a study on record; returns the patient's key."""
    header = Dataset()
    header.PatientID, header.StudyInstanceUID = patient, f"1.2.{number}"
    header.SOPClassUID, header.SOPInstanceUID = MRImageStorage, f"1.2.{number}.1"
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    key = patient_key(patient_secret(folder / "patient.key"), patient, "")
    study = {
        "study_key": f"{number:016x}", "study_instance_uid": f"1.2.{number}", "patient_key": key,
        "generation": 1, "state": "done", "first_at": time.time(), "last_at": time.time(),
        "stat": False,
    }  # fmt: skip
    image = {
        "study_key": f"{number:016x}", "series_instance_uid": "1", "transfer_syntax_uid": "1",
        "sop_instance_uid": f"1.2.{number}.1", "sop_class_uid": str(MRImageStorage),
        "path": f"{number}.dcm", "size": 1, "sha256": "", "calling_ae_title": "A",
        "received_at": time.time(), "conflict": False,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(studies.insert(), study)
        connection.execute(instances.insert(), image)
    return key


def patient(value: str, name: str, **more: Any) -> Resource:
    identifier = [{"system": SYSTEM, "value": value}]
    return {"resourceType": "Patient", "id": name, "identifier": identifier} | more


def edss(number: int, value: float, who: str = "erika", **more: Any) -> Resource:
    made = {
        "resourceType": "Observation", "id": f"e{number}", "status": "final",
        "meta": {"lastUpdated": "2024-06-01T00:00:00Z"},
        "code": {"coding": [{"system": LOCAL, "code": "edss"}]},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": f"2024-0{number}-01", "valueQuantity": {"value": value},
    }  # fmt: skip
    return made | more


def now() -> Resource:
    return {"lastUpdated": datetime.now(UTC).isoformat()}


def values(folder: Path, engine: sa.Engine) -> list[float]:
    return [one.value for one in known(folder, engine).edss()]


def known(folder: Path, engine: sa.Engine, value: str = "4711") -> Course:
    key = patient_key(patient_secret(folder / "patient.key"), value, "")
    with engine.connect() as connection:
        events = [one.event for one in of_patient(connection, key)]
    return course(events, [], date.today())[0]


def rows(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(clinical_events)) or 0


def main(folder: Path, url: str, base: str) -> None:
    """Ask as if every search had just been given up by somebody who was killed."""
    engine = open_database(url)
    migrate(engine)
    search = asking(folder, engine, source(base))
    while True:
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE clinical_searches SET due_at = 0"))
        if search.ask():
            print("asked", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
