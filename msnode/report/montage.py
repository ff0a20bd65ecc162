"""The montage: one picture of 2048 x 2048 pixels that says it all, in every viewer.

By default no patient identity is in the pixels: viewers show it from the header, and pictures get
copied.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from msnode.config import Describe
from msnode.records.results import Report, SliceFinding
from msnode.report import case as cases
from msnode.report import lesion_montage, lesion_tiles, smear_tiles, tiles, wording
from msnode.report.canvas import Canvas
from msnode.report.case import SHOWN, Case, image_label, matter
from msnode.report.montage_frame import GAP, MARGIN, RIGHT, SCALE, blank, finished
from msnode.report.palette import DECISION, FAINT, PANEL, RULE, TEXT, UInt8Array, colours
from msnode.report.secondary_capture import capture

TILE = 230


def build(case: Case) -> Dataset:
    """The montage as a Secondary Capture."""
    sources = [found.source for found in shown(case)]
    if case.has_outlines:
        sources = lesion_tiles.sources(case)
    return capture(case, "montage", draw(case), sources)


def render(report: Report, describe: Describe) -> UInt8Array:
    """The montage as (2048, 2048, 3) uint8 RGB; the header is not needed for it."""
    return draw(cases.headless(report, describe))


def draw(case: Case) -> UInt8Array:
    """Draw the picture from top to bottom."""
    if case.has_outlines:
        return lesion_montage.draw(case)
    canvas = blank(case)
    _outcome(canvas, case)
    _particulars(canvas, case)
    if case.report.finding is None:
        _not_analysed(canvas, case)
    elif case.report.words.has_places:
        _tiles(canvas, case)
        _scale(canvas, case)
        _chart(canvas, case)
    else:
        smear_tiles.draw(canvas, case, shown(case))
        _chart(canvas, case)
    return finished(canvas, case)


def shown(case: Case) -> Sequence[SliceFinding]:
    """The slices of the tiles, from feet to head."""
    if case.report.finding is None:
        return ()
    most = SHOWN if case.report.words.has_places else smear_tiles.MOST
    return sorted(matter(case, most), key=lambda found: found.index)


def _outcome(canvas: Canvas, case: Case) -> None:
    """Decision and probability, with the threshold on a gauge."""
    finding = case.report.finding
    name = finding.decision if finding is not None else "not_analysed"
    canvas.text((MARGIN, 66), case.say("pattern" if finding else "title"), 17, FAINT)
    word = wording.headline(case)
    if finding is None:
        canvas.text((MARGIN - 2, 90), word, 40, DECISION[name], bold=True, width=572)
        return
    canvas.text((MARGIN - 2, 86), word, 46, DECISION[name], bold=True, width=420)
    shown = wording.probability(case)
    canvas.text((572, 66), case.say("probability"), 17, FAINT, anchor="ra")
    canvas.text((572, 86), shown, 46, DECISION[name], bold=True, anchor="ra")
    canvas.bar((MARGIN, 152, 572, 166), finding.probability, DECISION[name])
    _threshold(canvas, case)


def _threshold(canvas: Canvas, case: Case) -> None:
    """Where the decision turns, marked below and on the gauge."""
    info = case.report.model
    span = 572 - MARGIN
    if info.undetermined is not None:
        low, high = (MARGIN + span * edge for edge in info.undetermined)
        canvas.rectangle((low, 168, high, 171), FAINT)
    at = MARGIN + span * info.threshold
    canvas.line((at, 147, at, 174), TEXT, 3)
    half = 130
    centre = min(max(at, MARGIN + half), 572 - half)
    text = wording.threshold(case)
    anchor, x = ("ma", centre) if len(text) < 32 else ("la", float(MARGIN))
    canvas.text((x, 177), text, 15, FAINT, anchor=anchor, width=span)


def _particulars(canvas: Canvas, case: Case) -> None:
    """Which model, which series, which priority."""
    rows = [(case.say("model"), wording.model(case))]
    if case.report.finding is not None:
        choice = wording.used(case)
        rows += [
            (case.say("series_used"), wording.named(case, choice) if choice else "–"),
            ("", wording.quality(case)),
        ]
        if case.report.words.has_places:
            rows.append((case.say("priority"), wording.priority(case)))
    y = 66
    for label, value in rows:
        if label:
            canvas.text((616, y), label, 13, FAINT, width=RIGHT - 616)
            y += 17
        size = canvas.fitting(value, (15, 14, 13, 12), RIGHT - 616)
        canvas.text((616, y), value, size, TEXT, width=RIGHT - 616)
        y += 20
    canvas.line((MARGIN, 204, RIGHT, 204), RULE)


def _tiles(canvas: Canvas, case: Case) -> None:
    """The slices that matter: source above, saliency below."""
    chosen = shown(case)
    view = tiles.view(case, chosen)
    spare = (SHOWN - len(chosen)) * (TILE + GAP) // 2
    for column, found in enumerate(chosen):
        left = MARGIN + spare + column * (TILE + GAP)
        _label(canvas, case, found, left)
        for row, picture in enumerate(tiles.pair(case, found.index, view)):
            top = 260 + row * (TILE + 4)
            canvas.paste(picture, (left, top))
            _letters(canvas, case, found, left, top)
        if (at := tiles.peak(case, found.index, view)) is not None:
            canvas.ring((left + TILE * at[0], 260 + TILE + 4 + TILE * at[1]), 10)
        canvas.bar((left, 732, left + TILE - 62, 742), found.probability, _colour(case))
        percent = case.say.percent(found.probability)
        canvas.text((left + TILE, 737), percent, 17, TEXT, bold=True, anchor="rm")


def _letters(canvas: Canvas, case: Case, found: SliceFinding, left: float, top: float) -> None:
    """Which side of the patient is where."""
    middle, edge = TILE / 2, TILE - 5
    places = ((5, middle, "lm"), (edge, middle, "rm"), (middle, 5, "mt"), (middle, edge, "ms"))
    for letter, (x, y, anchor) in zip(tiles.letters(case, found.index), places, strict=True):
        canvas.outlined((left + x, top + y), letter, 13, anchor)


def _colour(case: Case) -> tuple[int, int, int]:
    return DECISION[case.finding.decision]


def _label(canvas: Canvas, case: Case, found: SliceFinding, left: float) -> None:
    """By which number and position a viewer finds the slice again."""
    slices, name = case.slices, wording.name(case, found)
    canvas.text((left, 216), name, 16, TEXT, bold=True, width=TILE)
    height, width = slices.pixels.shape[2:]
    z = (slices.affines[found.index] @ [(width - 1) / 2, (height - 1) / 2, 0, 1])[2]
    other = ""
    if name == wording.place(case, found):  # then the image to look at is the one with the peak
        other = image_label(case, found.peak.source)
    second = " · ".join(filter(None, (other, f"z {z:+.0f} mm".replace("-", "−"))))
    canvas.text((left, 237), second, 13, FAINT, width=TILE)


def _scale(canvas: Canvas, case: Case) -> None:
    """What the colours mean."""
    canvas.text((MARGIN, 768), case.say("saliency_note"), 14, FAINT, anchor="lm")
    ramp = np.tile(np.linspace(0, 1, 150 * SCALE, dtype=np.float32), (10 * SCALE, 1))
    canvas.paste(Image.fromarray(colours(ramp)), (RIGHT - 172, 763))
    canvas.text((RIGHT - 180, 768), f"{case.say('saliency')} 0", 14, FAINT, anchor="rm")
    canvas.text((RIGHT, 768), "1", 14, FAINT, anchor="rm")


def _chart(canvas: Canvas, case: Case) -> None:
    """Every slice's probability, so that 3 and 200 slices look alike."""
    top, bottom = 812, 872
    canvas.text((MARGIN, 790), case.say("by_slice"), 14, FAINT)
    canvas.text((RIGHT, 790), f"{case.say.rate(0)} – {case.say.rate(1)}", 14, FAINT, anchor="ra")
    canvas.rectangle((MARGIN, top, RIGHT, bottom), PANEL)
    found = sorted(case.finding.slices, key=lambda s: s.index)
    step = (RIGHT - MARGIN) / len(found)
    thick = min(max(0.72 * step, 1.0), 40.0)
    tiles = {s.index for s in shown(case)}
    for i, one in enumerate(found):
        x = MARGIN + (i + 0.5) * step
        height = max(one.probability * (bottom - top - 6), 1)
        colour = _colour(case) if one.index in tiles else FAINT
        canvas.rectangle((x - thick / 2, bottom - height, x + thick / 2, bottom), colour)
        if one.index in tiles:
            canvas.polygon((x - 5, bottom + 9, x + 5, bottom + 9, x, bottom + 3), TEXT)


def _not_analysed(canvas: Canvas, case: Case) -> None:
    """The reason, large, and what was looked at."""
    canvas.paragraph((MARGIN, 150), case.say("no_result"), 17, 544, 2, TEXT)
    canvas.rectangle((MARGIN, 232, RIGHT, 400), PANEL)
    canvas.rectangle((MARGIN, 232, MARGIN + 5, 400), DECISION["not_analysed"])
    canvas.text((MARGIN + 24, 248), case.say("reason"), 15, FAINT)
    canvas.paragraph(
        (MARGIN + 24, 276), case.report.reason or "–", 22, RIGHT - MARGIN - 48, 4, TEXT
    )
    canvas.text((MARGIN, 424), case.say("series_seen"), 15, FAINT)
    y, found = 452.0, case.report.series[:9]
    most = 4 if len(found) <= 4 else 2
    for choice in found:
        canvas.text((MARGIN, y), wording.named(case, choice), 16, TEXT, bold=True, width=270)
        canvas.text((330, y), str(choice.instances), 15, FAINT, anchor="ra")
        y = canvas.paragraph((350, y), choice.why, 15, RIGHT - 350, most, TEXT) + 8
        canvas.line((MARGIN, y - 5, RIGHT, y - 5), RULE)
