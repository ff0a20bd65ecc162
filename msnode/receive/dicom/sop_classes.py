"""What we accept: SOP classes and transfer syntaxes (PS3.4 Annex B.5, PS3.5 10, PS3.6 A)."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom import uid
from pynetdicom import build_context
from pynetdicom.presentation import PresentationContext

from msnode.config import Config

MR = frozenset(
    {
        uid.MRImageStorage,
        uid.EnhancedMRImageStorage,
        uid.EnhancedMRColorImageStorage,
        uid.LegacyConvertedEnhancedMRImageStorage,
    }
)
MICROSCOPIC = frozenset(
    {uid.VLMicroscopicImageStorage, uid.VLSlideCoordinatesMicroscopicImageStorage}
)
"""Blood smears, where they are read."""
PHOTOGRAPHS = frozenset({uid.VLPhotographicImageStorage})
CAPTURES = frozenset(
    {uid.SecondaryCaptureImageStorage, uid.MultiFrameTrueColorSecondaryCaptureImageStorage}
)
PICTURES = MICROSCOPIC | PHOTOGRAPHS
"""Taken whether they are read or not."""


@dataclass(frozen=True, slots=True)
class Analysed:
    """Which images make a study worth analysing.

    Attributes:
        surely: those of these classes.
        by_header: those of these classes, in a study without MR images, once a header says that
            they show what is read; they are never taken for that because nothing else came.
    """

    surely: frozenset[str] = MR
    by_header: frozenset[str] = frozenset()

    @property
    def every(self) -> frozenset[str]:
        """Both."""
        return self.surely | self.by_header


def analysed(config: Config) -> Analysed:
    """What a node analyses."""
    smears = config.classify.smears
    if smears is None:
        return Analysed()
    pictures = PHOTOGRAPHS | CAPTURES if smears.secondary_captures else PHOTOGRAPHS
    return Analysed(MR | MICROSCOPIC, pictures)


DOCUMENTS = frozenset(
    {
        uid.BasicTextSRStorage,
        uid.EnhancedSRStorage,
        uid.ComprehensiveSRStorage,
        uid.Comprehensive3DSRStorage,
        uid.ExtensibleSRStorage,
    }
)
"""Reports: read for what they say of our results, never a reason to analyse a study."""

COMPANIONS = DOCUMENTS | frozenset(
    {
        uid.MRSpectroscopyStorage,
        uid.RawDataStorage,
        uid.SecondaryCaptureImageStorage,
        uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
        uid.GrayscaleSoftcopyPresentationStateStorage,
        uid.ColorSoftcopyPresentationStateStorage,
        uid.PseudoColorSoftcopyPresentationStateStorage,
        uid.BlendingSoftcopyPresentationStateStorage,
        uid.KeyObjectSelectionDocumentStorage,
        uid.EncapsulatedPDFStorage,
        uid.SegmentationStorage,
        uid.ParametricMapStorage,
    }
)
"""What else a brain MRI study contains: kept, but never a reason to analyse it again."""

TRANSFER_SYNTAXES = (
    # our order of preference among those offered in one presentation context
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLossless,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.JPEGLSNearLossless,
    uid.JPEG2000,
    uid.HTJ2K,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
)


VERIFICATION = uid.UID("1.2.840.10008.1.1")
STORAGE_COMMITMENT = uid.UID("1.2.840.10008.1.20.1")


def accepted(extra: Iterable[str]) -> frozenset[str]:
    """SOP classes accepted: ours and those in ``receive.accept``, which config has checked."""
    return MR | PICTURES | COMPANIONS | {getattr(uid, keyword) for keyword in extra}


def right(sop_class_uid: str) -> str | None:
    """Which of ``config.Caller.rights`` a class needs; reports on commitment have another rule."""
    if sop_class_uid == VERIFICATION:
        return "echo"
    return None if sop_class_uid == STORAGE_COMMITMENT else "store"


def contexts(classes: Iterable[str]) -> list[PresentationContext]:
    """The presentation contexts we support: verification, and storage in every syntax."""
    storage = [build_context(name, list(TRANSFER_SYNTAXES)) for name in sorted(classes)]
    return [build_context(VERIFICATION), *storage]
