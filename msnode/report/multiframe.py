"""Multi-frame objects on the slices: where each frame lies (PS3.3 C.7.6.16)."""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from msnode.report import dicom_modules, geometry
from msnode.report.case import Case
from msnode.report.geometry import Grid


def place(dataset: Dataset, case: Case, kind: str, grids: Sequence[Grid]) -> None:
    """The Frame of Reference and Multi-frame Functional Groups modules.

    Args:
        dataset: gains one frame a slice, from feet to head.
        case: the result.
        kind: a key of `base.SERIES`; names the frame of reference where the source names none.
        grids: where the slices lie; all of one size.
    """
    dataset.FrameOfReferenceUID = case.header.frame_of_reference or case.uid(kind, "frame")
    dataset.PositionReferenceIndicator = ""
    dataset.NumberOfFrames = len(grids)
    dataset.SharedFunctionalGroupsSequence = [_shared(case, grids[0])]
    dataset.PerFrameFunctionalGroupsSequence = [_frame(grid) for grid in grids]
    dicom_modules.refer(dataset, map(case.slices.source, range(len(grids))))


def _shared(case: Case, grid: Grid) -> Dataset:
    """What is the same for every frame."""
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures := Dataset()]
    measures.PixelSpacing = geometry.spacing(grid.affine)
    measures.SliceThickness = geometry.decimal(case.slices.distance_mm)
    shared.PlaneOrientationSequence = [direction := Dataset()]
    direction.ImageOrientationPatient = geometry.orientation(grid.affine, case.header.orientation)
    return shared


def _frame(grid: Grid) -> Dataset:
    """The place of one frame."""
    groups = Dataset()
    groups.PlanePositionSequence = [position := Dataset()]
    position.ImagePositionPatient = geometry.position(grid.affine)
    return groups
