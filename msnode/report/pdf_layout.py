"""A sheet of paper: colours, sections of text, and how large they may be to fit on one page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

WIDTH, HEIGHT = A4
MARGIN = 42.0
TEXT = WIDTH - 2 * MARGIN
FOOT = 26.0
"""Text ends above it."""

INK = HexColor("#1b2430")
GREY = HexColor("#667080")
FAINT = HexColor("#d9dee5")

SIZES = (8.5, 8.0, 7.5, 7.0, 6.5)
"""Of text in points, the first that fits."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its lines, already wrapped.

    Attributes:
        height: in points, with the space below.
    """

    title: str
    lines: tuple[Paragraph, ...]
    height: float

    def draw(self, canvas: Canvas, y: float) -> float:
        """Draw it down to the foot of the page; returns the y below."""
        if not self.lines:
            return y
        heading(canvas, self.title, y)
        y -= 14
        for line in self.lines:
            if y - line.height < FOOT:
                canvas.drawString(MARGIN, y - 6, "…")
                return FOOT
            line.drawOn(canvas, MARGIN, y - line.height)
            y -= line.height + 1
        return y - 6


def section(title: str, lines: Iterable[str], size: float) -> Section:
    """Wrap the lines of a section, in a size in points."""
    style = ParagraphStyle("line", fontName="Inter-Regular", fontSize=size, leading=1.35 * size)
    wrapped = tuple(Paragraph(_escape(line), style) for line in lines)
    heights = [line.wrap(TEXT, HEIGHT)[1] + 1 for line in wrapped]
    return Section(title, wrapped, sum(heights) + 20 if wrapped else 0.0)


def fitted(sections: Sequence[tuple[str, list[str]]], room: float) -> tuple[list[Section], float]:
    """Sections in the largest size that fits, and the room in points that they leave.

    Below the smallest size the room is negative: the last lines will be cut.
    """
    made: list[Section] = []
    for size in SIZES:
        made = [section(title, lines, size) for title, lines in sections]
        if sum(one.height for one in made) <= room:
            break
    return made, room - sum(one.height for one in made)


def heading(canvas: Canvas, title: str, y: float, left: float = MARGIN) -> None:
    """Draw a section's title."""
    canvas.setFillColor(INK)
    canvas.setFont("Inter-SemiBold", 9.5)
    canvas.drawString(left, y - 9, title)


def colour(rgb: tuple[int, int, int]) -> Color:
    """An 8 bit colour."""
    return Color(*(value / 255 for value in rgb))


def _escape(line: str) -> str:
    """Paragraphs take markup."""
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def letters(
    canvas: Canvas, letters: tuple[str, str, str, str], x: float, bottom: float, size: float
) -> None:
    """Which side of the patient is left, right, at the top and at the bottom."""
    left, right, top, down = letters
    canvas.setFillColor(white)
    canvas.setFont("Inter-SemiBold", 7)
    canvas.drawString(x + 3, bottom + size / 2, left)
    canvas.drawRightString(x + size - 3, bottom + size / 2, right)
    canvas.drawCentredString(x + size / 2, bottom + size - 8, top)
    canvas.drawCentredString(x + size / 2, bottom + 3, down)
