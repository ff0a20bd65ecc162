"""The picture of a patient's course: on one axis, legible in grey, with nothing made up."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from msnode import report
from msnode.config import Describe
from msnode.records.results import Report
from msnode.records.timeline import Ahead, ScanPoint, Timeline, TreatmentSpan
from msnode.report import course_wording, pdf, readable_sr
from msnode.report.canvas import font
from msnode.report.course_axis import LEFT, MOST_TICKS, RIGHT, WIDTH, Axis
from msnode.report.course_picture import SCALE, _notes, picture
from msnode.report.localised import LANGUAGES, Words
from msnode.report.palette import BANNER
from msnode.report.paper import EXPECTED, REGION
from tests.unit.report.test_content import job, sentences

ON = date(2026, 3, 1)
YEAR = timedelta(days=365)
REGIONS = (
    ("periventricular", 4.0), ("juxtacortical", 1.0), ("infratentorial", 0.4), ("deep_white", 1.0)
)  # fmt: skip
SCANS = (
    ScanPoint(date(2021, 3, 1), 5.2),
    ScanPoint(date(2022, 4, 1), 6.4, REGIONS, True, date(2021, 3, 1), 3, 1),  # type: ignore[arg-type]
    ScanPoint(date(2025, 1, 20), 9.3, REGIONS, True, date(2022, 4, 1), 0, 0),  # type: ignore[arg-type]
)
WHOLE = Timeline(
    on=ON,
    scans=SCANS,
    edss=((date(2020, 6, 1), 1.5), (date(2025, 2, 1), 3.5)),
    relapses=((date(2021, 1, 1), date(2021, 12, 31)), (date(2024, 8, 9), date(2024, 8, 9))),
    reviewed=((date(2020, 5, 1), date(2023, 5, 1)),),
    treatments=(
        TreatmentSpan("interferon beta-1a", date(2020, 9, 1), date(2022, 6, 1)),
        TreatmentSpan("ocrelizumab", date(2022, 1, 1), None, is_exact=False),
    ),
    load_ahead=(Ahead(ON, 8.0, 9.0, 10.0), Ahead(ON + YEAR, 7.0, 9.5, 12.0)),
    edss_ahead=(Ahead(ON, 3.0, 3.5, 4.0), Ahead(ON + YEAR, 2.5, 3.5, 4.5)),
    new_ahead=Ahead(ON + YEAR, 0, 1, 4),
)


NOT_THERE = bytes(font(12).getmask("\ue123"))
"""What a font draws for a letter that it lacks."""


def has(drawn: Image.Image, colour: tuple[int, int, int]) -> bool:
    return bool((np.asarray(drawn) == colour).all(axis=2).any())


def test_only_what_is_on_record_takes_room() -> None:
    whole, one = picture(WHOLE, Words("en")), picture(Timeline(ON, SCANS[:1]), Words("en"))
    assert whole.width == one.width == WIDTH * SCALE
    assert whole.height > one.height + 400
    assert has(whole, EXPECTED)
    assert not has(one, EXPECTED), "nothing is expected of whom nothing is known"
    assert has(one, REGION["unknown"])
    assert not has(one, REGION["deep_white"])


def test_the_same_record_is_the_same_picture() -> None:
    assert picture(WHOLE, Words("de")).tobytes() == picture(WHOLE, Words("de")).tobytes()


def test_regions_differ_in_grey_by_an_eighth_of_the_scale() -> None:
    greys = sorted(np.dot(colour, (0.299, 0.587, 0.114)) for colour in REGION.values())
    shown = [grey for grey in greys if grey != np.dot(REGION["unknown"], (0.299, 0.587, 0.114))]
    assert min(np.diff(shown)) >= 32


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_note_is_cut_and_every_letter_is_in_the_font(language: str) -> None:
    told = replace(WHOLE, scans=(replace(SCANS[0], same_network=False), *SCANS[1:]))
    notes = list(_notes(told, Words(language)))
    assert len(notes) == 7
    for note in notes:
        assert font(12 * SCALE).getlength(note) <= (WIDTH - 40) * SCALE, note
        assert not [c for c in note if bytes(font(12).getmask(c)) == NOT_THERE], note


@pytest.mark.parametrize("years", [0, 1, 4, 12, 40])
def test_the_axis_holds_everything_in_order_with_few_ticks(years: int) -> None:
    told = replace(WHOLE, edss=((ON - years * YEAR, 2.0),), scans=(), relapses=(), treatments=())
    axis = Axis.of(replace(told, reviewed=()))
    assert LEFT <= axis.x(ON - years * YEAR) <= axis.x(ON) < axis.x(ON + YEAR) <= WIDTH - RIGHT
    ticks = list(axis.ticks())
    assert 1 <= len(ticks) <= MOST_TICKS + 1
    assert len({axis.words(day) for day in ticks}) == len(ticks)


def test_the_readable_report_tells_what_is_on_record(make_report: Callable[..., Report]) -> None:
    made = replace(make_report(8), timeline=replace(WHOLE, on=date(2025, 1, 20)))
    assert course_wording.lines(job(made, "en")) == [
        "2021-03-01: lesion volume 5.2 ml",
        "2022-04-01: lesion volume 6.4 ml, 3 new since 2021-03-01",
        "EDSS 3.5 on 2025-02-01, the last on record",
        "Relapses on record: 2",
        "Treatment: ocrelizumab",
    ]
    said = sentences(readable_sr.build(job(made, "de")))
    assert "2022-04-01: Läsionsvolumen 6,4 ml, 3 neu seit 2021-03-01" in said
    assert course_wording.lines(job(make_report(8), "en")) == []


def test_the_course_is_the_second_page_of_the_pdf(make_report: Callable[..., Report]) -> None:
    made = make_report(8)
    assert pdf.page(job(made, "en")).count(b"/Type /Page\n") == 1
    both = pdf.page(job(replace(made, timeline=WHOLE), "en"))
    assert both.count(b"/Type /Page\n") == 2
    assert both == pdf.page(job(replace(made, timeline=WHOLE), "en"))


def test_the_pacs_gets_the_course_as_a_picture_with_the_banner(
    make_report: Callable[..., Report], tmp_path: Path
) -> None:
    made = make_report(8)
    told = replace(made, timeline=WHOLE)
    alone, both, again = (
        {path.stem: path for path in report.write(one, Describe(), "standard", tmp_path / name)}
        for one, name in ((made, "a"), (told, "b"), (told, "c"))
    )
    assert "course" not in alone
    assert both["course"].read_bytes() == again["course"].read_bytes()
    shown = pydicom.dcmread(both["course"])
    assert shown.BurnedInAnnotation == "YES"
    pixels = shown.pixel_array
    assert pixels.shape[1] == 2400
    assert tuple(pixels[4, 4]) == BANNER
    assert pixels[200:].mean() < 60, "a reading room is dark"
