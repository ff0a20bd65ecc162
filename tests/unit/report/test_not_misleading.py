"""What a reader in a hurry could take for more than it is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from reportlab.pdfgen.canvas import Canvas

from msnode import classify, report
from msnode.config import Describe
from msnode.records.results import Priority, Report
from msnode.records.sentences import Sentence
from msnode.records.timeline import Timeline
from msnode.report import (
    canvas,
    case,
    localised,
    measurement_sr,
    montage,
    pdf,
    readable_sr,
    tiles,
    webhook_body,
    wording,
)
from msnode.report.case import Case, matter
from msnode.report.profiles import BUILDERS, OF_A_COURSE, OF_LESIONS
from tests import lesion_reports
from tests.acceptance.peers import ROOT
from tests.unit.report.test_content import job, printed, sentences

MakeReport = Callable[..., Report]
DOUBT = Sentence("saliency_wide", share=61)
DESCRIPTIONS = (
    "ContentDescription", "DerivationDescription", "DocumentTitle",
)  # fmt: skip


def undecided(made: Report) -> Report:
    assert made.finding is not None
    finding = replace(made.finding, decision="undetermined", doubts=(DOUBT,))
    return replace(made, finding=finding)


def drawn(made: Report, monkeypatch: pytest.MonkeyPatch, **describe: Any) -> list[str]:
    """Every line of the montage."""
    lines: list[str] = []
    write = canvas.Canvas.text

    def text(self: canvas.Canvas, at: tuple[float, float], line: str, *a: Any, **k: Any) -> float:
        lines.append(line)
        return write(self, at, line, *a, **k)

    with monkeypatch.context() as patch:
        patch.setattr(canvas.Canvas, "text", text)
        montage.draw(case.load(made, Describe(**describe), case.USUAL))
    return lines


# --- urgency ---


def test_every_object_suggests_the_same_priority(make_report: MakeReport) -> None:
    made = make_report(3)
    for urgent in (True, False):
        one = replace(made, priority=Priority(urgent, "because of the rule"))
        assert one.is_urgent is urgent
        words = sentences(measurement_sr.build(job(one, "en")))
        assert ("Urgent procedure" in words) == urgent
        assert "because of the rule" in words
        word = "urgent" if urgent else "routine"
        assert wording.priority(job(one, "en")) == f"{word}: because of the rule"
        signal = webhook_body.build(one, ())
        assert signal.priority is not None
        assert ("Urgent" in signal.priority.code_meaning) == urgent
        assert signal.priority_reason == "because of the rule"


def test_without_a_priority_nothing_is_urgent(make_report: MakeReport) -> None:
    made = replace(make_report(3), priority=None)
    assert not made.is_urgent
    assert wording.priority(job(made, "en")) == "routine"


# --- no decision ---


@pytest.mark.parametrize("language", localised.LANGUAGES)
def test_every_object_says_why_there_is_no_decision(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    made = undecided(make_report(3))
    why = localised.Words(language)("saliency_wide", share=61)
    one = job(made, language)
    assert why in sentences(measurement_sr.build(one))
    assert why in " ".join(sentences(readable_sr.build(one)))
    assert any(why in line for line in printed(one, monkeypatch))
    picture = " ".join(drawn(made, monkeypatch, language=language))
    assert why[:40] in picture
    reason = webhook_body.build(made, ()).reason
    assert reason == str(DOUBT)


def test_a_probability_in_the_band_says_where_the_band_is(make_report: MakeReport) -> None:
    made = make_report(3, decision="undetermined", probability=0.46)
    made = replace(made, model=replace(made.model, undetermined=(0.39, 0.61)))
    assert wording.doubts(job(made, "en")) == ["no decision between 39% and 61%"]
    assert wording.doubts(job(make_report(3), "en")) == []


# --- what it cannot tell ---


@pytest.mark.parametrize("language", localised.LANGUAGES)
def test_every_object_says_that_other_causes_look_alike(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    made = make_report(3)
    one = job(made, language)
    others = dict.fromkeys(OF_LESIONS, job(lesion_reports.painted(made), language))
    course = Timeline(date(2024, 1, 15), edss=((date(2023, 1, 15), 2.0),))
    others |= dict.fromkeys(OF_A_COURSE, job(replace(made, timeline=course), language))
    say = localised.Words(language)
    for kind, build in BUILDERS.items():
        _, first = next(iter(build(others.get(kind, one))))
        said = " ".join(sentences(first) + [str(first.get(name, "")) for name in DESCRIPTIONS])
        if kind == "pdf":
            said = " ".join(printed(one, monkeypatch))
        said = said.replace("’", "'")
        wanted = (say("limits"), say("limits_short"))
        assert any(words.replace("’", "'") in said for words in wanted), kind
    assert say("limits")[:40] in " ".join(drawn(made, monkeypatch, language=language))
    assert len(say("limits_short")) <= 64, "it goes into LO attributes"


# --- one number, one list of images ---


def test_a_probability_is_one_number_everywhere(make_report: MakeReport) -> None:
    made = make_report(3, decision="absent", probability=0.4573)
    words = sentences(measurement_sr.build(job(made, "en")))
    assert "46.0 %" in words
    assert not any("45.7" in line for line in words)
    assert any("46%" in line for line in sentences(readable_sr.build(job(made, "en"))))


def test_the_pictures_are_the_images_that_the_text_lists(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_report(24)
    one = job(made, "en")
    named = {line.partition(":")[0] for line in wording.slice_lines(one)}
    assert named == {wording.name(one, found) for found in montage.shown(one)}
    assert named <= set(drawn(made, monkeypatch))


def test_people_read_images_and_no_columns(make_report: MakeReport) -> None:
    lines = wording.slice_lines(job(make_report(24), "en"))
    assert len(lines) >= 3
    assert not any("Slice" in line or "column" in line for line in lines)


def test_sentences_of_the_readable_report_are_short(make_report: MakeReport) -> None:
    words = sentences(readable_sr.build(job(undecided(make_report(3)), "en")))
    assert max(map(len, words)) <= 110, max(words, key=len)


# --- pictures and dates ---


def test_a_lesion_of_3_mm_has_6_pixels(make_report: MakeReport) -> None:
    one = job(make_report(24), "en")
    view = tiles.view(one, montage.shown(one))
    mm = np.linalg.norm(one.slices.affines[0][:3, 0])
    assert 3 / mm * tiles.SIDE / view.side >= 6


def test_the_sides_are_named_as_the_picture_is_turned(make_report: MakeReport) -> None:
    one = job(make_report(3), "en")
    assert tiles.letters(one, 0) == ("R", "L", "A", "P")
    turned = one.slices.affines.copy()
    turned[:, :3, :2] *= -1
    other = replace(one.report, slices=replace(one.slices, affines=turned))
    assert tiles.letters(job(other, "en"), 0) == ("L", "R", "P", "A")


def test_the_two_dates_are_told_apart(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_report(3)
    line = next(line for line in drawn(made, monkeypatch) if "Study of 2025-01-02" in line)
    assert "Processed " in line
    pages: list[str] = []
    monkeypatch.setattr(Canvas, "drawRightString", lambda _, x, y, text: pages.append(text))
    pdf.page(job(made, "en"))
    assert line in pages


@pytest.mark.parametrize(("shown", "where"), [(True, "on"), (False, "off")])
def test_identity_is_where_it_is_configured(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch, shown: bool, where: str
) -> None:
    made = make_report(3)
    picture = " ".join(drawn(made, monkeypatch, identity_on_pictures=shown))
    page = Describe(identity_on_pdf=shown)
    paper = " ".join(printed(case.load(made, page, case.USUAL), monkeypatch))
    for words in (picture, paper):
        for part in ("Müller^Änne", "P-0815", "A1"):
            assert (part in words) == shown, (where, part)


def test_pictures_name_nobody_by_default(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_report(3)
    assert "P-0815" not in " ".join(drawn(made, monkeypatch))
    assert any("P-0815" in line for line in printed(job(made, "en"), monkeypatch))


# --- the bundle's own sentences ---


def test_the_shipped_bundle_speaks_every_language() -> None:
    info = classify.load_bundle(ROOT / "models/hybrid").info
    for texts in (
        {info.told("notice", language) for language in localised.LANGUAGES},
        {info.told("measured_on", language) for language in localised.LANGUAGES},
    ):
        assert len(texts) == len(localised.LANGUAGES)
    assert info.told("notice", "xx") == info.notice


def test_a_translated_sentence_is_what_is_shown(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_report(3)
    model = replace(made.model, translations={"de": {"notice": "Nur für Forschung: ÜBERSETZT."}})
    one: Case = job(replace(made, model=model), "de")
    assert "ÜBERSETZT" in wording.notice(one)
    assert any("ÜBERSETZT" in line for line in sentences(readable_sr.build(one)))
    assert matter(one)


def test_what_was_read_back_says_why(make_report: MakeReport, tmp_path: Any) -> None:
    made = undecided(make_report(3))
    paths = report.write(made, Describe(), "minimal", tmp_path / "out")
    summary = report.read(next(path for path in paths if path.stem == "sr"))
    assert summary.reasons == (str(DOUBT),)
