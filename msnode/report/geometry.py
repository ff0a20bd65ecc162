"""Where the prepared slices lie in the patient, as DICOM attributes (PS3.3 C.7.6.2)."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from msnode.records import Float64Array


def plane(dataset: Dataset, affine: Float64Array, thickness_mm: float) -> None:
    """The Image Plane module of a slice."""
    dataset.PixelSpacing = spacing(affine)
    dataset.SliceThickness = decimal(thickness_mm)
    dataset.ImageOrientationPatient = orientation(affine)
    dataset.ImagePositionPatient = position(affine)


def enlarged(affine: Float64Array, scale: float) -> Float64Array:
    """The affine of a slice after enlarging: its first pixel's centre moves to the corner."""
    bigger = affine.copy()
    bigger[:3, :2] /= scale
    first = 0.5 / scale - 0.5
    bigger[:3, 3] = (affine @ [first, first, 0, 1])[:3]
    return bigger


def spacing(affine: Float64Array) -> list[DSfloat]:
    """PixelSpacing: between rows, between columns, mm."""
    between_columns, between_rows = np.linalg.norm(affine[:3, :2], axis=0)
    return [decimal(between_rows), decimal(between_columns)]


def orientation(affine: Float64Array) -> list[DSfloat]:
    """ImageOrientationPatient: unit vectors along a row and along a column."""
    units = affine[:3, :2] / np.linalg.norm(affine[:3, :2], axis=0)
    return [decimal(x) for x in units.T.ravel()]


def position(affine: Float64Array) -> list[DSfloat]:
    """ImagePositionPatient: the first pixel's centre, mm."""
    return [decimal(x) for x in affine[:3, 3]]


def decimal(value: float) -> DSfloat:
    """A DS: at most 16 characters (PS3.5 6.2)."""
    return DSfloat(round(float(value), 6) + 0.0, auto_format=True)
