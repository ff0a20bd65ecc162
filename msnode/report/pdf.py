"""The result on a page, the patient's course on a second: an Encapsulated PDF (PS3.3 A.45.1)."""

from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage
from reportlab import rl_config
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from msnode.records.timeline import Timeline
from msnode.report import (
    codes,
    course_picture,
    dicom_modules,
    lesion_page,
    montage,
    tiles,
    trend,
    wording,
)
from msnode.report.canvas import FONTS
from msnode.report.case import SHOWN, Case
from msnode.report.palette import BANNER, DECISION
from msnode.report.pdf_layout import (
    FAINT,
    FOOT,
    GREY,
    HEIGHT,
    INK,
    MARGIN,
    TEXT,
    WIDTH,
    Section,
    colour,
    fitted,
    letters,
)

# Streams stay binary: as ASCII base 85 they take a quarter more room and five times the time. The
# library has no parameter for it.
rl_config.useA85 = 0

LARGEST = (TEXT - 3 * 8) / SHOWN
SMALLEST = 72.0
"""Side of a slice's picture in points: text comes first, a picture can be looked at elsewhere."""

BEFORE_TREND = 2
"""Sections above the trend: the result and its slices."""

CAPTIONS = 42.0
"""Points that the pictures take beside their two rows."""


def build(case: Case) -> Dataset:
    """The page and the Encapsulated Document module (PS3.3 C.24.2)."""
    dataset = dicom_modules.new(case, "pdf", EncapsulatedPDFStorage)
    for keyword in ("SeriesDate", "SeriesTime"):
        dataset.pop(keyword, None)
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "YES"
    dataset.AcquisitionDateTime = ""
    dataset.DocumentTitle = case.say("title")[:1024]
    dataset.ConceptNameCodeSequence = [codes.IMAGING_REPORT]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    content = page(case)
    dataset.EncapsulatedDocumentLength = len(content)
    dataset.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    dataset.VerificationFlag = "UNVERIFIED"
    return dataset


def page(case: Case) -> bytes:
    """The PDF; the same report gives the same bytes."""
    for weight in ("Regular", "SemiBold"):
        pdfmetrics.registerFont(TTFont(f"Inter-{weight}", str(FONTS / f"Inter-{weight}.ttf")))
    stream = BytesIO()
    canvas = Canvas(stream, A4, invariant=1, lang=case.describe.language)
    canvas.setTitle(case.say("title"))
    _banner(canvas, case)
    if case.has_outlines:
        _with_lesions(canvas, case)
    else:
        _without_lesions(canvas, case)
    canvas.showPage()
    if case.report.timeline is not None:
        _banner(canvas, case)
        _course(canvas, case, case.report.timeline)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def _course(canvas: Canvas, case: Case, told: Timeline) -> None:
    """The patient's course, on a page of its own."""
    drawn = course_picture.picture(told, case.say)
    height = TEXT * drawn.height / drawn.width
    canvas.drawImage(ImageReader(drawn), MARGIN, HEIGHT - 72 - height, TEXT, height)


def _with_lesions(canvas: Canvas, case: Case) -> None:
    """Lesions first; what the classifier says is a part of the result."""
    y = lesion_page.headline(canvas, case)
    fixed = trend.height(case) + lesion_page.height(case) + lesion_page.CAPTIONS
    sections, spare = fitted(_sections(case), y - FOOT - fixed - lesion_page.USUAL)
    size = min(max(lesion_page.USUAL + spare, SMALLEST), lesion_page.LARGEST)
    y = lesion_page.pictures(canvas, case, y, size)
    y = lesion_page.tables(canvas, case, y)
    _text(canvas, case, sections, y)


def _without_lesions(canvas: Canvas, case: Case) -> None:
    """The classifier's result, its slices and its saliency."""
    y = _headline(canvas, case)
    pictured = case.report.finding is not None
    room = y - FOOT - trend.height(case) - pictured * (2 * SMALLEST + CAPTIONS)
    sections, spare = fitted(_sections(case), room)
    if pictured:
        y = _pictures(canvas, case, y, min(SMALLEST + max(spare, 0.0) / 2, LARGEST))
    _text(canvas, case, sections, y)


def _text(canvas: Canvas, case: Case, sections: list[Section], y: float) -> None:
    """The sections, and earlier studies among them."""
    for number, section in enumerate(sections):
        if number == BEFORE_TREND:
            y = trend.draw(canvas, case, y)
        y = section.draw(canvas, y)


def _sections(case: Case) -> list[tuple[str, list[str]]]:
    """What is said in words, the indispensable first: what does not fit is cut at the end."""
    return [
        (case.say("result"), wording.outcome(case)),
        (case.say("slices"), [] if case.has_outlines else wording.slice_lines(case)),
        (case.say("warning"), [*wording.notes(case), case.say("limits")]),
        (case.say("method"), wording.method(case)),
    ]


def _banner(canvas: Canvas, case: Case) -> None:
    """Cannot be missed, at the top and at the foot."""
    canvas.setFillColor(colour(BANNER))
    canvas.rect(0, HEIGHT - 34, WIDTH, 34, stroke=0, fill=1)
    canvas.rect(0, 0, WIDTH, 20, stroke=0, fill=1)
    canvas.setFillColor(INK)
    canvas.setFont("Inter-SemiBold", 13)
    canvas.drawString(MARGIN, HEIGHT - 22, case.say("banner"))
    canvas.setFont("Inter-Regular", 8)
    canvas.drawString(MARGIN, 7, f"{case.say('research')} · {case.say('header_names')}")
    canvas.setFillColor(GREY)
    canvas.drawRightString(WIDTH - MARGIN, HEIGHT - 50, " · ".join(wording.dates(case)))
    if case.describe.identity_on_pdf:
        canvas.setFillColor(INK)
        canvas.setFont("Inter-SemiBold", 9)
        canvas.drawString(MARGIN, HEIGHT - 50, wording.identity(case)[:70])


def _headline(canvas: Canvas, case: Case) -> float:
    """The decision and the probability on a gauge; returns the y below."""
    finding, y = case.report.finding, HEIGHT - 72
    canvas.setFillColor(GREY)
    canvas.setFont("Inter-Regular", 10)
    canvas.drawString(MARGIN, y, case.say("pattern" if finding else "title"))
    canvas.setFillColor(INK)
    canvas.setFont("Inter-SemiBold", 26)
    canvas.drawString(MARGIN, y - 27, wording.headline(case))
    if finding is None:
        return y - 50
    canvas.drawRightString(WIDTH - MARGIN, y - 27, wording.probability(case))
    canvas.setFillColor(FAINT)
    canvas.rect(MARGIN, y - 46, TEXT, 9, stroke=0, fill=1)
    canvas.setFillColor(colour(DECISION[finding.decision]))
    canvas.rect(MARGIN, y - 46, TEXT * finding.probability, 9, stroke=0, fill=1)
    at = MARGIN + TEXT * finding.threshold
    canvas.setStrokeColor(INK)
    canvas.setLineWidth(1.5)
    canvas.line(at, y - 51, at, y - 33)
    canvas.setFillColor(GREY)
    canvas.setFont("Inter-Regular", 8)
    canvas.drawString(MARGIN, y - 60, wording.threshold(case))
    return y - 76


def _pictures(canvas: Canvas, case: Case, y: float, size: float) -> float:
    """The montage's slices, source above saliency, in a size in points; returns the y below."""
    shown = montage.shown(case)
    view = tiles.view(case, shown)
    for column, found in enumerate(shown):
        x = MARGIN + column * (TEXT - size) / (SHOWN - 1)
        for row, picture in enumerate(tiles.pair(case, found.index, view)):
            bottom = y - (row + 1) * (size + 3)
            canvas.drawImage(ImageReader(picture), x, bottom, size, size)
            letters(canvas, tiles.letters(case, found.index), x, bottom, size)
        canvas.setFillColor(INK)
        canvas.setFont("Inter-Regular", 8)
        canvas.drawString(x, y - 2 * (size + 3) - 9, wording.name(case, found))
        percent = case.say.percent(found.probability)
        canvas.drawRightString(x + size, y - 2 * (size + 3) - 9, percent)
    canvas.setFillColor(GREY)
    canvas.drawString(MARGIN, y - 2 * (size + 3) - 21, case.say("saliency_note"))
    return y - 2 * (size + 3) - 36
