"""Secondary Capture: pictures that every viewer shows (PS3.3 A.8)."""

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from msnode.records.images import SourceFrame
from msnode.report import dicom_modules
from msnode.report.case import Case

UInt8Array = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Codec:
    """A lossless transfer syntax.

    Attributes:
        plugin: pydicom's name for the library that encodes it.
        photometric: PhotometricInterpretation of colour in it (PS3.3 A.8.5.4).
    """

    syntax: UID
    plugin: str
    photometric: str

    def encode(self, frame: UInt8Array) -> bytes:
        """One frame, (rows, columns, 3) uint8, as a codestream."""
        rows, columns, samples = frame.shape
        return get_encoder(self.syntax).encode(
            frame, encoding_plugin=self.plugin, photometric_interpretation=self.photometric,
            rows=rows, columns=columns, samples_per_pixel=samples, planar_configuration=0,
            bits_allocated=8, bits_stored=8, pixel_representation=0, number_of_frames=1,
        )  # fmt: skip


CODECS = {
    "RLELossless": Codec(RLELossless, "pylibjpeg", "RGB"),
    "JPEG2000Lossless": Codec(JPEG2000Lossless, "pylibjpeg", "YBR_RCT"),
    "JPEGLSLossless": Codec(JPEGLSLossless, "pyjpegls", "RGB"),
}
"""By `config.Form.transfer_syntax`."""


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
    dataset = dicom_modules.new(case, kind, SecondaryCaptureImageStorage)
    describe(dataset, case, sources)
    rgb(dataset, case, [pixels])
    return dataset


def describe(dataset: Dataset, case: Case, sources: Iterable[SourceFrame]) -> None:
    """The SC Equipment and General Image modules: derived, with text in the pixels."""
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.BurnedInAnnotation = "YES"
    dataset.PatientOrientation = ""
    dataset.DerivationDescription = (
        f"{case.say('title')}: {case.say('banner')}. {case.say('limits')}"[:1024]
    )
    dataset.LossyImageCompression = "00"
    dicom_modules.anatomy(dataset, case.report.words)
    if items := [dicom_modules.source(frame) for frame in sources]:
        dataset.SourceImageSequence = items


def rgb(dataset: Dataset, case: Case, frames: Iterable[UInt8Array]) -> None:
    """The Image Pixel module, in the transfer syntax that the destination wants.

    Args:
        dataset: gains the module; says in its file meta information how it is encoded.
        case: the result.
        frames: (rows, columns, 3) uint8, RGB, all of one size.
    """
    codec = CODECS.get(case.form.transfer_syntax)
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = codec.photometric if codec is not None else "RGB"
    dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    encoded, data = [], BytesIO()  # pydicom writes a buffer to the file without copying it
    for frame in frames:
        dataset.Rows, dataset.Columns = frame.shape[:2]
        if codec is None:
            data.write(frame.tobytes())
        else:
            encoded.append(codec.encode(frame))
    if codec is None:
        data.write(b"\0" * (data.tell() % 2))
        data.seek(0)
        dataset.PixelData = data
    else:
        dataset.file_meta.TransferSyntaxUID = codec.syntax
        dataset.PixelData = encapsulate(encoded)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = codec is not None
