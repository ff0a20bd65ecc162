"""The last check before a result leaves: nothing is sent that fails it.

It knows the attributes that each of our SOP Classes requires (PS3.3 A), and what is true of every
dataset: legal UIDs (PS3.5 9.1), complete codes (PS3.3 8.8), value lengths (PS3.5 6.2), references
that the evidence lists.
"""

import math
from collections.abc import Callable, Iterator
from io import BytesIO

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from msnode.errors import InvalidResult
from msnode.records.results import Report
from msnode.report.study_header import TYPE_2
from msnode.report.uids import legal

_COMMON = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber",
    "InstanceNumber", "Modality", "SpecificCharacterSet", "Manufacturer", "ManufacturerModelName",
    "DeviceSerialNumber", "SoftwareVersions", "ContributingEquipmentSequence",
)  # fmt: skip
_DOCUMENT = (
    "CompletionFlag", "VerificationFlag", "PreliminaryFlag", "ContentDate", "ContentTime",
    "ValueType", "ConceptNameCodeSequence", "ContentSequence", "ContentTemplateSequence",
)  # fmt: skip
_PIXELS = (
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "ImageType",
)  # fmt: skip
_CAPTURE = (*_PIXELS, "ConversionType", "BurnedInAnnotation", "PlanarConfiguration")
_REQUIRED: dict[str, tuple[str, ...]] = {
    ComprehensiveSRStorage: _DOCUMENT,
    Comprehensive3DSRStorage: _DOCUMENT,
    EnhancedSRStorage: _DOCUMENT,
    KeyObjectSelectionDocumentStorage: (
        "ContentDate", "ContentTime", "ValueType", "ConceptNameCodeSequence", "ContentSequence",
        "CurrentRequestedProcedureEvidenceSequence",
    ),
    SecondaryCaptureImageStorage: _CAPTURE,
    MultiFrameTrueColorSecondaryCaptureImageStorage: (
        *_CAPTURE, "NumberOfFrames", "FrameIncrementPointer",
    ),
    ParametricMapStorage: (
        "FloatPixelData", "Rows", "Columns", "NumberOfFrames", "ContentLabel",
        "ContentQualification", "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
    ),
    SegmentationStorage: (
        *_PIXELS, "NumberOfFrames", "ContentLabel", "SegmentationType", "SegmentSequence",
        "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    ),
    GrayscaleSoftcopyPresentationStateStorage: (
        "ContentLabel", "PresentationCreationDate", "ReferencedSeriesSequence",
        "DisplayedAreaSelectionSequence", "GraphicAnnotationSequence", "GraphicLayerSequence",
    ),
    EncapsulatedPDFStorage: (
        "EncapsulatedDocument", "MIMETypeOfEncapsulatedDocument", "BurnedInAnnotation",
        "DocumentTitle",
    ),
}  # fmt: skip
_LONGEST = {"SH": 16, "CS": 16, "AE": 16, "LO": 64, "PN": 194, "DS": 16, "IS": 12, "ST": 1024}


def validate(dataset: Dataset, report: Report) -> None:
    """Check a finished object.

    Raises:
        InvalidResult: lists everything that is wrong with it, by attribute.
    """
    problems = [problem for check in CHECKS for problem in check(dataset, report)]
    if problems:
        raise InvalidResult("; ".join(problems))


def _required(dataset: Dataset, _: Report) -> Iterator[str]:
    """Type 1 attributes have a value, type 2 attributes are there."""
    if dataset.SOPClassUID not in _REQUIRED:
        yield f"SOPClassUID {dataset.SOPClassUID} is none that a result may have"
        return
    for keyword in (*_COMMON, *_REQUIRED[dataset.SOPClassUID]):
        if keyword not in dataset or dataset[keyword].is_empty:
            yield f"{keyword} has no value"
    yield from (f"{keyword} is missing" for keyword in TYPE_2 if keyword not in dataset)


def _identity(dataset: Dataset, report: Report) -> Iterator[str]:
    """The object belongs to the study, and its file says the same as its dataset."""
    if dataset.StudyInstanceUID != report.study_instance_uid:
        yield "StudyInstanceUID is not the study's"
    if dataset.file_meta.MediaStorageSOPInstanceUID != dataset.SOPInstanceUID:
        yield "MediaStorageSOPInstanceUID differs from SOPInstanceUID"
    if dataset.get("VerificationFlag", "UNVERIFIED") != "UNVERIFIED":
        yield "VerificationFlag claims that a person verified the result"


def _elements(dataset: Dataset, _: Report) -> Iterator[str]:
    """Every element, at any depth, has a legal UID, code or length."""
    for element in dataset.iterall():
        values = element.value if element.VM > 1 else [element.value]
        if element.VR == "UI" and not all(legal(str(v)) for v in values if v):
            yield f"{element.keyword} is not a legal UID"
        longest = _LONGEST.get(element.VR)
        if longest and any(len(str(v)) > longest for v in values if v is not None):
            yield f"{element.keyword} has more than {longest} characters"
        if element.VR == "SQ" and element.keyword.endswith("CodeSequence"):
            yield from _code(element)


def _code(element: DataElement) -> Iterator[str]:
    """The items of a code sequence are complete (PS3.3 8.8)."""
    for item in element.value:
        for keyword in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning"):
            if not item.get(keyword):
                yield f"{keyword} in {element.keyword} has no value"


def _references(dataset: Dataset, _: Report) -> Iterator[str]:
    """The evidence lists what the content tree refers to (PS3.3 C.17.2.1)."""
    if "ContentSequence" not in dataset:
        return
    listed = {
        instance.ReferencedSOPInstanceUID
        for study in dataset.get("CurrentRequestedProcedureEvidenceSequence", ())
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    for item in _tree(dataset):
        for target in item.get("ReferencedSOPSequence", ()):
            if target.ReferencedSOPInstanceUID not in listed:
                yield "ContentSequence refers to an image that the evidence does not list"


def _tree(item: Dataset) -> Iterator[Dataset]:
    """A content item and all below it."""
    yield item
    for child in item.get("ContentSequence", ()):
        yield from _tree(child)


def _pixels(dataset: Dataset, _: Report) -> Iterator[str]:
    """The pixel data is as long as its description says."""
    keyword = "FloatPixelData" if "FloatPixelData" in dataset else "PixelData"
    if keyword not in dataset or dataset.file_meta.TransferSyntaxUID.is_compressed:
        return
    bits = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated
    size = math.ceil(bits * int(dataset.get("NumberOfFrames", 1)) / 8)  # SEG has a bit a voxel
    value = dataset[keyword].value
    length = len(value.getbuffer()) if isinstance(value, BytesIO) else len(value)
    if length != size + size % 2:
        yield f"{keyword} has {length} bytes instead of {size + size % 2}"


CHECKS: tuple[Callable[[Dataset, Report], Iterator[str]], ...] = (
    _required, _identity, _elements, _references, _pixels,
)  # fmt: skip
