"""Where derived images lie in the patient, as DICOM attributes (PS3.3 C.7.6.2)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from msnode.records.images import Float64Array, Slices


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixels of a derived image.

    Attributes:
        affine: (4, 4) float64, (column, row, 0, 1) -> LPS mm.
    """

    affine: Float64Array
    rows: int
    columns: int


def grid(slices: Slices, index: int, smallest: int = 0) -> Grid:
    """The pixels of a slice's source image, so that what is derived lies on it pixel by pixel.

    A slice that was reformatted has its own. Grids with fewer columns than ``smallest`` are
    enlarged by a whole factor.
    """
    affine, (rows, columns) = slices.affines[index], slices.pixels.shape[2:]
    frame = slices.source(index)
    same = {(one.rows, one.columns) for one in slices.frames}
    if not slices.reformatted and len(same) == 1:
        affine, rows, columns = frame.affine, frame.rows, frame.columns
    return enlarged(Grid(affine, rows, columns), smallest)


def enlarged(grid: Grid, smallest: int) -> Grid:
    """A grid with at least so many columns: the same, or enlarged by a whole factor."""
    factor = max(math.ceil(smallest / grid.columns), 1)
    return Grid(_enlarged(grid.affine, factor), grid.rows * factor, grid.columns * factor)


def resample(image: Image.Image, affine: Float64Array, target: Grid) -> Image.Image:
    """Bring a slice's image to a grid in the same plane, bilinearly.

    Args:
        image: any mode that Pillow interpolates.
        affine: of the image.
        target: where it is wanted.
    """
    size = (target.columns, target.rows)
    if image.size == size and np.allclose(affine, target.affine, atol=1e-6):
        return image
    ours, theirs = _cube(affine), _cube(target.affine)
    (a, b, _, c), (d, e, _, f) = np.linalg.solve(ours, theirs)[:2]
    # Pillow counts from the corner of the first pixel, an affine from its centre
    corner = (a, b, c + 0.5 - (a + b) / 2, d, e, f + 0.5 - (d + e) / 2)
    return image.transform(size, Image.Transform.AFFINE, corner, Image.Resampling.BILINEAR)


def _cube(affine: Float64Array) -> Float64Array:
    """An affine with its unit normal in the third column, so that it can be inverted."""
    cube = affine.copy()
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    cube[:3, 2] = normal / np.linalg.norm(normal)
    return cube


def sides(affine: Float64Array) -> tuple[str, str]:
    """PatientOrientation: where columns and rows lead to (PS3.3 C.7.6.1.1.1), one letter each."""
    return _letter(affine[:3, 0]), _letter(affine[:3, 1])


def opposite(letter: str) -> str:
    """The other side."""
    return {"L": "R", "R": "L", "P": "A", "A": "P", "H": "F", "F": "H"}[letter]


def _letter(direction: Float64Array) -> str:
    axis = int(np.abs(direction).argmax())
    return ("LPH" if direction[axis] > 0 else "RAF")[axis]


def plane(
    dataset: Dataset,
    affine: Float64Array,
    thickness_mm: float,
    like: Sequence[DSfloat],
) -> None:
    """The Image Plane module of a slice."""
    dataset.PixelSpacing = spacing(affine)
    dataset.SliceThickness = decimal(thickness_mm)
    dataset.ImageOrientationPatient = orientation(affine, like)
    dataset.ImagePositionPatient = position(affine)


def _enlarged(affine: Float64Array, scale: float) -> Float64Array:
    """The affine after enlarging: the first pixel's centre moves towards the corner."""
    bigger = affine.copy()
    bigger[:3, :2] /= scale
    first = 0.5 / scale - 0.5
    bigger[:3, 3] = (affine @ [first, first, 0, 1])[:3]
    return bigger


def spacing(affine: Float64Array) -> list[DSfloat]:
    """PixelSpacing: between rows, between columns, mm."""
    between_columns, between_rows = np.linalg.norm(affine[:3, :2], axis=0)
    return [decimal(between_rows), decimal(between_columns)]


def orientation(affine: Float64Array, like: Sequence[DSfloat] = ()) -> list[DSfloat]:
    """ImageOrientationPatient: unit vectors along a row and along a column.

    Where it is the source's own (``like``), in the source's own digits: OHIF 3.13 overlays a map
    only on an orientation that is equal to the last bit.
    """
    units = (affine[:3, :2] / np.linalg.norm(affine[:3, :2], axis=0)).T.ravel()
    if len(like) == 6 and np.allclose(np.array(like, np.float64), units, atol=1e-4):
        return list(like)
    return [decimal(x) for x in units]


def position(affine: Float64Array) -> list[DSfloat]:
    """ImagePositionPatient: the first pixel's centre, mm."""
    return [decimal(x) for x in affine[:3, 3]]


def height(affine: Float64Array) -> DSfloat:
    """SliceLocation: where a plane lies along its normal, mm (PS3.3 C.7.6.2.1.2)."""
    return decimal(float(_cube(affine)[:3, 2] @ affine[:3, 3]))


def decimal(value: float) -> DSfloat:
    """A DS: at most 16 characters (PS3.5 6.2)."""
    return DSfloat(round(float(value), 10) + 0.0, auto_format=True)
