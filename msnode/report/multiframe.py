"""Multi-frame objects on the slices: where each frame lies (PS3.3 C.7.6.16)."""

from collections.abc import Sequence

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from msnode.records.images import SourceFrame
from msnode.report import dicom_modules, geometry
from msnode.report.case import Case
from msnode.report.geometry import Grid


def place(
    dataset: Dataset,
    case: Case,
    kind: str,
    grids: Sequence[Grid],
    sources: Sequence[SourceFrame],
    thickness_mm: float,
) -> None:
    """The Frame of Reference and Multi-frame Functional Groups modules.

    Args:
        dataset: gains one frame a grid.
        case: the result.
        kind: a key of `base.SERIES`; names the frame of reference where the source names none.
        grids: where the frames lie; all of one size.
        sources: the images that they were made from.
        thickness_mm: of a frame.
    """
    dataset.FrameOfReferenceUID = case.header.frame_of_reference or case.uid(kind, "frame")
    dataset.PositionReferenceIndicator = ""
    dataset.NumberOfFrames = len(grids)
    dataset.SharedFunctionalGroupsSequence = [_shared(case, grids[0], thickness_mm)]
    dataset.PerFrameFunctionalGroupsSequence = [_frame(grid) for grid in grids]
    dicom_modules.refer(dataset, sources)


def derivation(source: SourceFrame, how: CodedConcept) -> Dataset:
    """DerivationImageSequence item (PS3.3 C.7.6.16.2.6): the source image, and what was done."""
    item = Dataset()
    item.DerivationCodeSequence = [how]
    item.SourceImageSequence = [dicom_modules.source(source)]
    return item


def _shared(case: Case, grid: Grid, thickness_mm: float) -> Dataset:
    """What is the same for every frame."""
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures := Dataset()]
    measures.PixelSpacing = geometry.spacing(grid.affine)
    measures.SliceThickness = geometry.decimal(thickness_mm)
    shared.PlaneOrientationSequence = [direction := Dataset()]
    direction.ImageOrientationPatient = geometry.orientation(grid.affine, case.header.orientation)
    return shared


def _frame(grid: Grid) -> Dataset:
    """The place of one frame."""
    groups = Dataset()
    groups.PlanePositionSequence = [position := Dataset()]
    position.ImagePositionPatient = geometry.position(grid.affine)
    return groups
