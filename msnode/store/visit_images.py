"""What is kept of a visit, as people look at it: read without what outlines and compares.

`lesions.kept` writes it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msnode.records.images import Float64Array
from msnode.records.lesions import Comparison, Lesion
from msnode.store.files import decode

FOLDER, ARRAYS, RECORD = "visits", "visit.npz", "visit.json"


@dataclass(frozen=True, slots=True)
class VisitRecord:
    """What `lesions.kept.Kept` says of a visit, as far as it is shown."""

    study_date: str
    affine: Float64Array
    scale: float
    lesions: tuple[Lesion, ...]
    comparison: Comparison = Comparison("no_prior")  # noqa: RUF009 - frozen
    prior_scale: float | None = None


@dataclass(frozen=True, slots=True)
class VisitImages:
    """A scan, what was outlined in it, and the earlier scan on its grid.

    The third axis runs along the frames of the series: frame ``k`` shows ``flair[:, :, k].T``.

    Attributes:
        flair: (columns, rows, slices) uint16.
        numbers: (columns, rows, slices) uint16, of the lesions; 0 elsewhere.
        changes: (columns, rows, slices) uint8, as `records.lesions.LesionMaps`; None where nothing
            was compared, and in visits of older versions.
        prior: (columns, rows, slices) uint16, the earlier scan; None likewise.
        prior_numbers: (columns, rows, slices) uint16, of its lesions; None likewise.
    """

    flair: NDArray[np.uint16]
    numbers: NDArray[np.uint16]
    changes: NDArray[np.uint8] | None = None
    prior: NDArray[np.uint16] | None = None
    prior_numbers: NDArray[np.uint16] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all of it."""
        arrays = (self.flair, self.numbers, self.changes, self.prior, self.prior_numbers)
        return sum(one.nbytes for one in arrays if one is not None)


def visit_folder(data: Path, study_key: str, generation: int) -> Path:
    """Where the visit of one generation of a study lies."""
    return data / FOLDER / study_key / str(generation)


def visit_record(folder: Path) -> VisitRecord | None:
    """What is known of a visit; None where none is kept there."""
    path = folder / RECORD
    return decode(path.read_bytes(), VisitRecord) if path.exists() else None


def visit_images(folder: Path) -> VisitImages:
    """The images of a visit.

    Raises:
        FileNotFoundError: they have been deleted.
    """
    with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
        names = [name for name in VisitImages.__dataclass_fields__ if name in arrays]
        return VisitImages(**{name: arrays[name] for name in names})
