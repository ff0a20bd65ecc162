"""The message of a result: what it says, that it conforms, and what a site's template may do."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pydicom
import pytest
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from msnode.config import Describe, Hl7Destination
from msnode.errors import InvalidResult
from msnode.hl7v2.hl7_message import Segment, segments
from msnode.records.results import Predecessor, Report
from msnode.report import oru_message
from msnode.report.oru_message import escaped, render_result, rendered, sample_facts
from tests import lesion_reports

RIS = Hl7Destination("ris", "ris.example.org", receiving_application="RIS")
MakeReport = Callable[..., Report]


def told(made: Report, destination: Hl7Destination = RIS, **describe: str) -> list[Segment]:
    text = render_result(made, Describe(**describe), destination)  # type: ignore[arg-type]
    return segments(text.encode().rstrip(b"\r"))


def observed(found: list[Segment]) -> dict[str, str]:
    """First component of each OBX-5, by the code of OBX-3; a text as a whole."""
    every = (one for one in found if one.name == "OBX")
    return {one.parts(one.fields[3])[0]: one.plain(one.fields[5].split("^")[0]) for one in every}


def test_the_result_is_told_in_codes_numbers_and_sentences(make_report: MakeReport) -> None:
    made = lesion_reports.compared(lesion_reports.painted(make_report(8)))
    found = told(made)
    assert made.lesions is not None
    assert made.finding is not None
    said = observed(found)
    assert said["MS_PATTERN"] == "52101004"  # SNOMED CT: present
    assert said["STUDY_PROB"] == f"{100 * made.finding.probability:.1f}"
    assert said["246206008"] == str(len(made.lesions.lesions))
    assert float(said["118565006"]) == pytest.approx(made.lesions.ml, abs=1e-3)
    assert said["NEW_LESIONS"] == str(made.lesions.comparison.count("new"))
    assert said["113014"] == made.study_instance_uid
    text = next(one.fields[5] for one in found if one.name == "OBX" and one.fields[2] == "FT")
    assert text.startswith("AI RESULT – NOT VERIFIED BY A PHYSICIAN\\.br\\")
    assert "does not replace reading the images" in text


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "nl"])
@pytest.mark.parametrize("is_analysed", [True, False])
def test_it_conforms_to_2_5_1(make_report: MakeReport, language: str, is_analysed: bool) -> None:
    made = lesion_reports.compared(lesion_reports.painted(make_report(8)))
    if not is_analysed:
        made = replace(made, finding=None, lesions=None, maps=None, priority=None, reason="why | ~")
    text = render_result(made, Describe(language=language), RIS)  # type: ignore[arg-type]
    parsed = parse_message(text)
    assert parsed.validate()
    assert parsed.msh.msh_9.to_er7() == "ORU^R01^ORU_R01"


def test_whose_it_is_and_of_which_study(make_report: MakeReport) -> None:
    made = make_report(5)
    dataset = pydicom.dcmread(made.header)
    dataset.PatientName = "Doe^Jane^Q^Dr^III"
    dataset.PatientID, dataset.IssuerOfPatientID = "47|11", "CLINIC & Co"
    dataset.AccessionNumber, dataset.StudyDate, dataset.StudyTime = "A^1", "20260102", "131415.5"
    dataset.save_as(made.header)
    found = {one.name: one for one in told(made)}
    pid, obr = found["PID"], found["OBR"]
    assert pid.parts(pid.fields[3])[0] == "47|11"
    assert pid.parts(pid.fields[3])[3] == "CLINIC & Co"
    assert pid.parts(pid.fields[5]) == ["Doe", "Jane", "Q", "III", "Dr"]
    assert (obr.only(3), obr.only(18), obr.only(7)) == ("A^1", "A^1", "20260102131415")


@pytest.mark.parametrize(("offset", "own"), [("-0330", "-0330"), (None, "+0545")])
def test_its_own_time_is_in_the_zone_of_the_study_s_times(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch, offset: str | None, own: str
) -> None:
    made = make_report(5)
    dataset = pydicom.dcmread(made.header)
    dataset.TimezoneOffsetFromUTC = offset
    dataset.save_as(made.header)
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        found = {one.name: one for one in told(made)}
    time.tzset()
    times = found["MSH"].only(7), found["OBR"].only(22)
    assert len(set(times)) == 1
    assert times[0].endswith(own)
    at = datetime.strptime(times[0], "%Y%m%d%H%M%S%z")
    assert at.timestamp() == int(made.created_at)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("=山田^太郎=やまだ^たろう", ["山田", "太郎"]),
        ("^=^=やまだ^たろう", ["やまだ", "たろう"]),
        ("Yamada^Tarou=山田^太郎", ["Yamada", "Tarou"]),
        ("", []),
    ],
)
def test_a_name_without_latin_letters_is_told_in_those_that_it_has(
    make_report: MakeReport, name: str, parts: list[str]
) -> None:
    made = make_report(5)
    dataset = pydicom.dcmread(made.header)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = dataset.ReferringPhysicianName = name
    dataset.save_as(made.header)
    found = {one.name: one for one in told(made)}
    pid, obr = found["PID"], found["OBR"]
    assert [one for one in pid.parts(pid.fields[5]) if one] == parts
    assert [one for one in obr.parts(obr.fields[16]) if one] == parts


def test_the_same_result_is_the_same_message_and_a_revision_another(
    make_report: MakeReport,
) -> None:
    made = make_report(5)
    first, again = told(made), told(made)
    assert first == again
    revised = replace(made, generation=2, predecessor=Predecessor(1, made.model.digest, "absent"))
    second = told(revised)
    assert first[0].only(10) != second[0].only(10)
    assert len(first[0].only(10)) == 20  # ST, 2.15.9.10
    assert told(made, replace(RIS, name="other"))[0].only(10) != first[0].only(10)
    assert "Replaces AI result 1" in str(second)


@pytest.mark.parametrize(
    ("status", "generation", "given"),
    [("R", 1, "R"), ("R", 2, "R"), ("P", 2, "P"), ("F", 1, "F"), ("F", 2, "C")],
)
def test_the_status_is_that_of_a_result_that_nobody_has_verified(
    make_report: MakeReport, status: str, generation: int, given: str
) -> None:
    made = replace(make_report(5), generation=generation)
    found = told(made, replace(RIS, status=status))  # type: ignore[arg-type]
    assert {one.only(25) for one in found if one.name == "OBR"} == {given}
    assert {one.only(11) for one in found if one.name == "OBX"} == {given}


def test_a_site_may_have_a_template_of_its_own(make_report: MakeReport, tmp_path: Path) -> None:
    own = tmp_path / "own.hl7"
    usual = oru_message._source(None)
    own.write_text(usual + "ZMS|{{ study.uid }}|{{ message.revision }}\n", encoding="utf-8")
    made = make_report(5)
    found = told(made, replace(RIS, template=own))
    assert (found[-1].name, found[-1].fields[1]) == ("ZMS", made.study_instance_uid)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("MSH|^~\\&|{{ nobody }}", "'nobody' is undefined"),
        ("MSH|^~\\&|{{ message.__class__.__mro__ }}", "undefined|unsafe"),
        ("{% for %}", "line 1"),
        ("PID|1", "makes no message"),
        ("MSH|^~\\&|a|b|c|d|2026||ADT^A08|1|P|2.5.1\nPID|1", "no OBR.*MSH-9.*MSH-10"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_template_that_makes_no_message_is_refused(tmp_path: Path, text: str, why: str) -> None:
    own = tmp_path / "own.hl7"
    own.write_text(text)
    with pytest.raises(InvalidResult, match=why):
        rendered(sample_facts(RIS), own)


def test_the_template_of_the_program_is_one(tmp_path: Path) -> None:
    assert rendered(sample_facts(RIS), None).startswith("MSH|^~\\&|MSNODE||RIS||20260102120000")
    with pytest.raises(InvalidResult, match="No such file"):
        rendered(sample_facts(RIS), tmp_path / "none")


@given(st.text(max_size=60))
def test_whatever_a_value_is_it_stays_in_its_field(value: str) -> None:
    line = f"MSH|^~\\&|\rOBX|1|FT|x||{escaped(value)}|after"
    found = segments(line.encode("utf-8", "replace"))
    assert len(found) == 2
    obx = found[1]
    assert obx.fields[6] == "after"
    assert len(obx.repetitions(5)) == 1
    assert len(obx.components(obx.fields[5])) == 1
    printable = "".join(c for c in value if c.isprintable())
    if printable == value:
        assert obx.plain(obx.fields[5]) == value.encode("utf-8", "replace").decode()
