"""FHIR servers in the configuration: what is understood, and what contradicts itself."""

from typing import Any

import pytest

from msnode.config import FhirServer, FhirSource
from msnode.config.loading import parse
from tests.configs import BASE, problems

FHIR = {"name": "ehr", "fhir": "https://ehr.example.org/fhir", "patient_system": "urn:oid:1.2"}
ISSUER = {"issuer": "B", "system": "urn:oid:9"}


def with_(**more: Any) -> dict[str, Any]:
    return more


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"patient_system": ""}, "destinations.0.patient_system: is no URI"),
        ({"patient_system": "PID"}, "destinations.0.patient_system: is no URI"),
        ({"fhir": "https://h/fhir?x=1"}, "destinations.0.fhir: has a query"),
        ({"fhir": "http://h/fhir"}, "destinations.0.fhir: http shows all to the network"),
        ({"issuers": [ISSUER, ISSUER]}, "destinations.0.issuers.1.issuer: is empty, or stands"),
        ({"issuers": [{"issuer": "B", "system": "x"}]}, "destinations.0.issuers.0.system: is no"),
        ({"profile": "full"}, "destinations.0.profile: "),
    ],
)
def test_what_is_wrong_with_a_fhir_destination_is_said(more: Any, problem: str) -> None:
    (told,) = problems(with_(destinations=[FHIR | more]))
    assert told.startswith(problem)


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        ([{"name": "ehr", "fhir": FHIR["fhir"]}], "clinical.0.patient_system: missing"),
        ([FHIR, FHIR], "clinical.1.name: 'ehr' is used twice"),
        ([FHIR | {"fhir": "https://h?x"}], "clinical.0.fhir: has a query"),
        ([FHIR | {"codes": [{"system": "a", "code": "b", "kind": "edss"}] * 2}],
         "clinical.0.codes.1.code: stands twice"),
        ([FHIR | {"codes": [{"system": "a", "code": "b", "kind": "mood"}]}],
         "clinical.0.codes.0.kind: 'mood' is unknown"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_source_is_said(sources: Any, problem: str) -> None:
    (told,) = problems(with_(clinical=sources))
    assert told.startswith(problem)


def test_a_right_to_what_there_is_not_is_refused() -> None:
    callers = [{"name": "EHR", "address": "10.0.0.1", "rights": ["fhir"]}]
    web: dict[str, Any] = {"callers": callers}
    (told,) = problems(with_(receive={"dicomweb": web}))
    assert told.startswith("receive.dicomweb.callers.0.rights: fhir does nothing without")
    assert parse(with_(receive={"dicomweb": {**web, "fhir": {}}}), BASE).receive.dicomweb
    callers[0]["rights"] = []
    (told,) = problems(with_(receive={"dicomweb": web}))
    assert told.startswith("receive.dicomweb.callers.0.rights: there are none")


def test_both_kinds_are_understood() -> None:
    source = FHIR | {"issuers": [ISSUER], "hours": "18:00-07:00"}
    found = parse(with_(destinations=[FHIR], clinical=[source]), BASE)
    assert isinstance(found.destinations[0], FhirServer)
    (asked,) = found.clinical
    assert isinstance(asked, FhirSource)
    assert [asked.system_of(one) for one in ("", "B", "C")] == ["urn:oid:1.2", "urn:oid:9", None]
