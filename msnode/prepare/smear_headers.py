"""Which images of a study are blood smears, by their headers.

Microscopic images (PS3.3 A.32.2, A.32.3) are taken for smears. Photographs (A.32.4) and Secondary
Captures (A.8) show anything, so their headers have to say that they show one; and none counts in a
study that holds MR images, where they are screen shots and the like.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import uid
from pydicom.dataset import Dataset

from msnode.errors import NotAnalysable
from msnode.prepare.attributes import number, read, text, value
from msnode.records.images import InputContract
from msnode.records.sentences import Sentence, Text

log = logging.getLogger(__name__)

KIND = "SMEAR"
"""The kind of image in `InputContract.sequences`."""
MICROSCOPIC = frozenset(
    {uid.VLMicroscopicImageStorage, uid.VLSlideCoordinatesMicroscopicImageStorage}
)
PICTURES = frozenset(
    {
        uid.VLPhotographicImageStorage,
        uid.SecondaryCaptureImageStorage,
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    }
)
"""Images of anything, which count by their headers alone."""
MR = frozenset(
    {
        uid.MRImageStorage,
        uid.EnhancedMRImageStorage,
        uid.EnhancedMRColorImageStorage,
        uid.LegacyConvertedEnhancedMRImageStorage,
    }
)
MODALITIES = ("GM", "SM")
"""General and slide microscopy (CID 29)."""
WORDS = (
    "BLOOD SMEAR", "BLOOD FILM", "BLUTAUSSTRICH", "FROTTIS SANGUIN", "FROTIS DE SANGRE",
    "FROTIS SANGU", "BLOEDUITSTRIJK",
)  # fmt: skip
"""In a description, in capitals, in the five languages."""
SPECIMENS = {("SCT", "87612001"), ("SCT", "119297000"), ("SRT", "T-C2000")}
"""Blood, blood specimen: as region (CID 4031) or SpecimenTypeCodeSequence."""
MOST_PIXELS = 200_000_000
"""Of an image; a whole-slide image has another SOP Class."""

_HEADER = (
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesDescription", "Modality"),
    *("StudyDescription", "ProtocolName", "ImageComments", "AnatomicRegionSequence"),
    *("PrimaryAnatomicStructureSequence", "SpecimenDescriptionSequence", "InstanceNumber"),
    "NumberOfFrames", "Rows", "Columns",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SmearPicture:
    """An image of a study by its header.

    Attributes:
        why_not: why it is no smear; None where it is one.
    """

    path: Path
    series: str
    description: str
    instance: str
    sop_class: str
    frames: int
    order: float
    why_not: Text | None = None


def has_smear(paths: Sequence[Path], contract: InputContract) -> bool:
    """Whether files, one for each series, include a blood smear, by headers alone."""
    del contract
    found = list(pictures(paths))
    if any(one.sop_class in MR for one in found):
        return False
    return any(one.why_not is None for one in found)


def pictures(paths: Sequence[Path]) -> Iterator[SmearPicture]:
    """What the headers of files say; one that cannot be read is passed over."""
    for path in paths:
        try:
            header = read(path, *_HEADER)
        except NotAnalysable as refusal:
            log.debug("a file was passed over: %s", refusal)
            continue
        yield SmearPicture(
            path,
            text(value(header, "SeriesInstanceUID")),
            text(value(header, "SeriesDescription")),
            text(value(header, "SOPInstanceUID")),
            text(value(header, "SOPClassUID")),
            int(number(value(header, "NumberOfFrames")) or 1),
            number(value(header, "InstanceNumber")) or 0.0,
            _why_not(header),
        )


def _why_not(header: Dataset) -> Text | None:
    """Why an image is no smear."""
    sop_class = text(value(header, "SOPClassUID"))
    if sop_class in MICROSCOPIC or (sop_class in PICTURES and _says_smear(header)):
        rows, columns = (number(value(header, name)) or 0 for name in ("Rows", "Columns"))
        too_large = rows * columns > MOST_PIXELS
        return Sentence("smear_too_large", most=MOST_PIXELS // 10**6) if too_large else None
    if sop_class in PICTURES:
        return Sentence("smear_not_said")
    return Sentence("smear_class")


def _says_smear(header: Dataset) -> bool:
    """Whether the header of a picture of anything says that it shows blood under a microscope."""
    is_capture = text(value(header, "SOPClassUID")) != uid.VLPhotographicImageStorage
    if is_capture and text(value(header, "Modality")) in MODALITIES:
        return True
    names = ("StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments")
    described = " ".join(text(value(header, name)) for name in names).upper()
    return any(word in described for word in WORDS) or not SPECIMENS.isdisjoint(_codes(header))


def _codes(header: Dataset) -> Iterator[tuple[str, str]]:
    """Scheme and value of the codes of region and specimen."""
    regions = ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence")
    items = [item for name in regions for item in value(header, name) or ()]
    for specimen in value(header, "SpecimenDescriptionSequence") or ():
        items += value(specimen, "SpecimenTypeCodeSequence") or ()
    for item in items:
        yield text(value(item, "CodingSchemeDesignator")), text(value(item, "CodeValue"))
