"""What stands on every frame of an overlay: nobody has verified it, and which side is which."""

from PIL import Image

from msnode.report import geometry
from msnode.report.canvas import Canvas, font
from msnode.report.case import Case
from msnode.report.geometry import Grid
from msnode.report.palette import BANNER, ON_BANNER


def signs(case: Case, place: Grid, room: int = 0) -> Image.Image:
    """The signs on a clear ground, RGBA.

    Args:
        case: the result.
        place: the frame.
        room: pixels that are kept free at the foot, beside the caption's.
    """
    columns, rows = place.columns, place.rows
    canvas = Canvas(Image.new("RGBA", (columns, rows)))
    canvas.rectangle((0, 0, columns, 19), BANNER)
    notice, size = f"{case.say('banner_short')} · {case.say('research')}", 13
    if font(size, bold=True).getlength(notice) > columns - 8:
        notice = case.say("banner_short")
    canvas.text((columns / 2, 10), notice, size, ON_BANNER, bold=True, anchor="mm", width=columns)
    caveat = next(
        (s for s in (12, 11, 10, 9) if font(s).getlength(case.say("limits_short")) < columns), 9
    )
    canvas.text((columns / 2, 28), case.say("limits_short"), caveat, anchor="mm", width=columns)
    right, down = geometry.sides(place.affine)
    canvas.outlined((6, rows / 2), geometry.opposite(right), 17, "lm")
    canvas.outlined((columns - 6, rows / 2), right, 17, "rm")
    canvas.outlined((columns / 2, 38), geometry.opposite(down), 17, "mt")
    canvas.outlined((columns / 2, rows - 26 - room), down, 17, "ms")
    return canvas.image
