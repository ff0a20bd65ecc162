"""What an SR from outside says: our codes, the site's, our corrected decision; else nothing."""

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    generate_uid,
)

from msnode import report
from msnode.config import Describe, Form
from msnode.report import codes
from msnode.report.returned_sr import Meaning, read_returned, said_by
from tests import reports
from tests.integration.listening import write
from tests.returned_srs import (
    CONCLUSION,
    MS,
    NOT_MS,
    answer,
    items,
    reference,
    report_on,
    signed_copy,
    verified,
)

MEANINGS = (
    Meaning(CONCLUSION, MS, "ms"),
    Meaning(CONCLUSION, NOT_MS, "not_ms"),
    Meaning(("121073", "DCM"), "No evidence of  MS", "not_ms"),
)
OWN = (codes.JUDGEMENT.value, codes.PRIVATE)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Our SR of a result that says *present*."""
    folder = tmp_path_factory.mktemp("study")
    report.write(reports.synthetic(folder), Describe(), "minimal", folder / "out", Form())
    return pydicom.dcmread(folder / "out" / "sr.dcm")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([answer(OWN, ("AGREES", codes.PRIVATE)), answer(OWN, ("READ", codes.PRIVATE))], "agree"),
        ([answer(OWN, ("NOT_MS", codes.PRIVATE))], "not_ms"),
        ([answer(OWN, ("WRONG_SERIES", codes.PRIVATE))], "unsure"),
        ([answer(CONCLUSION, MS)], "ms"),
        ([answer(CONCLUSION, NOT_MS)], "not_ms"),
        ([answer(("121073", "DCM"), " no evidence of ms ")], "not_ms"),
        # our own word is the reader's on our result, whatever else the report concludes
        ([answer(OWN, ("NOT_MS", codes.PRIVATE)), answer(CONCLUSION, MS)], "not_ms"),
    ],
)
def test_what_is_understood(ours: Dataset, content: list[Dataset], expected: str) -> None:
    assert said_by(report_on(ours, *content), MEANINGS) == (expected, "")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([], "not_understood"),
        ([answer(("121109", "DCM"), MS)], "not_understood"),  # the indication, no conclusion
        ([answer(CONCLUSION, ("24700007", "99OTHER"))], "not_understood"),
        ([answer(("121073", "DCM"), "Old infarct. No evidence of MS")], "not_understood"),
        ([answer(CONCLUSION, MS), answer(CONCLUSION, NOT_MS)], "contradictory"),
        ([answer(OWN, ("READ", codes.PRIVATE))], "no_verdict"),
        (
            [answer(OWN, ("AGREES", codes.PRIVATE)), answer(OWN, ("NOT_MS", codes.PRIVATE))],
            "contradictory",
        ),
    ],
)
def test_nothing_is_guessed(ours: Dataset, content: list[Dataset], why: str) -> None:
    assert said_by(report_on(ours, *content), MEANINGS) == (None, why)


def test_what_is_modified_below_is_not_taken_at_its_word(ours: Dataset) -> None:
    item = answer(CONCLUSION, MS)
    ruled_out = answer(("121052", "DCM"), ("723510000", "SCT"))
    ruled_out.RelationshipType = "HAS CONCEPT MOD"
    item.ContentSequence = [ruled_out]
    assert said_by(report_on(ours, item), MEANINGS) == (None, "modified")


def test_a_signed_copy_of_ours_says_what_stands_in_it(ours: Dataset) -> None:
    copy = signed_copy(ours)
    assert said_by(copy, ()) == ("ms", "")
    for item in items(copy):
        if item.get("ValueType") == "CODE" and item.ConceptCodeSequence[0].CodeValue == "52101004":
            absent = codes.DECISIONS["absent"]
            item.ConceptCodeSequence[0].CodeValue = absent.value
    assert said_by(copy, ()) == ("not_ms", ""), "the reader corrected it before signing"


@pytest.mark.parametrize(
    "sop_class",
    [BasicTextSRStorage, EnhancedSRStorage, ComprehensiveSRStorage, Comprehensive3DSRStorage],
)
def test_who_signed_when_and_what_it_refers_to(
    ours: Dataset, sop_class: str, tmp_path: Path
) -> None:
    made = report_on(ours, answer(CONCLUSION, MS), sop_class=sop_class)
    later = pydicom.Dataset()
    later.VerifyingObserverName, later.VerificationDateTime = "Chief^Max", "20240117090000"
    verified(made).VerifyingObserverSequence.append(later)
    read = read_returned(write(tmp_path / "a.dcm", made), MEANINGS)
    assert (read.verified, read.reader, read.judged) == (True, "chief max", "ms")
    assert ours.SOPInstanceUID in read.firm
    assert ours.SOPInstanceUID in read.refers
    assert read.given_at > 1_705_000_000


def test_evidence_of_other_studies_is_no_reference(ours: Dataset, tmp_path: Path) -> None:
    made = report_on(ours, answer(CONCLUSION, MS))
    made.StudyInstanceUID = generate_uid()
    made.CurrentRequestedProcedureEvidenceSequence = []
    made.PertinentOtherEvidenceSequence = [reference(ours)]
    read = read_returned(write(tmp_path / "a.dcm", made), MEANINGS)
    assert (read.firm, read.refers) == ((), ())


@pytest.mark.parametrize(
    "broken",
    [
        {"VerifyingObserverSequence": [Dataset()]},
        {"ContentDate": "unknown", "ContentTime": "99"},
        {"ContentSequence": []},
    ],
)
def test_what_is_missing_is_not_invented(
    ours: Dataset, broken: dict[str, Any], tmp_path: Path
) -> None:
    made = report_on(ours, answer(CONCLUSION, MS))
    with pydicom.config.disable_value_validation():
        for name, value in broken.items():
            setattr(made, name, value)
        read = read_returned(write(tmp_path / "a.dcm", made), MEANINGS)
    assert not read.verified
    assert read.reader == ""
