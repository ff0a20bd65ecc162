"""Bundles of FHIR R4 that others post: on record before they are answered, once, whatever comes."""

import json
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
import sqlalchemy as sa

from msnode import config
from msnode.store.database import patient_merges
from tests.fhir_server import flaws
from tests.integration.fhir_posting import (
    SYSTEM,
    Start,
    bundle,
    edss,
    exchange,
    patient,
    statuses,
)


def treatment(name: str) -> dict[str, Any]:
    return {"text": name, "coding": [{"system": "urn:msnode:twin:kind", "code": "treatment"}]}


def test_what_is_posted_is_on_record_and_once(start_fhir: Start) -> None:
    node = start_fhir()
    condition = {
        "resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "426373005"}]},
        "onsetDateTime": "2019-05", "recordedDate": "2020-01-01",
    }  # fmt: skip
    treated = {
        "resourceType": "MedicationStatement", "id": "m", "status": "active",
        "subject": {"reference": "Patient/p"}, "effectivePeriod": {"start": "2020-02-01"},
        "medicationCodeableConcept": treatment("interferon beta-1a"),
        "meta": {"lastUpdated": "2024-01-01T00:00:00+01:00"},
    }  # fmt: skip
    relapse = {
        "resourceType": "Encounter", "id": "r", "status": "finished", "class": {"code": "IMP"},
        "subject": {"reference": "Patient/p"}, "period": {"start": "2021-06-01T08:00:00Z"},
        "reasonCode": [{"coding": [{"system": "urn:msnode:twin:kind", "code": "relapse"}]}],
    }  # fmt: skip
    told = bundle(patient(), condition, treated, relapse, edss(2.5))
    for _ in range(2):
        status, answer = node.post(told)
        assert (status, statuses(answer)) == (200, ["200"] * 5)
        assert flaws([answer]) == []
        assert node.number() == 8  # one of them is that no end of the treatment is told
    found = node.course()
    kinds = {event.kind for event in found.events}
    assert kinds == {
        "sex", "birth_year", "onset", "diagnosis", "treatment_begun", "relapse", "edss",
    }  # fmt: skip
    assert not found.contradictions
    assert node.edss() == [2.5]


@pytest.mark.parametrize("order", [[1, 2, 3], [3, 2, 1], [2, 3, 1], [3, 1, 2]])
def test_the_last_version_holds_in_any_order_of_arrival(
    start_fhir: Start, order: list[int]
) -> None:
    node = start_fhir()
    versions = {1: edss(2.0), 2: edss(3.0, "v2"), 3: edss(3.5, "v3", status="corrected")}
    for number in order:
        assert node.post(bundle(versions[number]))[0] == 200
    assert node.edss() == [3.5]
    assert node.post(bundle(edss(3.5, "v4", status="entered-in-error")))[0] == 200
    assert node.edss() == []


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_resource_that_was_another_patients_is_that_patients_no_more(
    start_fhir: Start, order: list[int]
) -> None:
    node = start_fhir()
    right = edss(4.0, "v2", subject={"identifier": {"system": SYSTEM, "value": "4712"}})
    told = [edss(4.0), right]
    for number in order:
        assert node.post(bundle(told[number]))[0] == 200
    assert (node.edss("4711"), node.edss("4712")) == ([], [4.0])


def test_what_does_not_hold_any_more_is_withdrawn(start_fhir: Start) -> None:
    node = start_fhir()
    treated = {
        "resourceType": "MedicationStatement", "id": "m", "status": "stopped",
        "subject": {"identifier": {"system": SYSTEM, "value": "4711"}},
        "medicationCodeableConcept": treatment("natalizumab"),
        "effectivePeriod": {"start": "2020-02-01", "end": "2021-02-01"},
        "meta": {"lastUpdated": "2024-01-01T00:00:00Z"},
    }  # fmt: skip
    node.post(bundle(treated))
    goes_on = treated | {"status": "active", "effectivePeriod": {"start": "2020-02-01"},
                         "meta": {"lastUpdated": "2024-01-02T00:00:00Z"}}  # fmt: skip
    node.post(bundle(goes_on))
    assert {one.kind for one in node.course().events} == {"treatment_begun"}
    before = node.number()
    aspirin = {"medicationCodeableConcept": {"text": "aspirin"}, "id": "a"}
    assert statuses(node.post(bundle(treated | aspirin))[1]) == ["200"]
    other = edss(1.0, code={"coding": [{"system": "http://loinc.org", "code": "8480-6"}]})
    status, answer = node.post(bundle(other | {"id": "bp"}))
    assert (status, statuses(answer), node.number()) == (200, ["200"], before)
    (issue,) = answer["entry"][0]["response"]["outcome"]["issue"]
    assert issue["severity"] == "information"


def test_one_bad_entry_costs_a_batch_itself_and_a_transaction_all(start_fhir: Start) -> None:
    node = start_fhir()
    bad: list[Any] = [7, None, "x", {}, {"resource": 3}, {"resource": {"resourceType": []}}]
    entries = [*bad, {"resource": edss(2.0)}, {"resource": edss(77.0, id="e2")}]
    mixed = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    status, answer = node.post(mixed)
    assert (status, statuses(answer)) == (200, ["422"] * 6 + ["200", "422"])
    assert node.edss() == [2.0]
    assert flaws([answer]) == []
    status, answer = node.post(
        bundle(edss(3.0, id="e3", effectiveDateTime="2024-04-01"), edss(77.0), kind="transaction")
    )
    assert (status, answer["resourceType"]) == (422, "OperationOutcome")
    assert answer["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert "77" not in json.dumps(answer)
    assert node.edss() == [2.0]
    before_birth = edss(3.0, id="e4", effectiveDateTime="1970-01-01")
    status, _ = node.post(bundle(patient(), before_birth, kind="transaction"))
    assert (status, node.edss()) == (422, [2.0])


@pytest.mark.parametrize(
    ("request_", "status"), [({"method": "DELETE", "url": "Observation/e1"}, "422"),
                             ({"method": "PUT", "url": "Observation/e1"}, "200")],
)  # fmt: skip
def test_only_what_is_written_is_taken(start_fhir: Start, request_: Any, status: str) -> None:
    node = start_fhir()
    _, answer = node.post(bundle({"resource": edss(2.0), "request": request_}))
    assert statuses(answer) == [status]


def test_a_patient_that_was_replaced_is_one_with_the_other(start_fhir: Start) -> None:
    node = start_fhir()
    node.post(bundle(edss(2.0)))
    other = {"identifier": {"system": SYSTEM, "value": "9999"}}
    old = patient() | {"link": [{"type": "replaced-by", "other": other}]}
    for _ in range(2):
        _, answer = node.post(bundle(old))
        assert statuses(answer) == ["200"], answer
    assert node.edss("9999") == [2.0]
    with node.engine.connect() as connection:
        assert len(connection.execute(sa.select(patient_merges)).all()) == 1


def test_codes_and_issuers_are_those_of_the_site(start_fhir: Start) -> None:
    coded = config.CodeOfKind("http://loinc.org", "1-0", "edss")
    issuers = (config.IssuerSystem("HOSPITAL B", "urn:oid:9"),)
    node = start_fhir(config.FhirReceive(patient_system=SYSTEM, issuers=issuers, codes=(coded,)))
    theirs = {"coding": [{"system": "http://loinc.org", "code": "1-0"}]}
    unknown = {"identifier": {"system": "urn:other", "value": "4711"}}
    told = bundle(edss(2.0, code=theirs), edss(3.0, id="e2", subject=unknown))
    assert statuses(node.post(told)[1]) == ["200", "422"]
    assert node.edss() == [2.0]


@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [
        (b"", 400, {}),
        (b"{", 400, {}),
        (b"\xff\xfe", 400, {}),
        (b'{"resourceType":"Bundle","type":"batch","entry":[NaN]}', 400, {}),
        (b"[" * 100_000, 400, {}),
        (b'{"resourceType":"Patient"}', 400, {}),
        (b'{"resourceType":"Bundle","type":"history"}', 400, {}),
        (b'{"resourceType":"Bundle","type":"batch","entry":{}}', 400, {}),
        (b"x" * 9_000_000, 413, {}),
        (b"{}", 415, {"Content_Type": "text/plain"}),
        (b"{}", 415, {"Content_Type": "application/fhir+xml"}),
        (b"{}", 415, {"Content_Encoding": "gzip"}),
        (b"{}", 406, {"Accept": "text/html"}),
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_refused_with_its_status(
    start_fhir: Start, body: bytes, status: int, headers: dict[str, str]
) -> None:
    node = start_fhir()
    given, answer = node.post(body, **headers)
    assert (given, answer["resourceType"]) == (status, "OperationOutcome")
    assert flaws([answer]) == []
    assert node.post(bundle(edss(2.0)))[0] == 200


def test_callers_need_the_right(start_fhir: Start) -> None:
    callers = (
        config.WebCaller("EHR", token="e" * 20, rights=("fhir",)),
        config.WebCaller("PACS", token="p" * 20),
    )
    node = start_fhir(callers=callers)
    told = bundle(edss(2.0))
    assert node.post(told)[0] == 401
    assert node.post(told, Authorization=f"Bearer {'x' * 20}")[0] == 401
    assert node.post(told, Authorization=f"Bearer {'p' * 20}")[0] == 403
    assert node.number() == 0
    assert node.post(told, Authorization=f"Bearer {'e' * 20}")[0] == 200
    with closing(HTTPConnection("127.0.0.1", node.port, timeout=5)) as connection:
        connection.request("POST", "/studies", b"", {"Authorization": f"Bearer {'e' * 20}"})
        assert connection.getresponse().status == 403


def test_the_statement_is_r4s_and_names_what_is_taken(start_fhir: Start) -> None:
    node = start_fhir()
    status, said = exchange(node.port, "GET", "/fhir/metadata", None, {})
    assert (status, said["fhirVersion"], flaws([said])) == (200, "4.0.1", [])
    kinds = {one["type"] for one in said["rest"][0]["resource"]}
    assert kinds == {"Patient", "Observation", "Condition", "MedicationStatement", "Encounter"}
    assert exchange(node.port, "GET", "/fhir", None, {})[0] == 405
    assert exchange(node.port, "GET", "/fhir/Patient/4711", None, {})[0] == 404


def test_nothing_of_a_patient_is_in_the_log(
    start_fhir: Start, caplog: pytest.LogCaptureFixture
) -> None:
    node = start_fhir()
    caplog.set_level("DEBUG")
    node.post(bundle(patient("SECRET-ID"), edss(77.0)))
    node.post(b'{"SECRET-ID"')
    assert "fhir bundle caller=" in caplog.text
    assert "SECRET-ID" not in caplog.text
    assert "1980" not in caplog.text
