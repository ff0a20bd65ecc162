"""Sentences on lesions: as a radiologist would dictate them, and never more than is known."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from msnode.config import Describe
from msnode.records.lesions import (
    Comparison,
    Grade,
    Lesion,
    LesionChange,
    LesionFinding,
    Region,
)
from msnode.records.results import Report
from msnode.records.sentences import Sentence
from msnode.report import (
    case,
    lesion_tiles,
    lesion_wording,
    localised,
    measurement_sr,
    pdf,
    readable_sr,
)
from msnode.report.case import Case
from tests import lesion_reports
from tests.unit.report.test_content import job, printed, sentences

MakeReport = Callable[..., Report]
MODEL = lesion_reports.MODEL


def lesion(number: int, region: Region, mm3: float = 100.0) -> Lesion:
    return Lesion(number, region, mm3, 5.0, (1,), (0.0, 0.0, 0.0), 0.9, {region: mm3})


FOUND = LesionFinding(
    MODEL,
    (lesion(1, "periventricular", 5000), lesion(2, "periventricular"), lesion(3, "deep_white")),
)


def told(made: Report, found: LesionFinding, language: str = "en") -> list[str]:
    outlined = lesion_reports.painted(made)
    return lesion_wording.sentences(job(replace(outlined, lesions=found), language))


def change(**how: object) -> Comparison:
    usual = {"ml_before": 4.4, "ml_now": 5.2, "ml_error": 0.5, "days": 402}
    return Comparison("compared", prior_date=date(2023, 1, 15), **(usual | how))  # type: ignore[arg-type]


def test_it_says_how_many_how_large_and_where(make_report: MakeReport) -> None:
    assert told(make_report(3), FOUND) == [
        "White matter hyperintensities: 3 (5.2 ml): periventricular 2, deep white 1.",
        "No earlier scan to compare with.",
        "Of the 3 regions of the brain that are looked at (periventricular, juxtacortical, "
        "infratentorial), 1 with lesions in this FLAIR; spinal cord and optic nerve not assessed "
        "by the AI.",
    ]


def test_where_a_lesion_could_not_be_placed_no_region_is_counted(make_report: MakeReport) -> None:
    unplaced = replace(FOUND, lesions=(*FOUND.lesions, lesion(4, "unknown")))
    assert not any("3 regions" in line for line in told(make_report(3), unplaced))


def test_what_is_doubtful_stands_right_behind_the_number(make_report: MakeReport) -> None:
    doubts = (Sentence("mass", mm=26), Sentence("outside_age", value=9, known="18"))
    _, line, *_ = told(make_report(3), replace(FOUND, doubts=doubts))
    assert line == (
        "Outlines doubtful: a bright area 26 mm wide in all directions, larger than lesions of MS "
        "as a rule (tumour, infarct, tumefactive lesion?); age 9 years (trained on 18)."
    )
    _, german, *_ = told(make_report(3), replace(FOUND, doubts=doubts), "de")
    assert german.startswith("Umrisse zweifelhaft: ein in allen Richtungen 26 mm")


def test_lesions_that_were_not_compared_are_counted_and_never_called_unchanged(
    make_report: MakeReport,
) -> None:
    made = lesion_reports.compared(lesion_reports.painted(make_report(8)))
    assert made.lesions is not None
    assert made.lesions.uncompared == 0
    assert lesion_tiles.legend(job(made, "en"), "rest") == "unchanged or shrinking"
    past = made.lesions.comparison
    some = [one for one in past.changes if one.number != 1]
    found = replace(made.lesions, comparison=replace(past, changes=tuple(some)))
    part = job(replace(made, lesions=found), "en")
    assert "1 lesion(s) lie outside of what both scans show and were not compared" in " ".join(
        lesion_wording.comparison(part)
    )
    assert lesion_tiles.legend(part, "rest") == "unchanged, shrinking or not compared"


def test_what_changed_is_said_with_its_error(make_report: MakeReport) -> None:
    made = lesion_reports.compared(lesion_reports.painted(make_report(8)))
    assert made.lesions is not None
    past = made.lesions.comparison
    changes = tuple(replace(one, region="deep_white") for one in past.changes)
    past = replace(past, changes=changes, ml_before=4.4, ml_now=5.2, ml_error=0.5, days=402)
    lines = lesion_wording.comparison(
        job(replace(made, lesions=replace(made.lesions, comparison=past)), "en")
    )
    assert lines[0] == (
        "Since 2023-01-15 (402 days): 2 new lesions (deep white, right; deep white, left), "
        "1 enlarging, 1 no longer seen; volume +0.80 ml (measurement error ±0.50 ml)."
    )
    assert lines[1].startswith("The two scans differ: field strength")


def test_few_new_lesions_are_named_with_their_sides(make_report: MakeReport) -> None:
    left = LesionChange(1, "new", 0.0, 90.0, "deep_white", (0.0, 0.0, 0.0), laterality="left")
    right = replace(left, region="periventricular", laterality="right")
    unplaced = replace(left, region="unknown", laterality="unknown")
    for new, language, said in (
        ((left,), "en", "1 new lesion (deep white, left)"),
        ((left,), "fr", "1 nouvelle lésion (substance blanche profonde, à gauche)"),
        ((unplaced,), "en", "1 new lesion (not placed)"),
        ((left, right), "en", "2 new lesions (deep white, left; periventricular, right)"),
        ((left, unplaced), "en", "2 new lesions (deep white 1, not placed 1)"),
        ((left, right, right, right), "en", "4 new lesions (periventricular 3, deep white 1)"),
    ):
        found = replace(FOUND, comparison=change(changes=new))
        assert said in told(make_report(3), found, language)[1]


@pytest.mark.parametrize("ml_now", [4.0, 4.4, 4.9])
def test_a_change_within_the_error_is_none(make_report: MakeReport, ml_now: float) -> None:
    found = replace(FOUND, comparison=change(ml_now=ml_now))
    line = told(make_report(3), found)[1]
    assert "no change in volume beyond measurement error (±0.50 ml)" in line
    assert "no new lesion, none enlarging" in line


def test_an_unknown_error_is_not_taken_for_none(make_report: MakeReport) -> None:
    found = replace(FOUND, comparison=change(ml_error=None))
    assert "(measurement error not known)" in told(make_report(3), found)[1]


def test_why_nothing_was_compared_is_said(make_report: MakeReport) -> None:
    why = Sentence("single_image")
    past = Comparison("not_compared", why, date(2023, 1, 15))
    line = told(make_report(3), replace(FOUND, comparison=past))[1]
    assert line == f"Not compared with 2023-01-15: {why}."
    undated = replace(past, prior_date=None)
    assert "the earlier scan" in told(make_report(3), replace(FOUND, comparison=undated))[1]


def test_what_this_scan_could_have_shown_is_said(make_report: MakeReport) -> None:
    found = replace(FOUND, grades=(Grade(3, 5, 7, 10), Grade(5, 10, 9, 10)))
    assert told(make_report(3), found)[-1] == (
        "Of lesions put into this scan as a test, of 3–5 mm 7 of 10, of 5–10 mm 9 of 10 "
        "were found again."
    )


def test_why_nothing_was_outlined_is_said(make_report: MakeReport) -> None:
    failed = replace(FOUND, lesions=(), reason=Sentence("nothing_bright"))
    [line] = told(make_report(3), failed)
    assert line.startswith("White matter hyperintensities were not outlined: PixelData")


def test_classifier_and_outlines_may_disagree(make_report: MakeReport) -> None:
    many = replace(FOUND, lesions=tuple(lesion(n, "deep_white") for n in range(1, 10)))
    none = replace(FOUND, lesions=())
    absent = make_report(3, decision="absent", probability=0.1)
    assert "sees no pattern, but 9 hyperintensities" in told(absent, many)[-1]
    assert "no hyperintensity is outlined" in told(make_report(3), none)[-1]
    assert absent.finding is not None
    by_them = replace(absent, finding=replace(absent.finding, basis="it rests on 9 separate ones"))
    present = make_report(3)
    assert present.finding is not None
    by_places = replace(present, finding=replace(present.finding, basis="it rests on places"))
    assert "no hyperintensity is outlined" in told(by_places, none)[-1]
    for made, found in (
        (absent, none),
        (present, many),
        (absent, FOUND),
        (by_them, many),
    ):
        assert not any("disagree" in line for line in told(made, found))


@pytest.mark.parametrize("language", localised.LANGUAGES)
def test_no_sentence_names_a_disease_or_a_criterion(make_report: MakeReport, language: str) -> None:
    made = lesion_reports.compared(lesion_reports.painted(make_report(8)))
    lines = lesion_wording.sentences(job(made, language))
    assert not [line for line in lines if re.search(r"\b(MS|SEP|EM|McDonald)\b", line)]


@pytest.mark.parametrize("language", localised.LANGUAGES)
def test_every_document_says_it_in_the_readers_language(
    make_report: MakeReport, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lesion_reports.compared(lesion_reports.painted(make_report(8)))
    one: Case = job(made, language)
    lines = lesion_wording.sentences(one)
    assert len(lines) == 5
    found = {
        "sr": sentences(measurement_sr.build(one)),
        "readable": sentences(readable_sr.build(one)),
        "pdf": printed(one, monkeypatch),
    }
    for kind, words in found.items():
        assert [line for line in lines if line not in " ".join(words)] == [], kind
        assert MODEL.notice in " ".join(words), kind


def test_a_page_holds_it_all_with_many_studies(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lesion_reports.compared(lesion_reports.painted(make_report(8)))
    made = replace(made, priors=made.priors * 4)
    one = case.load(made, Describe(language="fr"), case.USUAL)
    words = printed(one, monkeypatch)
    assert [line for line in lesion_wording.sentences(one) if line not in words] == []
    assert one.say("limits") in words
    assert pdf.page(one) == pdf.page(one)
