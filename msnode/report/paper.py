"""Colours on white paper: they differ in lightness, so that a grey print shows them, too."""

from msnode.records.lesions import Region
from msnode.report.palette import Colour

WHITE: Colour = (255, 255, 255)
INK: Colour = (27, 36, 48)
GREY: Colour = (96, 107, 122)
FAINT: Colour = (226, 230, 236)
BAND: Colour = (250, 246, 236)
EXPECTED: Colour = (240, 214, 160)
EDGE: Colour = (176, 130, 40)
MARK: Colour = (190, 52, 28)

REGION: dict[Region, Colour] = {
    "periventricular": (16, 52, 92),
    "juxtacortical": (52, 116, 178),
    "infratentorial": (120, 176, 222),
    "deep_white": (192, 220, 242),
    "unknown": (206, 210, 216),
}
"""From dark to light."""
