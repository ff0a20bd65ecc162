"""A result that is kept for the pages says the same sentences, in every language."""

from pathlib import Path
from typing import Literal, get_args

import pytest
from pydicom.dataset import Dataset

from msnode.config import Describe
from msnode.records.results import Report
from msnode.records.sentences import Sentence
from msnode.report import course_wording, wording
from msnode.report.case import Case, images
from msnode.report.report_file import read_report, write_report
from msnode.report.study_header import Header
from tests import lesion_reports, reports

Language = Literal["en", "de", "fr", "es", "nl"]


def said(case: Case) -> list[str]:
    """All that a reader is told."""
    told = [*wording.outcome(case), *wording.notes(case), *wording.method(case)]
    return [*told, *wording.slice_lines(case), *course_wording.lines(case)]


def kept_case(made: Report, path: Path, language: Language) -> Case:
    kept = read_report(write_report(made, path))
    assert kept is not None
    evidence = images(kept.report.evidence, kept.report.study_instance_uid)
    assert {one.sop_instance_uid: one.number for one in evidence.values()} == kept.image_numbers
    return Case(kept.report, Describe(language=language), Header(Dataset()), evidence)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Report:
    head = reports.synthetic(tmp_path_factory.mktemp("study"))
    return lesion_reports.compared(lesion_reports.painted(head))


@pytest.mark.parametrize("language", get_args(Language))
def test_a_kept_result_says_what_its_objects_say(
    language: Language, compared: Report, tmp_path: Path
) -> None:
    evidence = images(compared.evidence, compared.study_instance_uid)
    whole = Case(compared, Describe(language=language), Header(Dataset()), evidence)
    kept = kept_case(compared, tmp_path / "report.json", language)
    assert said(kept) == said(whole)
    assert kept.has_outlines
    assert (tmp_path / "report.json").stat().st_size < 500_000


def test_a_study_that_was_not_analysed_keeps_its_reason(compared: Report, tmp_path: Path) -> None:
    made = reports.not_analysed(compared, Sentence("single_image"))
    kept = kept_case(made, tmp_path / "report.json", "de")
    assert said(kept)[:2] == said(Case(made, Describe(language="de"), Header(Dataset()), {}))[:2]


def test_what_older_versions_left_has_none(tmp_path: Path) -> None:
    assert read_report(tmp_path / "report.json") is None
