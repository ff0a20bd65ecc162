"""The result on one page, as an Encapsulated PDF (PS3.3 A.45.1)."""

from collections.abc import Iterable
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage
from reportlab import rl_config
from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from msnode.report import base, codes, facts, montage
from msnode.report.canvas import FONTS
from msnode.report.case import Case, image_label
from msnode.report.palette import BANNER, DECISION, window

WIDTH, HEIGHT = A4
MARGIN = 42.0
TEXT = WIDTH - 2 * MARGIN
# Streams stay binary: as ASCII base 85 they take a quarter more room and five times the time. The
# library has no parameter for it.
rl_config.useA85 = 0

INK = HexColor("#1b2430")
GREY = HexColor("#667080")


def build(case: Case) -> Dataset:
    """The page and the Encapsulated Document module (PS3.3 C.24.2)."""
    dataset = base.new(case, "pdf", EncapsulatedPDFStorage)
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
    y = _headline(canvas, case)
    if case.report.finding is not None:
        y = _pictures(canvas, case, y)
    y = _lines(canvas, case.say("result"), facts.outcome(case), y)
    y = _lines(canvas, case.say("slices"), facts.slice_lines(case, 6), y)
    y = _lines(canvas, case.say("method"), facts.method(case), y)
    _lines(canvas, case.say("warning"), [*facts.notes(case), case.say("limits")], y)
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


def _banner(canvas: Canvas, case: Case) -> None:
    """Cannot be missed, at the top and at the foot."""
    canvas.setFillColor(_colour(BANNER))
    canvas.rect(0, HEIGHT - 34, WIDTH, 34, stroke=0, fill=1)
    canvas.rect(0, 0, WIDTH, 20, stroke=0, fill=1)
    canvas.setFillColor(INK)
    canvas.setFont("Inter-SemiBold", 13)
    canvas.drawString(MARGIN, HEIGHT - 22, case.say("banner"))
    canvas.setFont("Inter-Regular", 8)
    canvas.drawString(MARGIN, 7, f"{case.say('research')} · {case.say('header_names')}")
    canvas.drawRightString(WIDTH - MARGIN, 7, case.created.strftime("%Y-%m-%d %H:%M"))


def _headline(canvas: Canvas, case: Case) -> float:
    """The decision and the probability on a gauge; returns the y below."""
    finding, y = case.report.finding, HEIGHT - 62
    canvas.setFillColor(GREY)
    canvas.setFont("Inter-Regular", 10)
    canvas.drawString(MARGIN, y, case.say("pattern" if finding else "title"))
    canvas.setFillColor(INK)
    canvas.setFont("Inter-SemiBold", 26)
    canvas.drawString(MARGIN, y - 27, facts.headline(case))
    if finding is None:
        return y - 50
    canvas.drawRightString(WIDTH - MARGIN, y - 27, case.say.percent(finding.probability))
    canvas.setFillColor(HexColor("#d9dee5"))
    canvas.rect(MARGIN, y - 46, TEXT, 9, stroke=0, fill=1)
    canvas.setFillColor(_colour(DECISION[finding.decision]))
    canvas.rect(MARGIN, y - 46, TEXT * finding.probability, 9, stroke=0, fill=1)
    at = MARGIN + TEXT * finding.threshold
    canvas.setStrokeColor(INK)
    canvas.setLineWidth(1.5)
    canvas.line(at, y - 51, at, y - 33)
    canvas.setFillColor(GREY)
    canvas.setFont("Inter-Regular", 8)
    canvas.drawString(MARGIN, y - 60, facts.threshold(case))
    return y - 76


def _pictures(canvas: Canvas, case: Case, y: float) -> float:
    """The montage's slices, source above saliency; returns the y below."""
    shown, limits = montage.shown(case), window(case.slices)
    size = (TEXT - 3 * 8) / montage.TILES
    for column, found in enumerate(shown):
        x = MARGIN + column * (size + 8)
        for row, picture in enumerate(montage.tile(case, found.index, limits)):
            bottom = y - (row + 1) * (size + 3)
            canvas.drawImage(ImageReader(picture), x, bottom, size, size)
            canvas.setFillColor(white)
            canvas.setFont("Inter-SemiBold", 7)
            canvas.drawString(x + 4, bottom + size / 2, "R")
            canvas.drawRightString(x + size - 4, bottom + size / 2, "L")
        canvas.setFillColor(INK)
        canvas.setFont("Inter-Regular", 8)
        label = image_label(case, found.source) or facts.where(case, found)
        canvas.drawString(x, y - 2 * (size + 3) - 9, label)
        percent = case.say.percent(found.probability)
        canvas.drawRightString(x + size, y - 2 * (size + 3) - 9, percent)
    canvas.setFillColor(GREY)
    canvas.drawString(MARGIN, y - 2 * (size + 3) - 21, case.say("saliency_note"))
    return y - 2 * (size + 3) - 36


def _lines(canvas: Canvas, title: str, lines: Iterable[str], y: float) -> float:
    """A heading and its lines, wrapped, down to the foot of the page; returns the y below."""
    style = ParagraphStyle("line", fontName="Inter-Regular", fontSize=8.5, leading=11.5)
    texts = [Paragraph(_escape(line), style) for line in lines]
    if not texts:
        return y
    canvas.setFillColor(INK)
    canvas.setFont("Inter-SemiBold", 9.5)
    canvas.drawString(MARGIN, y - 9, title)
    y -= 14
    for text in texts:
        _, height = text.wrap(TEXT, HEIGHT)
        if y - height < 26:
            break
        text.drawOn(canvas, MARGIN, y - height)
        y -= height + 1
    return y - 6


def _escape(line: str) -> str:
    """Paragraphs take markup."""
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _colour(rgb: tuple[int, int, int]) -> Color:
    return Color(*(value / 255 for value in rgb))
