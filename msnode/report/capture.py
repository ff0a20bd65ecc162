"""Secondary Capture: pictures that every viewer shows (PS3.3 A.8)."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from msnode.records import SourceFrame
from msnode.report import base
from msnode.report.case import Case

UInt8Array = NDArray[np.uint8]


def capture(
    case: Case,
    kind: str,
    pixels: UInt8Array,
    sources: Iterable[SourceFrame] = (),
) -> Dataset:
    """A single-frame colour Secondary Capture.

    Args:
        case: the result.
        kind: a key of `base.SERIES`.
        pixels: (rows, columns, 3) uint8, RGB.
        sources: the frames that the picture was made from.
    """
    dataset = base.new(case, kind, SecondaryCaptureImageStorage)
    describe(dataset, case, sources)
    rgb(dataset, pixels)
    return dataset


def describe(dataset: Dataset, case: Case, sources: Iterable[SourceFrame]) -> None:
    """The SC Equipment and General Image modules: derived, with text in the pixels."""
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.BurnedInAnnotation = "YES"
    dataset.PatientOrientation = ""
    dataset.DerivationDescription = f"{case.say('title')}: {case.say('banner')}"[:1024]
    dataset.LossyImageCompression = "00"
    base.brain(dataset)
    if items := [base.source(frame) for frame in sources]:
        dataset.SourceImageSequence = items


def rgb(dataset: Dataset, pixels: UInt8Array) -> None:
    """The Image Pixel module of (rows, columns, 3) or (frames, rows, columns, 3) uint8."""
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = pixels.shape[-3:-1]
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    data = np.ascontiguousarray(pixels).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB"
