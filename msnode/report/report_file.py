"""A result without its arrays, kept beside its objects: so that pages say what the objects say.

Sentences stay translatable, so a reader gets them in his own language.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from msnode.records.lesions import LesionMaps
from msnode.records.results import Report
from msnode.report.case import images
from msnode.store.files import decode, encode, replacing

FILE = "report.json"
NO_VOXELS = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class KeptReport:
    """What is kept of a result.

    Attributes:
        report: without pixels, saliency and maps; what was counted in them still is: the number of
            slices, and whether there are maps.
        image_numbers: InstanceNumber by SOPInstanceUID, of the images that have one.
    """

    report: Report
    image_numbers: dict[str, int]


def slim(report: Report) -> Report:
    """A result without its arrays."""
    slices, maps = report.slices, report.maps
    if slices is not None:
        slices = replace(slices, pixels=np.empty((len(slices.pixels), 0), np.float32))
    if maps is not None:
        maps = LesionMaps(
            np.empty(NO_VOXELS, np.float32),
            np.empty(NO_VOXELS, np.uint8),
            np.empty(NO_VOXELS, np.uint16),
        )
    return replace(report, slices=slices, scores=None, maps=maps)


def write_report(report: Report, path: Path) -> Path:
    """Keep a result, whole or not at all; reads the headers of its evidence for their numbers.

    Args:
        report: see `slim`.
        path: of the file.

    Returns:
        The path.
    """
    known = images(report.evidence, report.study_instance_uid).values()
    numbers = {one.sop_instance_uid: one.number for one in known if one.number is not None}
    with replacing(path) as file:
        file.write(encode(KeptReport(slim(report), numbers)))
    return path


def read_report(path: Path) -> KeptReport | None:
    """A result that was kept; None where there is none, as in those of older versions."""
    return decode(path.read_bytes(), KeptReport) if path.exists() else None
