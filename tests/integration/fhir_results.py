"""A hospital's FHIR server that knows the patient, and a result for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from msnode.config import FhirServer
from msnode.records.results import Report
from msnode.records.timeline import Ahead, Timeline
from tests import lesion_reports, reports
from tests.fhir_server import Server, serving

SYSTEM = "urn:oid:1.2.3"


@contextmanager
def hospital() -> Iterator[Server]:
    """A server with the patient of the result."""
    with serving() as running:
        running.add({"resourceType": "Patient", "id": "erika",
                     "identifier": [{"system": SYSTEM, "value": "P-0815"}]})  # fmt: skip
        yield running


def result(folder: Path) -> Report:
    """A result with lesions, a comparison and what is expected of the patient."""
    folder.mkdir()
    day, ahead = date(2025, 1, 2), date(2026, 1, 2)
    told = Timeline(
        day,
        new_ahead=Ahead(ahead, 0.0, 1.0, 3.0),
        load_ahead=(Ahead(ahead, 3.8, 4.4, 5.6),),
    )
    found = lesion_reports.compared(lesion_reports.painted(reports.synthetic(folder, 8)))
    return replace(found, timeline=told)


def server(ehr: Server, **more: Any) -> FhirServer:
    """The hospital's server as destination."""
    return FhirServer("ehr", fhir=ehr.url, patient_system=SYSTEM, timeout_s=2.0, **more)
