"""The outlined lesions, voxel by voxel: a binary Segmentation on the source images (PS3.3 A.51)."""

import numpy as np
from highdicom.color import CIELabColor
from highdicom.content import AlgorithmIdentificationSequence
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import SegmentationStorage

from msnode.report import codes, dicom_modules, multiframe
from msnode.report.case import PROGRAM, Case
from msnode.report.geometry import Grid
from msnode.report.lesion_groups import GROUPS, Group, grouped, segments
from msnode.report.palette import LESION
from msnode.report.uids import uid

LABELS: dict[Group, str] = {
    "new": "New lesions",
    "enlarging": "Enlarging lesions",
    "rest": "Other lesions",
    "lesion": "Lesions",
}
"""In English, as programs compare them."""


def build(case: Case) -> Dataset:
    """A segment for each group of lesions, a frame for each slice of a segment that has voxels."""
    dataset = dicom_modules.new(case, "seg", SegmentationStorage)
    _content(dataset, case)
    shown = segments(case)
    dataset.SegmentSequence = [_segment(case, n, one) for n, one in enumerate(shown, 1)]
    labels = grouped(case.outlined, case.maps)
    masks, where = [], []
    for number, one in enumerate(shown, 1):
        mine = labels == 1 + GROUPS.index(one)
        for index in np.flatnonzero(mine.any(axis=(0, 1))).tolist():
            masks.append(mine[:, :, index].T)
            where.append((number, index))
    frames = [case.slices.frames[index] for _, index in where]
    grids = [Grid(frame.affine, frame.rows, frame.columns) for frame in frames]
    multiframe.place(dataset, case, "seg", grids, frames, case.slices.thickness_mm)
    _dimensions(dataset)
    for (number, index), groups, frame in zip(
        where, dataset.PerFrameFunctionalGroupsSequence, frames, strict=True
    ):
        groups.FrameContentSequence = [_order(number, index + 1)]
        groups.DerivationImageSequence = [
            derived := multiframe.derivation(frame, codes.SEGMENTATION)
        ]
        derived.SourceImageSequence[0].SpatialLocationsPreserved = "YES"
        groups.SegmentIdentificationSequence = [identified := Dataset()]
        identified.ReferencedSegmentNumber = number
    _pixels(dataset, np.stack(masks))
    return dataset


def _content(dataset: Dataset, case: Case) -> None:
    """Segmentation Image module (PS3.3 C.8.20.2)."""
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.ContentLabel = "LESIONS"
    dataset.ContentDescription = case.say("limits_short")
    dataset.ContentCreatorName = PROGRAM
    dataset.SegmentationType = "BINARY"
    dataset.SegmentsOverlap = "NO"
    dataset.LossyImageCompression = "00"
    dataset.BodyPartExamined = case.report.words.body_part


def _segment(case: Case, number: int, group: Group) -> SegmentDescription:
    """What a group of lesions is, and what outlined it."""
    model = case.outlined.model
    return SegmentDescription(
        segment_number=number,
        segment_label=LABELS[group],
        segmented_property_category=codes.ABNORMAL_STRUCTURE,
        segmented_property_type=codes.HYPERINTENSITY,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=model.name,
            family=codes.ARTIFICIAL_INTELLIGENCE,
            version=model.version,
            source=PROGRAM,
            parameters={"digest": model.digest, "threshold": f"{model.threshold:.4f}"},
        ),
        anatomic_regions=[codes.concept(case.report.words.region)],
        display_color=CIELabColor.from_rgb(*LESION[group]),
    )


def _dimensions(dataset: Dataset) -> None:
    """Multi-frame Dimension module: by segment, then by position."""
    organization = Dataset()
    organization.DimensionOrganizationUID = uid("dimension", dataset.SOPInstanceUID)
    dataset.DimensionOrganizationSequence = [organization]
    dataset.DimensionIndexSequence = []
    for pointer, group, label in (
        (0x0062000B, 0x0062000A, "Referenced Segment Number"),
        (0x00200032, 0x00209113, "Image Position (Patient)"),
    ):
        index = Dataset()
        index.DimensionOrganizationUID = organization.DimensionOrganizationUID
        index.DimensionIndexPointer = pointer
        index.FunctionalGroupPointer = group
        index.DimensionDescriptionLabel = label
        dataset.DimensionIndexSequence.append(index)


def _order(segment: int, position: int) -> Dataset:
    """Frame Content functional group: the segment, and the place in the stack."""
    content = Dataset()
    content.DimensionIndexValues = [segment, position]
    return content


def _pixels(dataset: Dataset, masks: NDArray[np.bool_]) -> None:
    """Image Pixel module: one bit a voxel, frames without a gap (PS3.5 8.1.1)."""
    dataset.Rows, dataset.Columns = masks.shape[1:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = 0
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.PixelData = pack_bits(masks.astype(np.uint8), pad=True)
    dataset["PixelData"].VR = "OB"
