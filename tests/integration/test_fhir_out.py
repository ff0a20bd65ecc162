"""Results to a FHIR R4 server: validated by R4's definitions, and never twice."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from msnode.config import Describe, FhirServer, IssuerSystem
from msnode.deliver.fhir import transact
from msnode.errors import Refused
from msnode.records.lesions import LesionFinding
from msnode.records.receipt import Receipt
from msnode.records.results import Predecessor, Report
from msnode.records.sentences import Sentence
from msnode.report.fhir_bundle import build, write_bundle
from msnode.requestor.fhir_search import try_out
from tests import http_receiver, reports
from tests.fhir_server import Answer, Resource, Server, flaws
from tests.integration.fhir_results import SYSTEM, hospital, result, server

MEASURED = {
    "MS_PATTERN", "STUDY_PROB", "READ_PRIORITY", "246206008", "118565006", "NEW_LESIONS",
    "ENLARGING",
}  # fmt: skip


@pytest.fixture
def ehr() -> Iterator[Server]:
    with hospital() as running:
        yield running


@pytest.fixture
def made(tmp_path: Path) -> Report:
    return result(tmp_path / "source")


def of_kind(bundle: Resource, kind: str) -> list[Resource]:
    found = (entry["resource"] for entry in bundle["entry"])
    return [one for one in found if one["resourceType"] == kind]


def code_of(one: Resource) -> str:
    return str(one["code"]["coding"][0]["code"])


def posted(made: Report, ehr: Server, folder: Path, **more: Any) -> Receipt:
    to = server(ehr, **more)
    path = write_bundle(made, Describe(), to, folder / f"{made.generation}.json")
    (receipt,) = transact([path], to)
    return receipt


def unlucky(made: Report) -> list[Report]:
    """Results with less in them."""
    assert made.lesions is not None
    failed = replace(made, lesions=LesionFinding(made.lesions.model, reason=Sentence("no_prior")))
    return [
        replace(made, timeline=None),
        replace(failed, maps=None),
        replace(made, lesions=None, maps=None, timeline=None),
        reports.not_analysed(made, "Modality is CT"),
        replace(reports.not_analysed(made, "Modality is CT"), predecessor=Predecessor(1, "c0")),
    ]


@pytest.mark.parametrize("patient", ["reference", "create"])
def test_every_resource_obeys_r4s_own_definitions(made: Report, ehr: Server, patient: Any) -> None:
    found: list[Resource] = []
    for one in [made, *unlucky(made)]:
        bundle = build(one, Describe(), server(ehr, patient=patient))
        found += [bundle, *(entry["resource"] for entry in bundle["entry"])]
    assert flaws(found) == []
    broken = {**of_kind(found[0], "Observation")[0], "status": "guessed", "probability": 1}
    del broken["code"]
    assert len(flaws([broken])) >= 3, "the validation would see nothing"


def test_the_documents_name_all_that_is_sent(made: Report, ehr: Server) -> None:
    """docs/fhir.md is the statement of what goes out."""
    text = (Path(__file__).parents[2] / "docs/fhir.md").read_text()
    requests = {"POST": "create if there is none", "PUT": "conditional update"}
    bundle = build(made, Describe(), server(ehr))
    sent = {
        f"| {entry['resource']['resourceType']} | {requests[entry['request']['method']]} |"
        for entry in bundle["entry"]
    }
    assert len(sent) == 5
    assert all(row in text for row in sent)
    assert all(code in text for code in MEASURED)
    assert {code_of(one) for one in of_kind(bundle, "Observation")} == MEASURED


def test_the_result_is_told_as_it_is_in_the_sr(made: Report, ehr: Server) -> None:
    bundle = build(made, Describe(), server(ehr))
    assert made.lesions is not None
    assert made.finding is not None
    measured = {code_of(one): one for one in of_kind(bundle, "Observation")}
    assert set(measured) == MEASURED
    assert measured["246206008"]["valueInteger"] == len(made.lesions.lesions)
    volume = measured["118565006"]["valueQuantity"]
    assert (volume["value"], volume["code"]) == (round(made.lesions.ml, 3), "mL")
    assert measured["NEW_LESIONS"]["valueInteger"] == 2
    assert measured["STUDY_PROB"]["valueQuantity"]["value"] == pytest.approx(
        100 * made.finding.probability, abs=0.005
    )
    assert all("NOT VERIFIED" in one["note"][0]["text"] for one in measured.values())
    (report,) = of_kind(bundle, "DiagnosticReport")
    assert report["status"] == "preliminary"
    assert report["conclusion"].startswith("AI RESULT – NOT VERIFIED")
    assert len(report["result"]) == len(measured)
    (risk,) = of_kind(bundle, "RiskAssessment")
    new, load = risk["prediction"]
    assert new["outcome"]["text"] == "New lesions: 0 to 3 within a year"
    assert new["probabilityDecimal"] == load["probabilityDecimal"] == 80
    assert new["whenPeriod"] == {"start": "2025-01-02", "end": "2026-01-02"}
    text = json.dumps(bundle)
    assert "MUSTER" not in text.upper()


def test_the_same_transaction_again_changes_nothing(
    made: Report, ehr: Server, tmp_path: Path
) -> None:
    assert posted(made, ehr, tmp_path).delivered
    before = json.dumps(ehr.resources)
    assert posted(made, ehr, tmp_path).delivered
    assert json.dumps(ehr.resources) == before
    assert ehr.received[0] == ehr.received[1]
    (report,) = ehr.all_of("DiagnosticReport")
    assert report["subject"]["reference"] == "Patient/erika"
    assert len(ehr.all_of("Patient")) == 1
    assert len(ehr.all_of("Observation")) == len(MEASURED)


def test_a_revision_replaces_all_of_the_result_before(
    made: Report, ehr: Server, tmp_path: Path
) -> None:
    assert posted(made, ehr, tmp_path).delivered
    before = Predecessor(1, made.model.digest, "present", 0.8)
    lesser = reports.not_analysed(replace(made, generation=2, timeline=None), "no FLAIR")
    assert posted(replace(lesser, predecessor=before), ehr, tmp_path).delivered
    (report,) = ehr.all_of("DiagnosticReport")
    assert report["status"] == "preliminary"
    measured = ehr.all_of("Observation")
    assert {code_of(one) for one in measured} == MEASURED
    assert all("dataAbsentReason" in one for one in measured), "an old value stands beside the new"
    (risk,) = ehr.all_of("RiskAssessment")
    assert (risk["status"], "prediction" in risk) == ("cancelled", False)


def test_what_the_hospital_has_is_never_changed(made: Report, ehr: Server, tmp_path: Path) -> None:
    name = f"urn:oid:{made.study_instance_uid}"
    theirs = {"resourceType": "ImagingStudy", "id": "theirs", "description": "MR head",
              "identifier": [{"system": "urn:dicom:uid", "value": name}]}  # fmt: skip
    ehr.add(theirs)
    patient = dict(ehr.resources["Patient/erika"])
    assert posted(made, ehr, tmp_path, patient="create").delivered
    assert ehr.all_of("ImagingStudy") == [theirs]
    assert ehr.all_of("Patient") == [patient]
    (report,) = ehr.all_of("DiagnosticReport")
    assert report["imagingStudy"] == [{"reference": "ImagingStudy/theirs"}]


def test_an_id_of_an_unknown_issuer_is_nobodys(made: Report, ehr: Server) -> None:
    issuers = (IssuerSystem("HOSPITAL B", "urn:oid:9.9"),)
    known = server(ehr, issuers=issuers)
    assert known.system_of("HOSPITAL B") == "urn:oid:9.9"
    assert known.system_of("") == SYSTEM
    assert known.system_of("HOSPITAL C") is None
    assert server(ehr).system_of("HOSPITAL C") == SYSTEM


def test_a_patient_whom_the_server_does_not_know_yet_is_waited_for(
    made: Report, ehr: Server, tmp_path: Path
) -> None:
    theirs = ehr.resources.pop("Patient/erika")
    missed = posted(made, ehr, tmp_path)
    assert (missed.delivered, missed.retry) == (False, True)
    assert missed.detail == "HTTP 404 Not Found: not-found"
    assert ehr.resources == {}
    ehr.add(theirs)
    assert posted(made, ehr, tmp_path).delivered
    del ehr.resources["Patient/erika"]
    assert posted(made, ehr, tmp_path, patient="create").delivered


def test_two_patients_with_one_identifier_are_refused(
    made: Report, ehr: Server, tmp_path: Path
) -> None:
    ehr.add({**ehr.resources["Patient/erika"], "id": "twin"})
    missed = posted(made, ehr, tmp_path)
    assert (missed.delivered, missed.retry) == (False, False)
    assert missed.detail == "HTTP 412 Precondition Failed: multiple-matches"
    assert "ERIKA" not in repr(missed)


def outcome(status: int, *codes: str) -> Callable[[Any], Answer]:
    issues = [{"severity": "error", "code": code, "diagnostics": "MUSTER"} for code in codes]
    return lambda _: (status, {"resourceType": "OperationOutcome", "issue": issues})


def lies(content: Resource, status: int = 200) -> Callable[[Any], Answer]:
    return lambda _: (status, content)


def partly(do: Callable[[], Answer]) -> Answer:
    status, said = do()
    said["entry"][1]["response"]["status"] = "422 Unprocessable Entity"
    return status, said


def stalls(do: Callable[[], Answer]) -> None:
    do()
    time.sleep(3.0)


@pytest.mark.parametrize(
    ("fault", "retry", "detail"),
    [
        (outcome(503), True, "HTTP 503 Service Unavailable"),
        (outcome(429, "throttled"), True, "HTTP 429 Too Many Requests: throttled"),
        (outcome(409, "conflict"), True, "HTTP 409 Conflict: conflict"),
        (outcome(422, "invariant"), False, "HTTP 422 Unprocessable Entity: invariant"),
        (outcome(400, "ERIKA MUSTER"), False, "HTTP 400 Bad Request"),
        (outcome(401), False, "HTTP 401 Unauthorized"),
        (lies({}), True, "HTTP 200 OK: it is no transaction-response to all of it"),
        (lies({"resourceType": "Bundle", "type": "transaction-response", "entry": []}), True,
         "HTTP 200 OK: it is no transaction-response to all of it"),
        (lies({"entry": [7]}, 201), True, "HTTP 201 Created: it is no transaction-response to all "
         "of it"),
        (partly, True, "HTTP 200 OK: an entry has status 422"),
        (lambda do: None, True, "no answer: RemoteDisconnected"),
        (stalls, True, "no answer"),
    ],
)  # fmt: skip
def test_only_an_answer_that_names_each_entry_counts(
    made: Report, ehr: Server, tmp_path: Path, fault: Any, retry: bool, detail: str
) -> None:
    ehr.faults.append(fault)
    missed = posted(made, ehr, tmp_path)
    assert (missed.delivered, missed.retry) == (False, retry)
    assert missed.detail.startswith(detail.partition(": Remote")[0])
    assert "MUSTER" not in missed.detail
    assert posted(made, ehr, tmp_path).delivered
    assert len(ehr.all_of("DiagnosticReport")) == 1
    assert len(ehr.all_of("Observation")) == len(MEASURED)


def test_the_check_tells_a_fhir_server_from_others(ehr: Server) -> None:
    try_out(server(ehr), "ehr")
    other = FhirServer("ehr", fhir=ehr.url + "/none", patient_system=SYSTEM)
    with pytest.raises(Refused, match="HTTP 404"):
        try_out(other, "ehr")
    ehr.search_faults = [(200, {"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"})]
    with pytest.raises(Refused, match="no FHIR R4 server"):
        try_out(other, "ehr")


def test_a_report_that_a_physician_has_signed_stays_as_it_is(
    made: Report, ehr: Server, tmp_path: Path
) -> None:
    assert posted(made, ehr, tmp_path).delivered
    (report,) = ehr.all_of("DiagnosticReport")
    report |= {"status": "final", "conclusion": "read by Dr House"}
    signed = json.dumps(report)
    for _ in range(2):  # and a repeat makes no third
        assert posted(replace(made, generation=2), ehr, tmp_path).delivered
    found = ehr.all_of("DiagnosticReport")
    assert json.dumps(found[0]) == signed
    assert [one["status"] for one in found] == ["final", "preliminary"]
    assert len(ehr.all_of("Observation")) == len(MEASURED)


@pytest.mark.parametrize("code", [404, 410])
def test_a_patient_who_is_not_there_yet_may_come(
    code: int, made: Report, ehr: Server, tmp_path: Path
) -> None:
    """However the server words it."""
    path = write_bundle(made, Describe(), server(ehr), tmp_path / "1.json")
    with http_receiver.serving(http_receiver.status(code)) as elsewhere:
        (receipt,) = transact([path], replace(server(ehr), fhir=elsewhere.url))
    assert (receipt.delivered, receipt.retry) == (False, True)
