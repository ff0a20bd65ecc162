"""Measurements of the SR (TID 300), each inferred from coordinates on an image.

OHIF shows no measurement without coordinates of its own.
"""

from collections.abc import Sequence

import numpy as np
from highdicom import sr
from highdicom.sr import CodedConcept

from msnode.records.images import SourceFrame

At = sr.CoordinatesForMeasurement


def point(frame: SourceFrame, column: float, row: float) -> At:
    """A point on a frame; (0, 0) is the corner of the first pixel (PS3.3 C.18.6.1.1)."""
    image = sr.SourceImageForRegion(
        referenced_sop_class_uid=frame.sop_class_uid,
        referenced_sop_instance_uid=frame.sop_instance_uid,
        referenced_frame_numbers=None if frame.frame is None else [frame.frame],
    )
    place = np.array([[column, row]]).round(2)
    return sr.CoordinatesForMeasurement(sr.GraphicTypeValues.POINT, place, image)


def anchor(frame: SourceFrame) -> At:
    """A point beside the head, for numbers that belong to no place; their group's label says so."""
    return point(frame, frame.columns / 16, frame.rows / 10)


def measured(
    name: CodedConcept,
    value: float,
    unit: CodedConcept,
    at: At | None,
    sites: Sequence[sr.FindingSite] = (),
) -> sr.Measurement:
    """A number, as it was rounded."""
    return sr.Measurement(
        name=name,
        value=float(value),
        unit=unit,
        finding_sites=list(sites) or None,
        referenced_coordinates=None if at is None else [at],
    )


def inferred(group: sr.VolumetricROIMeasurementsAndQualitativeEvaluations, at: At) -> None:
    """Give each number of a volume a point in it.

    TID 1419 has none there and forbids none; without it OHIF shows the document not at all.
    """
    for item in group[0].ContentSequence:
        if item.ValueType == "NUM":
            item.ContentSequence = sr.ContentSequence([at])
