"""The page with earlier studies of the patient, and that everything fits on it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from pydicom.dataset import Dataset
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from msnode.config import Describe
from msnode.records.images import SeriesChoice
from msnode.records.results import Prior, Report
from msnode.report import case, pdf, readable_sr, trend, wording
from msnode.report.case import Case
from tests import reports

MakeReport = Callable[..., Report]
OTHER = "d" * 64
PRIOR = Prior(date(2023, 5, 3), "absent", 0.12, 0.5, "hybrid 1.0.0", reports.MODEL.digest)
OLDER = Prior(date(2021, 2, 3), "present", 0.77, 0.62, "hybrid 0.9.0", OTHER)
UNKNOWN = Prior(date(2022, 3, 3), None, None, 0.5, "hybrid 1.0.0", reports.MODEL.digest)


def job(made: Report, language: str = "en") -> Case:
    return case.load(made, Describe(language=language), case.USUAL)  # type: ignore[arg-type]


def said(document: Dataset) -> dict[str, list[str]]:
    """The sentences of a document by its headings."""
    return {
        part.ConceptNameCodeSequence[0].CodeMeaning: [
            item.TextValue for item in part.get("ContentSequence", ()) if "TextValue" in item
        ]
        for part in document.ContentSequence
        if part.ValueType == "CONTAINER"
    }


def test_without_earlier_studies_there_is_no_trend(make_report: MakeReport) -> None:
    made = make_report(3)
    assert trend.height(job(made)) == 0
    assert trend.studies(job(made)) == []
    assert trend.lines(job(made)) == []


MEANING = "The probability is no measure of lesion load or of change."


def test_no_curve_is_drawn_of_probabilities(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be read as the course of the disease."""
    slopes = []
    draw = Canvas.line

    def line(canvas: Canvas, x1: float, y1: float, x2: float, y2: float) -> None:
        slopes.append(x1 != x2 and y1 != y2)
        draw(canvas, x1, y1, x2, y2)

    monkeypatch.setattr(Canvas, "line", line)
    pdf.page(job(replace(make_report(3), priors=(OLDER, UNKNOWN, PRIOR))))
    assert not any(slopes)


def test_it_is_said_what_the_numbers_do_not_mean(make_report: MakeReport) -> None:
    made = make_report(3)
    assert trend.notes(job(replace(made, priors=(PRIOR,)))) == [MEANING]
    notes = trend.notes(job(replace(made, priors=(OLDER, PRIOR))))
    assert notes == [MEANING, "Results of different models do not compare."]


def test_earlier_studies_are_named_with_date_result_and_model(make_report: MakeReport) -> None:
    made = replace(make_report(3), priors=(UNKNOWN, PRIOR))
    assert trend.lines(job(made)) == [
        "2022-03-03, Not analysed, –, hybrid 1.0.0 · c0ffee",
        "2023-05-03, Absent, 12%, hybrid 1.0.0 · c0ffee",
        MEANING,
    ]
    assert trend.studies(job(made))[-1].study_date == date(2025, 1, 2)


def test_of_many_studies_the_latest_are_shown_and_the_others_counted(
    make_report: MakeReport,
) -> None:
    priors = tuple(replace(PRIOR, study_date=date(2000 + n, 1, 1)) for n in range(10))
    made = job(replace(make_report(3), priors=priors))
    assert len(trend.studies(made)) == trend.MOST + 1
    assert trend.notes(made) == ["4 earlier ones are not shown.", MEANING]


def test_the_readable_report_names_them_too(make_report: MakeReport) -> None:
    made = make_report(3)
    titles = [said(readable_sr.build(job(one))) for one in (made, replace(made, priors=(PRIOR,)))]
    without, known = titles
    assert known["Previous Findings"] == ["2023-05-03, Absent, 12%, hybrid 1.0.0 · c0ffee", MEANING]
    assert known.keys() - without.keys() == {"Previous Findings"}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_must_be_said_is_on_the_page_however_much_there_is(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    drawn: list[str] = []
    keep = Paragraph.drawOn

    def note(paragraph: Paragraph, canvas: Canvas, x: float, y: float) -> None:
        drawn.append(paragraph.getPlainText())
        keep(paragraph, canvas, x, y)

    monkeypatch.setattr(Paragraph, "drawOn", note)
    others = tuple(SeriesChoice(f"1.{n}", "T1", 9, False, "T1 " * 40) for n in range(40))
    made = replace(make_report(24), series=others, priors=(OLDER, PRIOR) * 3)
    page = job(made, language)
    pdf.page(page)
    for text in (*wording.outcome(page), *wording.notes(page), page.say("limits")):
        assert text in drawn
    assert len(drawn) < 40, "the rest is cut, not squeezed"
