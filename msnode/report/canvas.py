"""Drawing text and bars on a picture; Inter (SIL Open Font License) lies beside this file."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache, lru_cache
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
    """A picture with helpers; positions and sizes are units from the top left.

    Args:
        image: drawn upon.
        scale: pixels of the image in a unit.
    """

    def __init__(self, image: Image.Image, scale: int = 1) -> None:
        self.image = image
        self._draw = ImageDraw.Draw(self.image)
        self._scale = scale

    def _pixels(self, places: Sequence[float]) -> list[float]:
        return [self._scale * place for place in places]

    def rectangle(self, box: Sequence[float], colour: Colour) -> None:
        """Fill a rectangle (left, top, right, bottom)."""
        self._draw.rectangle(self._pixels(box), colour)

    def line(self, ends: Sequence[float], colour: Colour, width: int = 1) -> None:
        """Draw a line (x, y, x, y)."""
        self._draw.line(self._pixels(ends), colour, width * self._scale)

    def polygon(self, corners: Sequence[float], colour: Colour) -> None:
        """Fill what lies between corners (x, y, x, y, x, y, …)."""
        self._draw.polygon(self._pixels(corners), colour)

    def disc(self, centre: tuple[float, float], radius: float, fill: Colour, edge: Colour) -> None:
        """A disc with an edge."""
        x, y = centre
        box = self._pixels((x - radius, y - radius, x + radius, y + radius))
        self._draw.ellipse(box, fill, edge, 2 * self._scale)

    def ring(self, centre: tuple[float, float], radius: float) -> None:
        """A white ring with a dark edge."""
        x, y = centre
        for r, colour in ((radius + 1, (0, 0, 0)), (radius, (255, 255, 255))):
            box = self._pixels((x - r, y - r, x + r, y + r))
            self._draw.ellipse(box, None, colour, 2 * self._scale)

    def paste(self, picture: Image.Image, at: tuple[float, float]) -> None:
        """Put a picture, which has the canvas' own pixels, at a place."""
        x, y = self._pixels(at)
        self.image.paste(picture, (round(x), round(y)))

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
        chosen = font(size * self._scale, bold)
        shown = text if width is None else shorten(text, chosen, width * self._scale)
        x, y = self._pixels(at)
        self._draw.text((x, y), shown, colour, chosen, anchor)
        return chosen.getlength(shown) / self._scale

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

    def outlined(
        self,
        at: tuple[float, float],
        text: str,
        size: int,
        anchor: str,
        colour: Colour = TEXT,
    ) -> float:
        """Write on top of an image, with a dark edge, legible on any ground; returns the width."""
        x, y = self._pixels(at)
        chosen, edge = font(size * self._scale, True), 2 * self._scale
        self._draw.text(
            (x, y), text, colour, chosen, anchor, stroke_width=edge, stroke_fill=(0, 0, 0)
        )
        return chosen.getlength(text) / self._scale

    def bar(self, box: tuple[float, float, float, float], fraction: float, colour: Colour) -> None:
        """A horizontal bar, filled from the left."""
        left, top, right, bottom = box
        self.rectangle(box, RULE)
        if fraction > 0:
            self.rectangle((left, top, left + fraction * (right - left), bottom), colour)


def shorten(text: str, chosen: ImageFont.FreeTypeFont, width: float) -> str:
    """Cut a line to a width, with an ellipsis."""
    if chosen.getlength(text) <= width:
        return text
    starts = range(1, len(text))
    fitting = bisect_right(starts, width, key=lambda n: chosen.getlength(text[:n] + "…"))
    return text[:fitting].rstrip() + "…"


def wrap(text: str, chosen: ImageFont.FreeTypeFont, width: float, lines: int) -> list[str]:
    """Break text at spaces into at most ``lines`` lines, the last one shortened."""
    wrapped = _broken(text, chosen, width)
    if len(wrapped) > lines:
        wrapped = (*wrapped[: lines - 1], " ".join(wrapped[lines - 1 :]))
    return [shorten(line, chosen, width) for line in wrapped]


@lru_cache(maxsize=256)  # a text is measured first, in several sizes, and then written
def _broken(text: str, chosen: ImageFont.FreeTypeFont, width: float) -> tuple[str, ...]:
    """Text broken at spaces into lines that are no wider, but for a word that is."""
    wrapped: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".lstrip()
        if line and chosen.getlength(longer) > width:
            wrapped.append(line)
            longer = word
        line = longer
    return (*wrapped, line)
