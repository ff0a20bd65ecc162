"""The overlay: every slice with its lesions outlined, or where none were looked for its saliency.

Each lies in the place of its slice, so that both scroll together.
"""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage

from msnode.records.images import SourceFrame
from msnode.report import (
    dicom_modules,
    geometry,
    multiframe,
    outline_frames,
    saliency_frames,
)
from msnode.report.case import Case
from msnode.report.geometry import Grid
from msnode.report.palette import UInt8Array
from msnode.report.secondary_capture import capture, describe, rgb

FORWARD = 0x00182005
"""SliceLocationVector: a FrameTime would make viewers play the slices like a film."""


def build(case: Case) -> Iterator[tuple[str, Dataset]]:
    """The slices on the pixels of their source images, as one object or as one each."""
    if case.form.overlay == "multi-frame":
        yield "overlay", together(case)
    else:
        yield from one_by_one(case)


def places(case: Case) -> Sequence[tuple[SourceFrame, Grid]]:
    """The source image and the pixels of each frame."""
    return outline_frames.places(case) if case.has_outlines else saliency_frames.places(case)


def pictures(case: Case) -> Iterator[UInt8Array]:
    """The frames, (rows, columns, 3) uint8."""
    return outline_frames.pictures(case) if case.has_outlines else saliency_frames.pictures(case)


def one_by_one(case: Case) -> Iterator[tuple[str, Dataset]]:
    """One Secondary Capture a slice."""
    first: Dataset | None = None
    frames = zip(places(case), pictures(case), strict=True)
    for number, ((source, place), pixels) in enumerate(frames, start=1):
        if first is None:
            dataset = first = capture(case, "overlay", pixels, [source])
        else:
            dataset = dicom_modules.another(first, case, "overlay", number)
            dataset.SourceImageSequence = [dicom_modules.source(source)]
            rgb(dataset, case, [pixels])
        _place(dataset, case, place)
        yield f"overlay-{number:04}", dataset


def together(case: Case) -> Dataset:
    """A Multi-frame True Color Secondary Capture (PS3.3 A.8.5) with a frame a slice."""
    dataset = dicom_modules.new(case, "overlay", MultiFrameTrueColorSecondaryCaptureImageStorage)
    sources, grids = (list(each) for each in zip(*places(case), strict=True))
    describe(dataset, case, sources)
    multiframe.place(dataset, case, "overlay", grids, sources, _thickness(case))
    dataset.FrameIncrementPointer = FORWARD
    dataset.SliceLocationVector = [geometry.height(grid.affine) for grid in grids]
    rgb(dataset, case, pictures(case))
    return dataset


def _thickness(case: Case) -> float:
    """Between neighbouring frames, mm: outlines lie on the source's own."""
    return case.slices.thickness_mm if case.has_outlines else case.slices.distance_mm


def _place(dataset: Dataset, case: Case, place: Grid) -> None:
    """The slice's place in the patient, where the source names its frame of reference.

    The attributes extend the SC IOD (PS3.4 B.4.1 Standard Extended SOP Class); viewers use them
    to scroll the overlay with the source.
    """
    dataset.PatientOrientation = list(geometry.sides(place.affine))
    if case.header.frame_of_reference:
        dataset.FrameOfReferenceUID = case.header.frame_of_reference
        dataset.PositionReferenceIndicator = ""
        geometry.plane(dataset, place.affine, _thickness(case), case.header.orientation)
