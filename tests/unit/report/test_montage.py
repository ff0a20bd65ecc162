"""The montage is there, whatever the case, and legible to everybody."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from msnode import report
from msnode.config import Describe
from msnode.records.results import Report
from msnode.records.sentences import phrases
from msnode.report import canvas, localised, palette
from tests import reports

MakeReport = Callable[..., Report]
BANNER = np.array(palette.BANNER)


@pytest.mark.parametrize(
    ("count", "language"),
    [(1, "en"), (3, "de"), (24, "nl"), *((120, language) for language in localised.LANGUAGES)],
)
def test_every_case_looks_alike(make_report: MakeReport, count: int, language: str) -> None:
    picture = report.montage.render(make_report(count), Describe(language=language))  # type: ignore[arg-type]
    assert picture.shape == (2048, 2048, 3)
    assert picture.dtype == np.uint8
    assert (picture[:96] == BANNER).all(axis=2).mean() > 0.75


def test_a_study_that_was_not_analysed_has_its_banner_too(make_report: MakeReport) -> None:
    made = reports.not_analysed(make_report(3), "the reason " * 40)
    picture = report.montage.render(made, Describe())
    assert (picture[:96] == BANNER).all(axis=2).mean() > 0.75


def test_nobodys_name_is_in_the_pixels(make_report: MakeReport, tmp_path: Path) -> None:
    made = make_report(3)
    before = report.montage.render(made, Describe())
    source = pydicom.dcmread(made.header)
    source.PatientName, source.PatientID = "Somebody^Else", "OTHER"
    source.save_as(made.header)
    assert (report.montage.render(made, Describe()) == before).all()


def test_saliency_grows_lighter_in_greyscale() -> None:
    shades = palette.colours(np.linspace(0, 1, 64)) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(shades) > -0.5).all()
    assert shades[-1] - shades[0] > 150


def test_a_nan_in_the_slice_does_not_stop_the_picture(make_report: MakeReport) -> None:
    made = make_report(3)
    assert made.scores is not None
    flat = replace(made, scores=replace(made.scores, saliency=np.zeros_like(made.scores.saliency)))
    assert report.montage.render(flat, Describe()).shape == (2048, 2048, 3)


def test_the_font_has_every_character_of_the_languages() -> None:
    regular = canvas.font(20)
    missing = bytes(regular.getmask("\uffff"))
    said = {c for name in localised.LANGUAGES for words in phrases(name).values() for c in words}
    assert [c for c in said - {" "} if bytes(regular.getmask(c)) == missing] == []


@pytest.mark.parametrize(
    ("language", "fraction", "shown"),
    [("en", 0.873, "87%"), ("de", 0.873, "87 %"), ("en", 0.9999, "99.9%"), ("de", 0.0, "0,1 %")],
)
def test_no_probability_is_shown_as_certain(language: str, fraction: float, shown: str) -> None:
    assert localised.Words(language).percent(fraction) == shown


@pytest.mark.parametrize(
    ("fraction", "limits", "shown"),
    [
        (0.4966, (0.5,), "49.7%"),
        (0.49996, (0.5,), "49.996%"),
        (0.5, (0.5,), "50%"),
        (0.52, (0.5,), "52%"),
        (0.596, (0.5, 0.4, 0.6), "59.6%"),
    ],
)
def test_a_probability_is_not_rounded_to_the_threshold(
    fraction: float, limits: tuple[float, ...], shown: str
) -> None:
    assert localised.Words("en").percent(fraction, *limits) == shown


@pytest.mark.parametrize(("threshold", "shown"), [(0.5, "50%"), (0.3271, "32.71%")])
def test_a_threshold_is_shown_as_it_is(threshold: float, shown: str) -> None:
    assert localised.Words("en").limit(threshold) == shown


def test_the_last_lines_are_there_to_their_last_word(
    make_report: MakeReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_report(3)
    assert made.slices is not None
    notice = "specificity on healthy people of another scanner is not known " * 4 + "THE END"
    warned = replace(made.slices, warnings=("slices 4 mm apart (trained on 6.4 to 8.1) " * 8,))
    said = replace(made, slices=warned, model=replace(made.model, notice=notice))
    lines: list[str] = []
    write = canvas.Canvas.text

    def text(
        self: canvas.Canvas, at: tuple[float, float], line: str, *args: Any, **how: Any
    ) -> float:
        lines.append(line)
        return write(self, at, line, *args, **how)

    monkeypatch.setattr(canvas.Canvas, "text", text)
    report.montage.render(said, Describe(language="de"))
    assert any(line.endswith("THE END") for line in lines)
