"""The saliency as numbers: a float32 Parametric Map on the slices (PS3.3 A.75)."""

from io import BytesIO

import numpy as np
from highdicom.pm import RealWorldValueMapping
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from msnode.records.vocabulary import Vocabulary
from msnode.report import codes, dicom_modules, geometry, multiframe
from msnode.report.case import Case
from msnode.report.geometry import Grid
from msnode.report.uids import uid


def build(case: Case) -> Dataset:
    """Saliency in [0, 1], a frame a slice, in the source's frame of reference."""
    dataset = dicom_modules.new(case, "map", ParametricMapStorage)
    _content(dataset, case)
    indices = range(len(case.slices.affines))
    grids = [geometry.grid(case.slices, index) for index in indices]
    sources = [case.slices.source(index) for index in indices]
    multiframe.place(dataset, case, "map", grids, sources, case.slices.distance_mm)
    _describe(dataset.SharedFunctionalGroupsSequence[0], case.report.words)
    _dimensions(dataset)
    for index, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        groups.FrameContentSequence = [_order(index + 1)]
        how = multiframe.derivation(sources[index], codes.UNSPECIFIED_CALCULATION)
        groups.DerivationImageSequence = [how]
    _pixels(dataset, case, grids)
    return dataset


def _content(dataset: Dataset, case: Case) -> None:
    """Parametric Map Image module."""
    dataset.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
    dataset.ContentLabel = "SALIENCY"
    dataset.ContentDescription = case.say("limits_short")
    dataset.ContentCreatorName = "msnode"
    dataset.ContentQualification = "RESEARCH"
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"
    dataset.RecognizableVisualFeatures = "NO"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.PixelPresentation = "MONOCHROME"
    dataset.VolumetricProperties = "VOLUME"
    dataset.VolumeBasedCalculationTechnique = "NONE"
    dataset.AcquisitionContextSequence = []
    dataset.BodyPartExamined = case.report.words.body_part


def _dimensions(dataset: Dataset) -> None:
    """Multi-frame Dimension module: frames are ordered by position in the stack."""
    organization = Dataset()
    organization.DimensionOrganizationUID = uid("dimension", dataset.SOPInstanceUID)
    dataset.DimensionOrganizationSequence = [organization]
    index = Dataset()
    index.DimensionOrganizationUID = organization.DimensionOrganizationUID
    index.DimensionIndexPointer = 0x00209057  # InStackPositionNumber
    index.FunctionalGroupPointer = 0x00209111  # FrameContentSequence
    index.DimensionDescriptionLabel = "In-Stack Position Number"
    dataset.DimensionIndexSequence = [index]
    dataset.DimensionOrganizationType = "3D"


def _describe(shared: Dataset, words: Vocabulary) -> None:
    """What the values of every frame are."""
    shared.FrameAnatomySequence = [anatomy := Dataset()]
    anatomy.FrameLaterality = "B"
    anatomy.AnatomicRegionSequence = [codes.concept(words.region)]
    shared.PixelValueTransformationSequence = [identity := Dataset()]
    identity.RescaleIntercept, identity.RescaleSlope, identity.RescaleType = "0", "1", "US"
    shared.FrameVOILUTSequence = [window := Dataset()]
    window.WindowCenter, window.WindowWidth, window.VOILUTFunction = "0.5", "1", "LINEAR_EXACT"
    shared.ParametricMapFrameTypeSequence = [kind := Dataset()]
    kind.FrameType = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
    shared.RealWorldValueMappingSequence = [
        RealWorldValueMapping(
            lut_label="SALIENCY",
            lut_explanation="Saliency",
            unit=codes.NO_UNITS,
            value_range=(0.0, 1.0),
            intercept=0.0,
            slope=1.0,
            quantity_definition=codes.SALIENCY,
        )
    ]


def _order(number: int) -> Dataset:
    """Frame Content functional group: the place in the stack, counted from the feet."""
    content = Dataset()
    content.StackID = "1"
    content.InStackPositionNumber = number
    content.DimensionIndexValues = [number]
    return content


def _pixels(dataset: Dataset, case: Case, grids: list[Grid]) -> None:
    """Floating Point Image Pixel module (PS3.3 C.7.6.24)."""
    data = BytesIO()
    for saliency, affine, grid in zip(
        case.scores.saliency, case.slices.affines, grids, strict=True
    ):
        frame = geometry.resample(Image.fromarray(saliency.astype(np.float32)), affine, grid)
        data.write(np.asarray(frame, np.float32).tobytes())
    data.seek(0)
    dataset.Rows, dataset.Columns = grids[0].rows, grids[0].columns
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 32
    dataset.FloatPixelData = data
