"""What others post of patients: whose it is, what of it holds, and what the answer says."""

import json
from datetime import date
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from msnode.config import CodeOfKind, FhirReceive
from msnode.service.clinical_intake import ClinicalIntake
from msnode.store.database import metadata
from msnode.store.patients import patient_key
from msnode.twin.clinical.course import Course, course
from msnode.twin.clinical.event_store import of_patient
from msnode.twin.clinical.events import Event

SYSTEM = "urn:oid:1.2.3"
LOCAL = "urn:msnode:twin:kind"
DRUGS = "http://www.whocc.no/atc"
KEY_OF = partial(patient_key, b"secret")
Resource = dict[str, Any]


class Site:
    """A node that takes Bundles."""

    def __init__(self) -> None:
        self.engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        metadata.create_all(self.engine)
        codes = (CodeOfKind(DRUGS, "L04AG08", "treatment"),)
        feed = FhirReceive(patient_system=SYSTEM, codes=codes)
        self.intake = ClinicalIntake(self.engine, b"secret", feed)

    def post(self, *resources: Resource, caller: str = "EHR", **more: Any) -> list[str]:
        """Post a batch; returns the status of each entry, and what is said of it."""
        entries = [one if "resource" in one else {"resource": one} for one in resources]
        made = {"resourceType": "Bundle", "type": "batch", "entry": entries} | more
        _, answer = self.intake.take(json.dumps(made).encode(), caller)
        return [
            response["status"][:3] + "".join(
                f" {issue['diagnostics']}" for issue in response.get("outcome", {}).get("issue", [])
            )
            for response in (one["response"] for one in answer["entry"])
        ]  # fmt: skip

    def events(self, patient: str = "4711") -> list[Event]:
        with self.engine.connect() as connection:
            return [one.event for one in of_patient(connection, KEY_OF(patient, ""))]

    def course(self, patient: str = "4711") -> Course:
        return course(self.events(patient), [], date.today())[0]

    def edss(self, patient: str = "4711") -> list[float]:
        found = self.course(patient)
        assert not found.contradicted("edss")
        return [one.value for one in found.edss()]

    def kinds(self) -> list[str]:
        return sorted(one.kind for one in self.course().events)


@pytest.fixture
def site() -> Site:
    return Site()


def subject(patient: str) -> Resource:
    return {"identifier": {"system": SYSTEM, "value": patient}}


def seen(when: str) -> Resource:
    return {"lastUpdated": when if "T" in when else f"2024-03-{when}T12:00:00Z"}


def patient(value: str = "4711", id_: str = "p", **more: Any) -> Resource:
    identifier = [{"system": SYSTEM, "value": value}]
    return {"resourceType": "Patient", "id": id_, "identifier": identifier} | more


def edss(value: float, when: str = "01", who: str = "4711", **more: Any) -> Resource:
    made = {
        "resourceType": "Observation", "id": "e1", "status": "final", "meta": seen(when),
        "code": {"coding": [{"system": LOCAL, "code": "edss"}]}, "subject": subject(who),
        "effectiveDateTime": "2024-02-01", "valueQuantity": {"value": value},
    }  # fmt: skip
    return made | more


def at(base: str, resource: Resource) -> Resource:
    return {
        "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}", "resource": resource,
    }  # fmt: skip


A, B = "https://a.example/fhir", "https://b.example/fhir"


@pytest.mark.parametrize("reference", [f"{B}/Patient/p", f"{B}/Patient/p/_history/2", "Patient/p"])
def test_a_patient_of_another_server_with_the_same_id_is_another(
    site: Site, reference: str
) -> None:
    told = at(B, edss(6.5, subject={"reference": reference}))
    (_, said) = site.post(at(A, patient()), told)
    assert said.startswith("422 subject:")
    assert site.edss() == []
    assert site.post(at(A, patient()), at(B, patient("4712")), told)[2] == "200"
    assert (site.edss(), site.edss("4712")) == ([], [6.5])


def test_a_patient_without_full_url_is_none_of_another_server(site: Site) -> None:
    told = edss(6.5, subject={"reference": f"{B}/Patient/p"})
    assert site.post(patient(), told)[1].startswith("422 subject:")
    assert site.post(patient(), edss(6.5, subject={"reference": "Patient/p"}))[1] == "200"


def test_who_was_replaced_at_another_server_is_not_one_with_its_namesake(site: Site) -> None:
    link = [{"type": "replaced-by", "other": {"reference": f"{B}/Patient/p"}}]
    site.post(edss(2.0), edss(6.5, who="4712", id="e9"))
    said = site.post(at(A, patient()), at(B, patient("4712", "q", link=link)))
    assert said[1].startswith("422 link:")
    assert (site.edss(), site.edss("4712")) == ([2.0], [6.5])


def relapse(when: str = "01", **more: Any) -> Resource:
    made = {
        "resourceType": "Encounter", "id": "7", "status": "finished", "meta": seen(when),
        "subject": subject("4711"), "period": {"start": "2024-02-01T10:00:00Z"},
        "reasonCode": [{"coding": [{"system": LOCAL, "code": "relapse"}]}],
    }  # fmt: skip
    return made | more


def treatment(when: str = "01", code: str = "L04AG08", **more: Any) -> Resource:
    coding = [{"system": DRUGS, "code": code, "display": "a drug"}]
    made = {
        "resourceType": "MedicationStatement", "id": "m", "status": "active", "meta": seen(when),
        "subject": subject("4711"), "medicationCodeableConcept": {"coding": coding},
        "effectivePeriod": {"start": "2024-01-01"},
    }  # fmt: skip
    return made | more


HEADACHE = [{"text": "headache"}]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (relapse(), relapse("02", status="cancelled")),
        (relapse(), relapse("02", status="planned")),
        (relapse(), relapse("02", status="entered-in-error")),
        (relapse(), relapse("02", reasonCode=HEADACHE)),
        (relapse(), relapse("02", reasonCode=HEADACHE, status="cancelled")),
        (treatment(), treatment("02", "M01AE01")),
        (treatment(), treatment("02", "M01AE01", status="entered-in-error")),
        (treatment(), treatment("02", status="not-taken")),
        (treatment(), treatment("02", status="stopped")),
        (treatment(), treatment("02", status="completed", effectivePeriod={})),
        (edss(2.0), edss(2.0, "02", dataAbsentReason={"coding": [{"code": "error"}]})),
    ],
)
def test_what_was_corrected_away_is_withdrawn(
    site: Site, before: Resource, after: Resource
) -> None:
    assert site.post(before) == ["200"]
    assert len(site.kinds()) == 1
    for _ in range(2):
        assert site.post(after)[0].startswith("200")
        assert site.kinds() == []
    assert site.post(before) == ["200"]
    assert site.kinds() == []


@pytest.mark.parametrize(
    "told", [relapse(reasonCode=HEADACHE), relapse(reasonCode=HEADACHE, status="entered-in-error"),
             treatment(code="M01AE01"), treatment(code="M01AE01", status="stopped")],
)  # fmt: skip
def test_what_is_about_something_else_is_left_out(site: Site, told: Resource) -> None:
    nobody = {name: value for name, value in told.items() if name not in ("subject", "meta")}
    for one in (told, nobody, told | {"identifier": [{"use": "usual"}]}):
        assert "nothing that is kept here" in site.post(one)[0]
    assert site.events() == []


def test_an_identifier_without_a_system_is_its_senders_own(site: Site) -> None:
    named: Resource = {"identifier": [{"value": "1"}]}
    site.post(edss(2.0, id="x", **named))
    site.post(edss(6.0, "02", "4712", id="y", **named), caller="REGISTRY")
    assert (site.edss(), site.edss("4712")) == ([2.0], [6.0])
    assert site.post(edss(3.0, "03", **named)) == ["200"]
    assert site.edss() == [3.0]


def test_another_resource_with_the_same_identifier_withdraws_nothing(site: Site) -> None:
    order: Resource = {"identifier": [{"system": "urn:x:order", "value": "O1"}]}
    glucose = {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}
    site.post(edss(2.0, id="a", **order))
    others: list[Resource] = [{"id": "b"}, {"id": "a"}]
    for other in others:
        caller = "EHR" if other["id"] == "b" else "REGISTRY"
        said = site.post(edss(99, "02", code=glucose, **order, **other), caller=caller)
        assert "nothing that is kept here" in said[0]
        assert site.edss() == [2.0]
    said = site.post(edss(99, "03", code=glucose, id="a", **order))
    assert said == ["200 it tells of nothing that holds: what it told before is withdrawn"]
    assert site.edss() == []


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_last_of_two_versions_within_a_second_holds(site: Site, order: list[int]) -> None:
    told = [edss(2.0, "2024-03-01T12:00:00Z"), edss(6.0, "2024-03-01T12:00:00.9Z")]
    for number in order:
        assert site.post(told[number]) == ["200"]
    assert site.edss() == [6.0]


@pytest.mark.parametrize("order", [[0, 1], [1, 0], [0, 1, 0]])
def test_a_withdrawal_at_the_same_time_holds(site: Site, order: list[int]) -> None:
    told = [edss(2.0), edss(2.0, status="entered-in-error")]
    for number in order:
        assert site.post(told[number])[0].startswith("200")
    assert site.edss() == []
    assert site.post(edss(3.0, "02")) == ["200"]
    assert site.edss() == [3.0]


def test_what_is_told_again_of_its_new_patient_stays_his(site: Site) -> None:
    told = [edss(2.0), edss(3.0, "02", "4712"), edss(4.0, "03")]
    for one in (*told[:2], *told[:2]):
        assert site.post(one) == ["200"]
    assert (site.edss(), site.edss("4712")) == ([], [3.0])
    for one in (told[2], *told, *reversed(told)):
        assert site.post(one) == ["200"]
    assert (site.edss(), site.edss("4712")) == ([4.0], [])


def test_in_the_evening_what_was_changed_is_not_in_the_future(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Yesterday(date):  # in New York, while it is tomorrow in UTC
        @classmethod
        def today(cls) -> "Yesterday":
            return cls(2024, 3, 1)

    monkeypatch.setattr("msnode.service.clinical_intake.date", Yesterday)
    condition = {
        "resourceType": "Condition", "id": "c", "subject": subject("4711"),
        "meta": seen("2024-03-02T01:00:00Z"), "onsetDateTime": "2020-01-01",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "24700007"}]},
    }  # fmt: skip
    night = "2024-03-02T01:00:00Z"
    assert site.post(condition, treatment(night), edss(2.0)) == ["200"] * 3
    assert site.post(edss(2.0, night, status="entered-in-error"))[0].startswith("200")
    assert site.kinds() == ["onset", "treatment_begun"]


@pytest.mark.parametrize("is_updated", [True, False])
@pytest.mark.parametrize("is_named", [True, False])
def test_a_patient_is_corrected_without_id_and_last_update(
    site: Site, *, is_named: bool, is_updated: bool
) -> None:
    for day, year in (("05", "1990"), ("01", "1960")):
        told = patient(birthDate=f"{year}-01-01", gender="male")
        told |= {"meta": seen(day)} if is_updated else {}
        if not is_named:
            del told["id"]
        entry = {"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "resource": told}
        assert site.post(entry, timestamp=f"2024-03-{day}T12:00:00Z") == ["200"]
    born = [one.value for one in site.course().events if one.kind == "birth_year"]
    assert born == ["1990"]


def test_a_patient_who_is_only_referred_to_takes_nothing_back(site: Site) -> None:
    site.post(patient(birthDate="1990-01-01"), timestamp="2024-03-01T12:00:00Z")
    site.post(patient(), edss(2.0), timestamp="2024-03-02T12:00:00Z")
    assert site.kinds() == ["birth_year", "edss"]
    site.post(patient(meta=seen("03")))
    assert site.kinds() == ["edss"]
