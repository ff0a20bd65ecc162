"""FHIR R4 Bundles: every event comes back as it was; what is wrong is refused by entry."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msnode.errors import Refused
from msnode.twin.clinical.event_csv import Flaw, RefusedRow, Row, row_of
from msnode.twin.clinical.event_fhir import as_bundle, read_bundle
from msnode.twin.clinical.event_kinds import KINDS
from msnode.twin.clinical.events import Event

TODAY = date(2026, 11, 28)
VALUES = {
    "edss": ["2.0", "6.5"], "relapse_review": ["2019-01-01"], "treatment_begun": ["a", "\u00e4, b"],
    "treatment_stopped": ["a"], "diagnosis": ["RIS", "MS", "RRMS", "PPMS", "other"],
    "birth_year": ["1970"], "sex": ["F", "O"], "ocb": ["present"], "kflc_index": ["12.3"],
    "spinal_cord_lesion": ["absent"], "optic_nerve_lesion": ["present"], "t25fw": ["5.1", "180"],
    "nine_hole_peg": ["20.25"], "enhancing_lesions": ["0", "3"],
}  # fmt: skip
DETAILS = {"edss": "pyramidal=2;visual=1", "nine_hole_peg": "hand=dominant"}


def key_of(patient: str, issuer: str) -> str:
    return f"{patient}|{issuer}"


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(sorted(KINDS)))
    whole = st.dates(date(2019, 1, 1), date(2026, 1, 1)).map(str)
    parts = whole | whole.map(lambda day: day[:7]) | whole.map(lambda day: day[:4])
    cells = {
        "patient": "4711", "kind": kind, "unit": KINDS[kind].unit,
        "date": draw(parts if KINDS[kind].partial else whole),
        "value": draw(st.sampled_from(VALUES.get(kind, [""]))),
        "detail": draw(st.sampled_from(["", DETAILS.get(kind, "")])),
        "note": draw(st.sampled_from(["", "two  spaces", "\u00e9"])),
        "identifier": draw(st.sampled_from(["", "visit-1"])),
        "replaces": draw(st.sampled_from(["x", "y"] if kind == "withdrawn" else ["", "x"])),
    }  # fmt: skip
    row = row_of(1, cells, key_of, TODAY)
    assert isinstance(row, Row), row
    return row.event


@given(st.lists(st.tuples(st.sampled_from(["", "HOSPITAL"]), events()), max_size=8))
def test_what_is_written_is_read_as_the_same_events(
    tmp_path_factory: pytest.TempPathFactory, given_: list[tuple[str, Event]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "x.fhir.json"
    file.write_text(json.dumps(as_bundle("4711", given_)))
    rows = [row for row in read_bundle(file, key_of, TODAY) if isinstance(row, Row)]
    told = [(row.patient_key, row.event) for row in rows]
    assert told == [(f"4711|{issuer}", event) for issuer, event in given_]


def read(tmp_path: Path, *resources: Any) -> list[Row | RefusedRow]:
    patient = {
        "resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1980-03-01",
        "identifier": [
            {"value": "1", "system": "insurance"},
            {"value": "4711", "system": "urn:oid:1.2", "type": {"coding": [{"code": "MR"}]}},
        ], "name": [{"family": "SECRET"}],
    }  # fmt: skip
    entries = [{"resource": one} for one in (patient, *resources)]
    file = tmp_path / "b.json"
    file.write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    return list(read_bundle(file, key_of, TODAY))


SUBJECT = {"subject": {"reference": "Patient/p"}}
RRMS = {"coding": [{"system": "http://snomed.info/sct", "code": "426373005"}]}


def test_what_others_write_becomes_several_events(tmp_path: Path) -> None:
    condition = {"resourceType": "Condition", "code": RRMS, "onsetDateTime": "2019",
                 "recordedDate": "2020-02-03T10:00:00+01:00"} | SUBJECT  # fmt: skip
    drug = {"resourceType": "MedicationStatement", "status": "completed",
            "medicationCodeableConcept": {"coding": [{"display": "natalizumab"}]},
            "effectivePeriod": {"start": "2020-03", "end": "2021-01-01"}} | SUBJECT  # fmt: skip
    rows = read(tmp_path, condition, drug)
    told = [(r.patient_key, r.event.kind, r.event.when, r.event.value) for r in rows
            if isinstance(r, Row)]  # fmt: skip
    assert told == [("4711|urn:oid:1.2", *one) for one in (
        ("sex", "", "F"), ("birth_year", "", "1980"), ("onset", "2019", ""),
        ("diagnosis", "2020-02-03", "RRMS"), ("treatment_begun", "2020-03", "natalizumab"),
        ("treatment_stopped", "2021-01-01", "natalizumab"),
    )]  # fmt: skip


EDSS = {"resourceType": "Observation", "status": "final", "effectiveDateTime": "2020-01-01",
        "code": {"coding": [{"system": "urn:msnode:twin:kind", "code": "edss"}]},
        "valueQuantity": {"value": 2}} | SUBJECT  # fmt: skip


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"valueQuantity": {"value": 0.5}}, "value"),
        ({"status": "preliminary"}, "status"),
        ({"status": "entered-in-error"}, "status"),
        ({"code": {"coding": [{"system": "http://loinc.org", "code": "1"}]}}, "code"),
        ({"subject": {"reference": "Patient/SECRET"}}, "patient"),
        ({"subject": None}, ""),
        ({"resourceType": "Encounter"}, "resourceType"),
        ({"resourceType": "Condition", "code": {}}, "code"),
        ({"resourceType": "Condition", "code": RRMS}, "recordedDate"),
        ({"effectiveDateTime": "2020"}, "date"),
        ({"note": "SECRET"}, ""),
        ({"status": ["final"]}, ""),
        ({"effectiveDateTime": 2020}, ""),
        ({"identifier": [{"value": ["SECRET"]}]}, ""),
        ({"code": {"coding": [3]}}, ""),
        ({"resourceType": ["Patient"]}, "resourceType"),
        ({"resourceType": "Patient", "gender": "male"}, "patient"),
        (
            {
                "resourceType": "Patient",
                "gender": "male",
                "id": "y",
                "identifier": [{"value": "y", "assigner": {"display": ["SECRET"]}}],
            },
            "patient",
        ),
        (
            {
                "resourceType": "Patient",
                "gender": "male",
                "id": "y",
                "identifier": [{"value": "SECRET\ud800"}],
            },
            "patient",
        ),
    ],
)
def test_a_bad_entry_is_refused_by_its_number_and_quotes_nothing(
    tmp_path: Path, change: dict[str, Any], column: str
) -> None:
    (row,) = (r for r in read(tmp_path, EDSS | change, EDSS) if isinstance(r, RefusedRow))
    assert (row.line, row.flaws[0].column) == (2, column)
    assert "SECRET" not in repr(row)


def test_an_entry_without_a_resource_is_refused(tmp_path: Path) -> None:
    odd: list[Any] = [None, 3, {}, []]
    entries: list[dict[str, Any]] = [{}, *({"resource": thing} for thing in odd)]
    for entry in entries:
        file = tmp_path / "x.json"
        file.write_text(json.dumps({"resourceType": "Bundle", "entry": [entry]}))
        assert [row.line for row in read_bundle(file, key_of, TODAY)] == [1]


def test_what_two_patients_are_called_is_nobodys_name(tmp_path: Path) -> None:
    other = {"resourceType": "Patient", "id": "p", "identifier": [{"value": "4712"}]}
    rows = read(tmp_path, other, EDSS)
    assert all(isinstance(row, RefusedRow) for row in rows)
    assert rows[-1] == RefusedRow(3, (Flaw("patient", "give the PatientID (0010,0020)"),))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"resourceType": "Bundle"}', "[" * 100_000])
def test_what_is_no_bundle_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(Refused, match="no Bundle"):
        list(read_bundle(tmp_path / "x.json", key_of, TODAY))
