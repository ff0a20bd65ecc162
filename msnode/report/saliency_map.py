"""The saliency as numbers: a float32 Parametric Map on the slices (PS3.3 A.75)."""

import numpy as np
from highdicom.pm import RealWorldValueMapping
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from msnode.records import SourceFrame
from msnode.report import base, codes, geometry
from msnode.report.case import Case
from msnode.report.geometry import Grid
from msnode.report.uids import uid


def build(case: Case) -> Dataset:
    """Saliency in [0, 1], a frame a slice, in the source's frame of reference."""
    dataset = base.new(case, "map", ParametricMapStorage)
    dataset.FrameOfReferenceUID = case.header.frame_of_reference or case.uid("map", "frame")
    dataset.PositionReferenceIndicator = ""
    _content(dataset, case)
    _dimensions(dataset)
    places = [geometry.grid(case.slices, index) for index in range(len(case.slices.affines))]
    dataset.SharedFunctionalGroupsSequence = [_shared(case, places[0])]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame(number, place, case.slices.source(number - 1))
        for number, place in enumerate(places, start=1)
    ]
    _pixels(dataset, case, places)
    base.refer(dataset, map(case.slices.source, range(len(case.slices.affines))))
    return dataset


def _content(dataset: Dataset, case: Case) -> None:
    """Parametric Map Image module."""
    dataset.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
    dataset.ContentLabel = "SALIENCY"
    dataset.ContentDescription = case.say("saliency")
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
    dataset.BodyPartExamined = "BRAIN"


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


def _shared(case: Case, place: Grid) -> Dataset:
    """What is the same for every frame."""
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures := Dataset()]
    measures.PixelSpacing = geometry.spacing(place.affine)
    measures.SliceThickness = geometry.decimal(case.slices.thickness_mm)
    shared.PlaneOrientationSequence = [direction := Dataset()]
    direction.ImageOrientationPatient = geometry.orientation(place.affine, case.header.orientation)
    shared.FrameAnatomySequence = [anatomy := Dataset()]
    anatomy.FrameLaterality = "B"
    anatomy.AnatomicRegionSequence = [codes.BRAIN]
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
    return shared


def _frame(number: int, grid: Grid, source: SourceFrame) -> Dataset:
    """What belongs to one frame: its place and the source image it was derived from."""
    groups = Dataset()
    groups.FrameContentSequence = [content := Dataset()]
    content.StackID = "1"
    content.InStackPositionNumber = number
    content.DimensionIndexValues = [number]
    groups.PlanePositionSequence = [place := Dataset()]
    place.ImagePositionPatient = geometry.position(grid.affine)
    groups.DerivationImageSequence = [derivation := Dataset()]
    derivation.DerivationCodeSequence = [codes.UNSPECIFIED_CALCULATION]
    derivation.SourceImageSequence = [base.source(source)]
    return groups


def _pixels(dataset: Dataset, case: Case, places: list[Grid]) -> None:
    """Floating Point Image Pixel module (PS3.3 C.7.6.24)."""
    saliency = [
        np.asarray(geometry.resample(Image.fromarray(one), affine, place), np.float32)
        for one, affine, place in zip(
            case.scores.saliency.astype(np.float32), case.slices.affines, places, strict=True
        )
    ]
    dataset.NumberOfFrames = len(saliency)
    dataset.Rows, dataset.Columns = saliency[0].shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 32
    dataset.FloatPixelData = np.stack(saliency).tobytes()
