"""Colours and the saliency colour map: readable by colour-blind people and in greyscale."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from msnode.records.images import Float32Array, Slices

UInt8Array = NDArray[np.uint8]
Colour = tuple[int, int, int]

BACKGROUND: Colour = (13, 17, 23)
PANEL: Colour = (24, 30, 39)
RULE: Colour = (52, 62, 76)
FAINT: Colour = (139, 150, 165)
TEXT: Colour = (230, 236, 243)
BANNER: Colour = (255, 182, 18)
ON_BANNER: Colour = (20, 16, 2)

DECISION: dict[str, Colour] = {
    "present": (255, 133, 82),
    "absent": (104, 190, 240),
    "undetermined": (214, 207, 184),
    "not_analysed": (170, 180, 194),
}
"""Orange and blue stay apart for every kind of colour vision; the word stands beside anyway."""

LESION: dict[str, Colour] = {
    "new": (255, 90, 60),
    "enlarging": (255, 214, 64),
    "rest": (64, 190, 255),
    "lesion": (64, 190, 255),
    "gone": (236, 236, 236),
}
"""By `lesion_groups.Group`; outlines differ in their strokes as well, for grey prints."""

_INFERNO = bytes.fromhex(
    "000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754"
    "d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4"
)
"""17 samples of matplotlib's inferno (CC0, van der Walt and Smith): lightness rises evenly."""


def _table() -> UInt8Array:
    """(256, 3) uint8 colours, interpolated between the samples."""
    samples = np.frombuffer(_INFERNO, np.uint8).reshape(-1, 3)
    at = np.linspace(0, len(samples) - 1, 256)
    channels = [np.interp(at, np.arange(len(samples)), samples[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


INFERNO = _table()
_FROM = 0.22
"""Saliency is drawn with the upper part of the map: its black end would hide the anatomy."""


INK = 255
"""The step that is drawn as a white line."""


def _layer() -> bytes:
    """Colour and opacity (RGBA) of 255 steps of saliency, the stronger the more opaque, and ink."""
    saliency = np.linspace(0, 1, INK)
    opacity = np.clip((saliency - 0.12) / 0.5, 0, 1) * 0.78
    layer = np.concatenate([colours(saliency), (255 * opacity[:, None]).astype(np.uint8)], axis=1)
    return layer.tobytes() + b"\xff" * 4


def colours(saliency: NDArray[np.floating]) -> UInt8Array:
    """(..., 3) uint8 colours of saliency in [0, 1]."""
    index = (255 * (_FROM + (1 - _FROM) * np.clip(saliency, 0, 1))).astype(np.uint8)
    coloured: UInt8Array = INFERNO[index]
    return coloured


LAYER = _layer()


TONE = [round(255 * (step / 255) ** 1.35) for step in range(256)]
"""Grey is drawn a little darker than linear, or white matter would outshine lesions in it."""


def grey(image: Float32Array, limits: tuple[float, float]) -> Image.Image:
    """A slice (rows, cols) within a window, as greys."""
    low, high = limits
    shown = (255 * np.clip((image - low) / (high - low), 0, 1)).astype(np.uint8)
    return Image.fromarray(shown).point(TONE)


def steps(saliency: Float32Array) -> Image.Image:
    """Saliency (rows, cols) in [0, 1] as the steps of `LAYER`."""
    return Image.fromarray((254 * np.clip(saliency, 0, 1)).astype(np.uint8))


def blend(ground: Image.Image, saliency: Image.Image) -> Image.Image:
    """Lay saliency over a slice, with a white line around its upper half.

    Args:
        ground: the slice, greys.
        saliency: its steps, of the same size.
    """
    inked = np.array(saliency)
    inked[outline(inked >= 127)] = INK
    layer = Image.fromarray(inked)
    layer.putpalette(LAYER, "RGBA")
    colour = layer.convert("RGBA")
    mixed = ground.convert("RGB")
    mixed.paste(colour, mask=colour)
    return mixed


def outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a mask that have a neighbour outside of it."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return mask & ~inner


def window(slices: Slices) -> tuple[float, float]:
    """Darkest and brightest value shown, the same for the whole series: (0.5th, 99.9th centile).

    A sample of the pixels is enough for it.
    """
    step = max(len(slices.pixels) // 24, 1)
    low, high = np.percentile(slices.pixels[::step, 0, ::4, ::4], [0.5, 99.9])
    return float(low), float(max(high, low + 1e-6))
