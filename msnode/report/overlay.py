"""The overlay: every slice with its saliency, in the place of the slice, so that both scroll."""

from collections.abc import Iterator

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage

from msnode.records.results import SliceFinding
from msnode.report import dicom_modules, geometry, multiframe, wording
from msnode.report.canvas import Canvas, font
from msnode.report.case import Case
from msnode.report.geometry import Grid
from msnode.report.palette import BANNER, ON_BANNER, TEXT, UInt8Array, blend, grey, steps, window
from msnode.report.secondary_capture import capture, describe, rgb

SMALLEST = 192
"""Fewest columns of a frame: text has to be legible on it."""


FORWARD = 0x00182005
"""SliceLocationVector: a FrameTime would make viewers play the slices like a film."""


def build(case: Case) -> Iterator[tuple[str, Dataset]]:
    """The slices on the pixels of their source images, as one object or as one each."""
    if case.form.overlay == "multi-frame":
        yield "overlay", together(case)
    else:
        yield from one_by_one(case)


def one_by_one(case: Case) -> Iterator[tuple[str, Dataset]]:
    """One Secondary Capture a slice."""
    first: Dataset | None = None
    for number, (found, place, pixels) in enumerate(pictures(case), start=1):
        if first is None:
            dataset = first = capture(case, "overlay", pixels, [found.source])
        else:
            dataset = dicom_modules.another(first, case, "overlay", number)
            dataset.SourceImageSequence = [dicom_modules.source(found.source)]
            rgb(dataset, case, [pixels])
        _place(dataset, case, place)
        yield f"overlay-{number:04}", dataset


def together(case: Case) -> Dataset:
    """A Multi-frame True Color Secondary Capture (PS3.3 A.8.5) with a frame a slice."""
    dataset = dicom_modules.new(case, "overlay", MultiFrameTrueColorSecondaryCaptureImageStorage)
    indices = range(len(case.slices.affines))
    sources = [case.slices.source(index) for index in indices]
    describe(dataset, case, sources)
    grids = [geometry.grid(case.slices, index, SMALLEST) for index in indices]
    multiframe.place(dataset, case, "overlay", grids, sources, case.slices.distance_mm)
    dataset.FrameIncrementPointer = FORWARD
    dataset.SliceLocationVector = [geometry.height(grid.affine) for grid in grids]
    rgb(dataset, case, (pixels for _, _, pixels in pictures(case)))
    return dataset


def pictures(case: Case) -> Iterator[tuple[SliceFinding, Grid, UInt8Array]]:
    """The slices from feet to head: where they lie, and (rows, columns, 3) uint8."""
    slices, limits, signs = case.slices, window(case.slices), None
    for found in sorted(case.finding.slices, key=lambda one: one.index):
        place = geometry.grid(slices, found.index, SMALLEST)
        affine = slices.affines[found.index]
        ground = geometry.resample(grey(slices.pixels[found.index, 0], limits), affine, place)
        heat = geometry.resample(steps(case.scores.saliency[found.index]), affine, place)
        picture = blend(ground, heat)
        if signs is None or signs.size != picture.size:
            signs = _signs(case, place)
        picture.paste(signs, mask=signs)
        _caption(Canvas(picture), case, found)
        yield found, place, np.asarray(picture)


def _signs(case: Case, place: Grid) -> Image.Image:
    """What stands on every frame: that nobody has verified it, and which side is which."""
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
    canvas.outlined((columns / 2, rows - 26), down, 17, "ms")
    return canvas.image


def _caption(canvas: Canvas, case: Case, found: SliceFinding) -> None:
    """The frame's source image, or its place where there is none, and its probability."""
    columns, rows = canvas.image.size
    canvas.outlined((6, rows - 8), wording.name(case, found), 14, "ls")
    canvas.outlined((columns - 6, rows - 8), case.say.percent(found.probability), 14, "rs")
    canvas.bar((6, rows - 5, columns - 6, rows - 3), found.probability, TEXT)


def _place(dataset: Dataset, case: Case, place: Grid) -> None:
    """The slice's place in the patient, where the source names its frame of reference.

    The attributes extend the SC IOD (PS3.4 B.4.1 Standard Extended SOP Class); viewers use them
    to scroll the overlay with the source.
    """
    dataset.PatientOrientation = list(geometry.sides(place.affine))
    if case.header.frame_of_reference:
        dataset.FrameOfReferenceUID = case.header.frame_of_reference
        dataset.PositionReferenceIndicator = ""
        geometry.plane(dataset, place.affine, case.slices.distance_mm, case.header.orientation)
