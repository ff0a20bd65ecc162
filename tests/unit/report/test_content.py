"""Everything a radiologist must know is in each of the documents, in the reader's language."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from msnode.config import Describe
from msnode.records.results import Predecessor, Report
from msnode.records.sentences import Sentence, phrases
from msnode.report import case, key_objects, localised, measurement_sr, pdf, readable_sr, wording
from msnode.report.case import Case
from tests import reports

MakeReport = Callable[..., Report]

NAMES = ("山田^太郎=やまだ^たろう", "Παπαδόπουλος^Γιώργος", "Иванов^Иван", "Müller^Änne")

REASON = Sentence("no_head", faults=[Sentence("nothing_bright")])


def job(made: Report, language: str) -> Case:
    return case.load(made, Describe(language=language), case.USUAL)  # type: ignore[arg-type]


def sentences(document: Dataset) -> list[str]:
    """Every TEXT value, code meaning and number below a document."""
    found: list[str] = []
    for item in document.get("ContentSequence", ()):
        found += [str(item.TextValue)] if "TextValue" in item else []
        found += [code.CodeMeaning for code in item.get("ConceptCodeSequence", ())]
        found += [f"{m.NumericValue} %" for m in item.get("MeasuredValueSequence", ())]
        found += sentences(item)
    return found


def printed(made: Case, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is drawn on the page."""
    found: list[str] = []
    show, draw = Canvas.drawString, Paragraph.drawOn

    def line(canvas: Canvas, x: float, y: float, words: str) -> None:
        found.append(words)
        show(canvas, x, y, words)

    def paragraph(made: Paragraph, canvas: Canvas, x: float, y: float) -> None:
        found.append(made.getPlainText())
        draw(made, canvas, x, y)

    with monkeypatch.context() as patch:
        patch.setattr(Canvas, "drawString", line)
        patch.setattr(Paragraph, "drawOn", paragraph)
        pdf.page(made)
    return found


@pytest.fixture(scope="module")
def revised(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A result that replaces another."""
    made = reports.synthetic(tmp_path_factory.mktemp("source"), 8)
    return replace(made, generation=2, predecessor=Predecessor(1, "0", "absent", 0.21))


def strongest_line(made: Report, say: localised.Words) -> str:
    """What is said of the most suspicious slice."""
    assert made.finding is not None
    found = max(made.finding.slices, key=lambda one: one.probability)
    number = found.index + 1
    return say(
        "slice_line",
        where=say("image", number=number),
        probability=say.percent(found.probability),
    )


@pytest.mark.parametrize("language", localised.LANGUAGES)
def test_each_document_says_it_all(
    revised: Report, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = job(revised, language)
    found = {
        "sr": "\n".join(sentences(measurement_sr.build(mine))),
        "readable": " ".join(sentences(readable_sr.build(mine))),  # long ones are in parts
        "pdf": "\n".join(printed(mine, monkeypatch)),
    }
    say = localised.Words(language)
    everywhere = [
        say.percent(0.91), say.percent(0.84), "14 people of one site",  # the operating point
        "FLAIR tra", "InversionTime 2500 ms",  # the series, and why
        "LOCALIZER",  # and why not another
        say("input", count=8, thickness=say.number(130 / 7)),
        say("thickness", thickness=say.number(5.0)), say("none_missing"),
        say("gate", score=say.number(0.93, 2)),
        f"{say.number(0.4)} s", f"{say.number(3.1)} s",  # processing times
        "hybrid", "1.0.0", "c0ffeec0ffee",  # the model
        say("outside_field", value=3.0, known=Sentence("exactly", low=1.5)),
        "SIEMENS", "Toshiba",
        say.percent(0.21), say("new_model"),  # the predecessor, and what changed
        "not a medical device",
    ]  # fmt: skip
    for kind, words in found.items():
        assert [one for one in everywhere if one not in words] == [], kind
    for kind in ("readable", "pdf"):
        words = found[kind]
        assert say("banner") in words
        assert say("limits") in words
        assert f"{say('calibrated')} {say.percent(0.87)} ({say('threshold')}" in words
        assert say.label("priority", say.label("urgent", "a rule of the site")) in words
        assert strongest_line(revised, say) in words


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_machines_read_is_the_same_in_every_language(revised: Report, language: str) -> None:
    words = "\n".join(sentences(measurement_sr.build(job(revised, language))))
    for said in (
        "87.0 %", "Present", "Urgent procedure", "Artificial Intelligence", "threshold=0.5000",
        "sensitivity=0.9100", "specificity=0.8400", f"digest={reports.MODEL.digest}",
    ):  # fmt: skip
        assert said in words


@pytest.mark.parametrize("language", localised.LANGUAGES)
def test_a_reason_is_said_in_the_readers_language(
    make_report: MakeReport, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = job(reports.not_analysed(make_report(3), REASON), language)
    said = phrases(language)["nothing_bright"]
    for words in (
        sentences(measurement_sr.build(mine)),
        sentences(readable_sr.build(mine)),
        printed(mine, monkeypatch),
    ):
        joined = "\n".join(words)
        assert said in joined
        assert localised.Words(language)("not_analysed") in joined
        others = {phrases(other)["nothing_bright"] for other in localised.LANGUAGES} - {said}
        assert not [other for other in others if other in joined]


@pytest.mark.parametrize("language", localised.LANGUAGES)
def test_images_that_cannot_be_used_are_technically_inadequate(
    make_report: MakeReport, language: str
) -> None:
    unusable = Sentence("none_usable", series=[Sentence("named", name="FLAIR", why=REASON)])
    mine = job(reports.not_analysed(make_report(3), unusable), language)
    words = localised.Words(language)
    assert any(words("inadequate") in one for one in sentences(readable_sr.build(mine)))
    found = sentences(measurement_sr.build(mine))
    assert any(one.startswith(words("inadequate")) for one in found)
    assert not any(one.startswith(words("not_analysed")) for one in found)
    assert "Undetermined" in found


def test_a_reason_that_an_older_version_stored_is_said_as_it_stands(
    make_report: MakeReport,
) -> None:
    mine = job(reports.not_analysed(make_report(3), "the head is too small"), "de")
    assert "Nicht ausgewertet: the head is too small" in sentences(measurement_sr.build(mine))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_any_script_stays_as_it_is(make_report: MakeReport, name: str) -> None:
    made = make_report(3)
    source = pydicom.dcmread(made.header)
    source.SpecificCharacterSet, source.PatientName = "ISO_IR 192", name
    source.save_as(made.header)
    for build in (measurement_sr.build, readable_sr.build, pdf.build):
        document = build(job(made, "en"))
        path = Path(made.header).with_name("result.dcm")
        document.save_as(path, enforce_file_format=True)
        read = pydicom.dcmread(path)
        assert read.SpecificCharacterSet == "ISO_IR 192"
        assert str(read.PatientName) == name


def test_all_name_the_image_with_the_peak_of_a_reformatted_slice(make_report: MakeReport) -> None:
    """No source image is such a slice; the one nearest to its centre is the same for all."""
    made = make_report(8)
    assert made.finding is not None
    assert made.slices is not None
    middle, last = made.slices.frames[4], made.slices.frames[7]
    found = tuple(
        replace(one, source=middle, peak=replace(one.peak, source=last))
        for one in made.finding.slices
    )
    slices = replace(made.slices, reformatted=True, nearest=(4,) * 8, thickness_mm=1.0)
    mine = job(replace(made, slices=slices, finding=replace(made.finding, slices=found)), "en")
    for words in (sentences(measurement_sr.build(mine)), sentences(readable_sr.build(mine))):
        assert any("Image 8" in line for line in words)
        assert not any("Image 5" in line for line in words)
        assert any(f"8 slices, {130 / 7:.1f} mm apart" in line for line in words)
    documents = (readable_sr.build(mine), key_objects.build(mine))
    assert [referred(document) for document in documents] == [[last.sop_instance_uid]] * 2
    assert wording.name(mine, found[2]) == "Slice 3 of 8"


def referred(document: Dataset) -> list[str]:
    """The images that a document shows."""
    found: list[str] = []
    for item in document.get("ContentSequence", ()):
        if item.ValueType == "IMAGE":
            found.append(str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID))
        found += referred(item)
    return found


@pytest.mark.parametrize("decision", ["present", "absent", "undetermined"])
def test_the_coded_finding_is_what_was_seen_and_no_disease(
    make_report: MakeReport, decision: str
) -> None:
    words = sentences(measurement_sr.build(job(make_report(3, decision=decision), "en")))
    assert ("White Matter T2 Hyperintensity" in words) == (decision == "present")
    assert "Multiple sclerosis" not in words
