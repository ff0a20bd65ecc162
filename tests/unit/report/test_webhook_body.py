"""The signal says what the SR says, and nothing of the patient."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from msnode import report
from msnode.config import Describe
from msnode.errors import Refused
from msnode.records.lesions import LesionFinding
from msnode.records.results import Predecessor, Report
from msnode.records.sentences import Sentence
from msnode.report import webhook_body
from msnode.report.dicom_modules import SERIES
from msnode.store.files import decode, encode
from tests import lesion_reports, reports

MakeReport = Callable[..., Report]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SIGNALS = st.builds(
    webhook_body.Signal,
    schema_version=st.just(1),
    id=TEXT,
    study_instance_uid=TEXT,
    accession_number=TEXT,
    generation=st.integers(1, 99),
    outcome=st.sampled_from(["present", "absent", "undetermined", "not_analysed"]),
    probability=st.none() | st.floats(0, 1),
    threshold=st.floats(0, 1),
    priority=st.none() | st.builds(webhook_body.Priority, TEXT, TEXT, TEXT),
    reason=st.none() | TEXT,
    model=st.builds(webhook_body.Model, TEXT, TEXT, TEXT),
    created_at=TEXT,
    results=st.lists(st.builds(webhook_body.Result, TEXT, TEXT, TEXT)).map(tuple),
    predecessor_generation=st.none() | st.integers(1, 99),
    warnings=st.lists(TEXT).map(tuple),
)


def coded(item: Dataset, name: str) -> Dataset:
    """The code of the first content item of this name, at any depth."""
    for child in item.get("ContentSequence", ()):
        if child.ConceptNameCodeSequence[0].CodeValue == name:
            (code,) = child.ConceptCodeSequence
            assert isinstance(code, Dataset)
            return code
        with contextlib.suppress(LookupError):
            return coded(child, name)
    raise LookupError(name)


def test_lesions_and_comparison_are_told(make_report: MakeReport) -> None:
    made = lesion_reports.compared(lesion_reports.painted(make_report(8)))
    told = webhook_body.build(made, [])
    assert decode(encode(told), webhook_body.Signal) == told
    assert made.lesions is not None
    assert told.lesions is not None
    assert told.lesions.count == len(made.lesions.lesions)
    assert told.lesions.ml == pytest.approx(made.lesions.ml, abs=1e-3)
    assert sum(one.count for one in told.lesions.regions) == told.lesions.count
    past = told.lesions.comparison
    assert (past.status, past.prior_date, past.days) == ("compared", "2023-01-15", 365)
    assert (past.new, past.enlarging, past.shrinking, past.gone) == (2, 1, 0, 1)
    assert any(line.startswith("Since 2023-01-15 (365 days): 2 new") for line in told.lesions.text)
    assert told.priority_reason == "2 new lesions"


def test_why_there_are_no_lesions_is_told(make_report: MakeReport) -> None:
    made = make_report(3)
    assert webhook_body.build(made, []).lesions is None
    failed = LesionFinding(lesion_reports.MODEL, reason=Sentence("nothing_bright"))
    told = webhook_body.build(replace(made, lesions=failed), []).lesions
    assert told is not None
    assert (told.count, told.ml, told.comparison.new) == (None, None, None)
    assert told.reason == str(Sentence("nothing_bright"))


@given(SIGNALS)
def test_what_is_written_can_be_read(made: webhook_body.Signal) -> None:
    assert decode(encode(made), webhook_body.Signal) == made


def test_the_signal_says_what_the_sr_says(make_report: MakeReport, tmp_path: Path) -> None:
    made = replace(make_report(5), generation=2, predecessor=Predecessor(1, "0" * 64))
    objects = report.write(made, Describe(), "minimal", tmp_path / "out")
    report.write_signal(made, [*objects, objects[0]], tmp_path / "signal.json")
    told = json.loads((tmp_path / "signal.json").read_bytes())
    sr, montage = map(pydicom.dcmread, objects)
    assert made.finding is not None
    assert told["outcome"] == report.read(objects[0]).decision == "present"
    assert told["probability"] == pytest.approx(made.finding.probability)
    assert (told["accession_number"], told["study_instance_uid"]) == ("A1", reports.STUDY)
    assert (told["generation"], told["predecessor_generation"]) == (2, 1)
    found = {one["kind"]: one["sop_instance_uid"] for one in told["results"]}
    assert found == {"sr": sr.SOPInstanceUID, "montage": montage.SOPInstanceUID}
    assert len(told["results"]) == 2
    priority = coded(sr, "READ_PRIORITY")
    assert told["priority"] == {
        "code_value": priority.CodeValue,
        "coding_scheme_designator": priority.CodingSchemeDesignator,
        "code_meaning": priority.CodeMeaning,
    }


def test_the_patient_is_not_in_it(make_report: MakeReport, tmp_path: Path) -> None:
    report.write_signal(make_report(3), [], tmp_path / "signal.json")
    text = (tmp_path / "signal.json").read_text()
    assert not [word for word in ("Müller", "Änne", "P-0815", "1980", "Greg") if word in text]


def test_a_study_that_was_not_analysed_has_no_priority(make_report: MakeReport) -> None:
    told = webhook_body.build(reports.not_analysed(make_report(3), "Modality is CT"), [])
    assert (told.outcome, told.probability, told.priority) == ("not_analysed", None, None)
    assert told.reason == "Modality is CT"


def test_reasons_and_warnings_are_plain_english(make_report: MakeReport, tmp_path: Path) -> None:
    made = make_report(3)
    for one in (made, reports.not_analysed(made, Sentence("modality", modality="CT"))):
        report.write_signal(one, [], tmp_path / "signal.json")
        told = json.loads((tmp_path / "signal.json").read_bytes())
        if one.finding is None:
            assert (told["reason"], told["warnings"]) == ("Modality is CT, not MR", [])
        else:
            [warning] = told["warnings"]
            assert warning.startswith("Outside of the training data, less reliable: field")


def test_a_signal_is_known_by_generation_and_model(make_report: MakeReport) -> None:
    made = make_report(3)
    retrained = replace(made, model=replace(made.model, digest="0" * 64))
    ids = [webhook_body.build(one, []).id for one in (made, replace(made, generation=2), retrained)]
    assert len(set(ids)) == 3
    assert webhook_body.build(replace(made, created_at=made.created_at + 1), []).id == ids[0]


def test_a_header_that_cannot_be_copied_is_refused(make_report: MakeReport, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        webhook_body.build(replace(make_report(3), header=tmp_path / "none"), [])


@pytest.mark.parametrize("language", ["en", "de"])
def test_series_begin_with_the_token_and_the_priority(
    make_report: MakeReport, tmp_path: Path, language: str
) -> None:
    describe = Describe(language=language, token="TRIAGE")  # type: ignore[arg-type]
    made = make_report(3)
    absent = make_report(3, decision="absent", probability=0.1)
    cases = {
        "urgent": made,
        "routine": absent,
        "not analysed": reports.not_analysed(made, "Modality is CT"),
    }
    for word, one in cases.items():
        for path in report.write(one, describe, "minimal", tmp_path / word):
            description = pydicom.dcmread(path).SeriesDescription
            assert description == f"TRIAGE {word}: {SERIES[path.stem][2]}"


def test_the_longest_description_is_legal() -> None:
    longest = max(len(description) for _, _, description in SERIES.values())
    assert 16 + len(" not analysed: ") + longest <= 64
