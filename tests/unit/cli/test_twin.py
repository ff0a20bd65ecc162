"""`msnode twin`: import, show, export, forget, as somebody at a terminal sees them."""

import csv
import json
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
import sqlalchemy as sa

from msnode.records.feedback import Feedback
from msnode.store import reader_feedback
from msnode.store.database import clinical_events, open_database
from tests.unit.cli.twin_node import RECORD, given, rows, run, with_study


def test_a_file_is_added_once(node: Path) -> None:
    answer = given(node, RECORD)
    assert answer.exit_code == 0, answer.output
    assert "7 event(s) added, 0 known before, 0 refused" in answer.output
    again = given(node, RECORD, "another_name.csv")
    assert "0 event(s) added, 7 known before, 0 refused" in again.output
    assert {row["file"] for row in rows(node)} == {"events.csv"}
    assert {row["line"] for row in rows(node)} == set(range(2, 9))


def test_bad_rows_are_named_and_the_rest_goes_in(node: Path) -> None:
    bad = ("SECRET,,2020-01-01,edss,0.5", "SECRET,,2020-01-01,edss,1.0", ",,2020-01-01,relapse,")
    answer = given(node, "".join(f"{row},,,,,\n" for row in bad))
    assert answer.exit_code == 1
    assert "line 2, value: there is no such EDSS: give 0, or 1.0 to 10.0" in answer.output
    assert "line 4, patient: give the PatientID" in answer.output
    assert "1 event(s) added, 0 known before, 2 refused" in answer.output
    assert "SECRET" not in answer.output


def test_messages_are_added_merges_are_audited_and_bad_ones_named(node: Path) -> None:
    head = "MSH|^~\\&|EHR|CLINIC|MSNODE|RAD|20240115||{}|1|P|2.5.1\rPID|1||SECRET^^^CLINIC^MR\r"
    obx = "OBR|1||F1||||20240115\rOBX|1|NM|edss^^99MSNODE||{}||||||F\r"
    feed = head.format("ADT^A40") + "MRG|OLD^^^CLINIC\r"
    feed += "".join(head.format("ORU^R01") + obx.format(score) for score in ("2.0", "0.5"))
    (node / "feed.hl7").write_text(feed, newline="")
    answer = run(node, "import", str(node / "feed.hl7"))
    assert answer.exit_code == 1
    assert "message 3, segment 4, OBX-5: there is no such EDSS" in answer.output
    assert "2 event(s) added, 0 known before, 1 refused" in answer.output
    assert "SECRET" not in answer.output
    shown = json.loads(run(node, "show", "OLD", "--issuer", "CLINIC", "--json").output)
    assert shown["facts"]["edss"] == 2.0
    assert shown["merged_ids"] == 1
    assert {row["source"] for row in rows(node)} == {"hl7"}


def test_what_is_before_birth_is_refused_wherever_the_birth_stands(node: Path) -> None:
    late = "1,,1979-12-31,onset,,,,,,\n1,,,birth_year,1980,,,,,\n1,A,1979-01-01,relapse,,,,,,\n"
    answer = given(node, late)
    assert answer.exit_code == 1
    assert "line 2, date: it is before the patient was born" in answer.output
    assert "line 4, date: it is before the patient was born" in answer.output
    again = given(node, "1,A,1979-01-01,relapse,,,,,,\n1,A,1980-01-01,relapse,,,,,,\n")
    assert "1 event(s) added, 0 known before, 1 refused" in again.output


def test_no_log_line_names_the_patient(node: Path) -> None:
    said = given(node, RECORD, "4711.csv").output
    said += run(node, "show", "4711", "--issuer", "HOSPITAL").output
    said += run(node, "forget", "4711", "--yes").output
    logged = "\n".join(line for line in said.splitlines() if " msnode." in line)
    for event in "events imported added=7", "clinical events forgotten events=7":
        assert event in logged
    for secret in "4711", "HOSPITAL", "2019", "interferon", "typed wrong":
        assert secret not in logged


def test_a_patient_is_shown_with_studies_and_rules(node: Path) -> None:
    given(node, RECORD)
    with_study(node, "HOSPITAL")
    for issuer in ([], ["--issuer", "HOSPITAL"]):
        answer = run(node, "show", "4711", *issuer, "--json", "--on", "2022-01-01")
        assert answer.exit_code == 0, answer.output
        told = json.loads(answer.output)
        assert told["facts"]["edss"] == 3.0
        assert told["facts"]["sex"] == "F"
        assert [study["lesion_count"] for study in told["imaging"]] == [17]
        assert len(told["events"]) == 6
        assert [event["value"] for event in told["replaced"]] == ["2.0"]
        by_name = {one["rule"]["name"]: one for one in told["rules"]}
        assert by_name["NEDA-3"]["value"] == "no"
        assert by_name["PIRA"]["value"] is None
        assert by_name["disease duration"]["value"] == 2.7


def test_the_table_is_for_people(node: Path) -> None:
    given(node, RECORD)
    with_study(node)
    words = " ".join(run(node, "show", "4711").output.split())
    for word in ("EDSS 3.0 (2020-01-10)", "17", "NEDA-3", "unknown, for want of:", "replaced"):
        assert word in words


def test_what_readers_hold_otherwise_is_told_below(node: Path) -> None:
    given(node, RECORD)
    with_study(node)
    told = json.loads(run(node, "show", "4711", "--json").output)
    assert told["disputed"] == []
    engine = open_database(f"sqlite:///{node / 'data' / 'msnode.sqlite'}")
    with engine.begin() as connection:
        rejected = Feedback(0, "a" * 16, 1, "reject", 1.0, "eva", 2, reason="vessel")
        reader_feedback.add(connection, rejected)
    engine.dispose()
    told = json.loads(run(node, "show", "4711", "--json").output)
    assert told["disputed"] == [
        {"study_key": "a" * 16, "day": "2021-01-10", "counts": {"reject": 1}}
    ]
    words = " ".join(run(node, "show", "4711").output.split())
    assert "contradict the result of 2021-01-10" in words
    assert "outlined lesions rejected 1; nothing above has changed by that" in words


def test_a_contradiction_is_shown_with_what_to_correct(node: Path) -> None:
    given(node, "1,,,sex,F,,,,,\n1,,,sex,M,,,,,\n")
    told = " ".join(run(node, "show", "1").output.split())
    assert "contradiction: sex is on record in two ways" in told
    assert "sex unknown" in told


def test_nobody_is_an_error(node: Path) -> None:
    for command in (["show", "1"], ["forget", "1", "--yes"], ["export", "1", "--out", "x.csv"]):
        answer = run(node, *command)
        assert answer.exit_code == 1
        assert "nothing is on record of this patient" in answer.output


def test_an_id_of_two_issuers_needs_one(node: Path) -> None:
    given(node, "1,A,,sex,F,,,,,\n1,B,,sex,M,,,,,\n")
    answer = run(node, "show", "1")
    assert answer.exit_code == 1
    assert "--issuer" in answer.output
    told = json.loads(run(node, "show", "1", "--issuer", "B", "--json").output)
    assert told["facts"]["sex"] == "M"


def test_an_export_imports_into_the_same_events(node: Path, tmp_path: Path) -> None:
    given(node, RECORD)
    without = run(node, "export", "4711", "--out", str(node / "out.csv"))
    assert without.exit_code == 1
    assert "--issuer" in without.output
    for name in ("out.csv", "out.json", "out.fhir.json"):
        answer = run(node, "export", "4711", "--issuer", "HOSPITAL", "--out", str(node / name))
        assert answer.exit_code == 0, answer.output
        assert (node / name).stat().st_mode & 0o077 == 0
    assert len(json.loads((node / "out.json").read_text())) == 7
    with (node / "out.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 7
    for name in "out.csv", "out.fhir.json":
        same = run(node, "import", str(node / name))
        assert "0 event(s) added, 7 known before, 0 refused" in same.output
    other = tmp_path / "other"
    other.mkdir()
    (other / "msnode.yaml").write_text(f"data: {other / 'data'}\n")
    assert "7 event(s) added" in run(other, "import", str(node / "out.csv")).output
    assert {row["identity"] for row in rows(other)} == {row["identity"] for row in rows(node)}
    shown = [run(where, "show", "4711", "--json").output for where in (node, other)]
    assert shown[0] == shown[1]


def test_an_export_of_another_name_is_refused(node: Path) -> None:
    given(node, RECORD)
    answer = run(node, "export", "4711", "--issuer", "HOSPITAL", "--out", str(node / "out.xlsx"))
    assert answer.exit_code == 1
    assert "NAME.csv" in answer.output


def test_a_patients_events_are_forgotten_and_no_others(node: Path) -> None:
    given(node, RECORD + "4712,,,sex,F,,,,,\n")
    with_study(node)
    assert "7 clinical event(s)" in run(node, "forget", "4711", "--dry-run").output
    assert run(node, "forget", "4711").exit_code == 1, "nobody says yes"
    assert len(rows(node)) == 8
    answer = run(node, "forget", "4711", "--yes")
    assert answer.output.endswith("forgotten, 7 event(s)\n")
    assert len(rows(node)) == 1
    assert len(json.loads(run(node, "show", "4711", "--json").output)["imaging"]) == 1


@pytest.mark.parametrize("width", [80, 120])
def test_a_narrow_terminal_breaks_no_day_and_no_identity(
    node: Path, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(node, RECORD)
    monkeypatch.setenv("COLUMNS", str(width))
    output = run(node, "show", "4711").output
    assert all(row["identity"] in output for row in rows(node) if row["identifier"] != "e1")
    for word in "2020-01-10", "typed wrong, sorry", "interferon", "birth":
        assert word in output
    assert max(len(line) for line in output.splitlines() if " msnode." not in line) <= width


def test_an_error_of_the_database_quotes_no_event(node: Path) -> None:
    given(node, RECORD)
    again = dict(rows(node)[0]) | {"note": "SECRET"}
    engine = open_database(f"sqlite:///{node / 'data' / 'msnode.sqlite'}")
    with engine.begin() as connection, pytest.raises(sa.exc.IntegrityError) as caught:
        connection.execute(clinical_events.insert(), [again])
    engine.dispose()
    assert "SECRET" not in str(caught.value)


def test_the_audit_trail_hears_who_used_whose_record(node: Path) -> None:
    given(node, RECORD)
    run(node, "show", "4711")
    run(node, "show", "nobody")
    run(node, "export", "4711", "--issuer", "HOSPITAL", "--out", str(node / "out.csv"))
    run(node, "forget", "4711", "--yes")
    (file,) = (node / "data" / "audit").iterdir()
    said = [fromstring(line) for line in file.read_text().splitlines()]
    told = [
        (str(e.get("EventActionCode")), str(o.get("ParticipantObjectID")))
        for message in said
        for e, o in zip(message.iter("EventIdentification"),
                        message.iter("ParticipantObjectIdentification"), strict=True)
    ]  # fmt: skip
    mine = "4711"
    assert told == [("C", "events.csv"), ("R", mine), ("R", mine), ("R", mine), ("D", mine)]


def test_a_bundle_is_imported_and_its_entries_are_named(node: Path) -> None:
    given(node, RECORD)
    run(node, "export", "4711", "--issuer", "HOSPITAL", "--out", str(node / "out.fhir.json"))
    bundle = json.loads((node / "out.fhir.json").read_text())
    bundle["entry"][3]["resource"]["valueString"] = "SECRET"
    (node / "bad.json").write_text(json.dumps(bundle))
    run(node, "forget", "4711", "--yes")
    answer = run(node, "import", str(node / "bad.json"))
    assert answer.exit_code == 1
    assert "entry 4, value: " in answer.output
    assert "6 event(s) added, 0 known before, 1 refused" in answer.output
    assert "SECRET" not in answer.output
    assert {row["source"] for row in rows(node)} == {"fhir"}
    plain = run(node, "export", "4711", "--issuer", "HOSPITAL", "--out", str(node / "p.json"))
    assert plain.exit_code == 0
    again = run(node, "import", str(node / "p.json"))
    assert (again.exit_code, "it is no Bundle" in again.output) == (1, True)
