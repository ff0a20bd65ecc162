"""Drawing text and bars on a picture; Inter (SIL Open Font License) lies beside this file."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from msnode.report.palette import RULE, TEXT, Colour

FONTS = Path(__file__).with_name("fonts")


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Inter in a size in pixels; the basic layout engine draws the same on every machine."""
    name = "Inter-SemiBold.ttf" if bold else "Inter-Regular.ttf"
    return ImageFont.truetype(FONTS / name, size, layout_engine=ImageFont.Layout.BASIC)


class Canvas:
    """A picture with text helpers; positions are pixels from the top left."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.draw = ImageDraw.Draw(self.image)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        size: int,
        colour: Colour = TEXT,
        *,
        bold: bool = False,
        anchor: str = "la",
        width: float | None = None,
    ) -> float:
        """Write one line, shortened to ``width``; returns its width."""
        chosen = font(size, bold)
        shown = text if width is None else shorten(text, chosen, width)
        self.draw.text(at, shown, colour, chosen, anchor)
        return chosen.getlength(shown)

    def fitting(self, text: str, sizes: Sequence[int], width: float) -> int:
        """The first of some sizes in which a line fits a width, else the last."""
        return next((s for s in sizes if font(s).getlength(text) <= width), sizes[-1])

    def paragraph(
        self,
        at: tuple[float, float],
        text: str,
        size: int,
        width: float,
        lines: int,
        colour: Colour = TEXT,
    ) -> float:
        """Write at most ``lines`` wrapped lines; returns the y below them."""
        x, y = at
        for line in wrap(text, font(size), width, lines):
            self.text((x, y), line, size, colour)
            y += 1.4 * size
        return y

    def outlined(self, at: tuple[float, float], text: str, size: int, anchor: str) -> None:
        """Write on top of an image: white with a dark edge, legible on any ground."""
        self.draw.text(
            at, text, TEXT, font(size, True), anchor, stroke_width=2, stroke_fill=(0, 0, 0)
        )

    def bar(self, box: tuple[float, float, float, float], fraction: float, colour: Colour) -> None:
        """A horizontal bar, filled from the left."""
        left, top, right, bottom = box
        self.draw.rectangle(box, RULE)
        if fraction > 0:
            self.draw.rectangle((left, top, left + fraction * (right - left), bottom), colour)


def shorten(text: str, chosen: ImageFont.FreeTypeFont, width: float) -> str:
    """Cut a line to a width, with an ellipsis."""
    if chosen.getlength(text) <= width:
        return text
    while text and chosen.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def wrap(text: str, chosen: ImageFont.FreeTypeFont, width: float, lines: int) -> list[str]:
    """Break text at spaces into at most ``lines`` lines, the last one shortened."""
    wrapped: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".lstrip()
        if line and chosen.getlength(longer) > width:
            wrapped.append(line)
            longer = word
        line = longer
    wrapped.append(line)
    if len(wrapped) > lines:
        wrapped[lines - 1 :] = [" ".join(wrapped[lines - 1 :])]
    return [shorten(line, chosen, width) for line in wrapped]
