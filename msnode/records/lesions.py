"""Lesions of the white matter as objects: how large, where, on which images."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from msnode.records.sentences import Sentence, Text

Region = Literal[
    "periventricular", "juxtacortical", "infratentorial", "deep_white", "unknown"
]  # fmt: skip
REGIONS: tuple[Region, ...] = (
    "periventricular", "juxtacortical", "infratentorial", "deep_white", "unknown",
)  # fmt: skip
"""Of the McDonald criteria (Thompson et al., Lancet Neurol 2018), what lies in none of them, and
what could not be placed."""

Laterality = Literal["left", "right", "both", "midline", "unknown"]
"""The patient's side of the brain (as in CID 244); midline: so near to it that neither is sure."""


@dataclass(frozen=True, slots=True)
class Lesion:
    """One connected lesion.

    Attributes:
        number: 1 for the largest.
        region: to which a reader would count it.
        mm3: volume.
        diameter_mm: longest, within one slice.
        slices: of the volume, 0 at the feet, in which it is.
        centroid: RAS mm.
        probability: share of lesions so rated that a person drew as well, in [0, 1].
        parts: mm3 by region; a confluent lesion may lie in several.
        identity: the same from scan to scan: key of the study in which it was first seen, and its
            number there; "" where no study is known.
        laterality: unknown where it could not be placed, and in results of older versions.
    """

    number: int
    region: Region
    mm3: float
    diameter_mm: float
    slices: tuple[int, ...]
    centroid: tuple[float, float, float]
    probability: float
    parts: dict[Region, float]
    identity: str = ""
    laterality: Laterality = "unknown"


Change = Literal["unchanged", "new", "enlarging", "shrinking", "gone"]
CHANGES: tuple[Change, ...] = ("unchanged", "new", "enlarging", "shrinking", "gone")
"""In change maps: 1 unchanged, 2 new, 3 enlarging, 4 shrinking, 5 gone."""


@dataclass(frozen=True, slots=True)
class LesionChange:
    """What became of one lesion since the earlier scan.

    Attributes:
        number: of the lesion in this scan; 0 where it is gone.
        change: what became of it.
        mm3_before: volume at its place in the earlier scan, 0.0 where it is new; None where it was
            there, but too faint to be outlined.
        mm3_now: volume in this scan, 0.0 where it is gone.
        region: of this scan; where it is gone, of the earlier one.
        centroid: RAS mm in this scan's patient coordinates.
        identity: see `Lesion.identity`; of a lesion that is gone, its own then.
        laterality: of this scan; where it is gone, of the earlier one.
    """

    number: int
    change: Change
    mm3_before: float | None
    mm3_now: float
    region: Region
    centroid: tuple[float, float, float]
    identity: str = ""
    laterality: Laterality = "unknown"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed since an earlier scan, or why that cannot be told.

    Attributes:
        status: no_prior: there is no earlier scan; not_compared: there is, but see ``reason``.
        reason: why there is no comparison; None where there is one.
        prior_date: of the earlier study; None where it has none.
        days: from the earlier scan to this one; None where a date is missing.
        changes: a lesion of this scan each, by its number, then those that are gone.
        ml_before: volume of all lesions then, in the part of the head that both scans show.
        ml_now: likewise, in this scan.
        ml_error: what two scans without any change between them differ by, 95 times in 100.
        likeness: correlation of the two brains after registration, in [-1, 1].
        apart_mm: by which the registrations there and back disagree at most.
        differences: of the two scans, which the reader should know.
    """

    status: Literal["compared", "not_compared", "no_prior"]
    reason: Text | None = None
    prior_date: date | None = None
    days: int | None = None
    changes: tuple[LesionChange, ...] = ()
    ml_before: float | None = None
    ml_now: float | None = None
    ml_error: float | None = None
    likeness: float | None = None
    apart_mm: float | None = None
    differences: tuple[Text, ...] = ()

    def count(self, change: Change, region: Region | None = None) -> int:
        """How many lesions changed so, in a region or anywhere."""
        return sum(region in (None, c.region) for c in self.those(change))

    def those(self, change: Change) -> list[LesionChange]:
        """The lesions that changed so."""
        return [one for one in self.changes if one.change == change]

    @property
    def ml_change(self) -> float | None:
        """By which the volume of all lesions grew."""
        if self.ml_before is None or self.ml_now is None:
            return None
        return self.ml_now - self.ml_before


@dataclass(frozen=True, slots=True)
class Grade:
    """How many lesions of one size, put into this very scan, were found again.

    Attributes:
        from_mm: diameter of the smallest of them; likewise ``to_mm`` of the largest.
        found: number of those found.
        put: number of those put in.
    """

    from_mm: float
    to_mm: float
    found: int
    put: int


@dataclass(frozen=True, slots=True)
class LesionPattern:
    """What a study's lesions are like as a whole.

    Attributes:
        count: number of separate lesions.
        place: natural logarithm of how much more often people with MS have lesions at these places
            than elderly people without, as a mean over the lesions' volume; near 0 for little.
    """

    count: int
    place: float


@dataclass(frozen=True, slots=True)
class LesionModel:
    """Which network outlined; the fields mean the same as in `results.ModelInfo`."""

    name: str
    version: str
    digest: str
    threshold: float
    measured_on: str = ""
    notice: str = ""


@dataclass(frozen=True, slots=True)
class LesionFinding:
    """What was outlined in a study.

    Attributes:
        model: that outlined.
        lesions: the largest first.
        reason: why nothing could be outlined; None where it could.
        comparison: with an earlier scan.
        grades: what this scan could have shown, by size; () where that was not tried.
        doubts: what in the scan itself, or in how it was acquired, speaks against the outlines.
        pattern: of all lesions; None where nothing was outlined or nothing can be placed.
    """

    model: LesionModel
    lesions: tuple[Lesion, ...] = ()
    reason: Text | None = None
    comparison: Comparison = Comparison("no_prior")
    grades: tuple[Grade, ...] = ()
    doubts: tuple[Text, ...] = ()
    pattern: LesionPattern | None = None

    @property
    def ml(self) -> float:
        """Volume of all lesions."""
        return sum(one.mm3 for one in self.lesions) / 1000

    @property
    def uncompared(self) -> int:
        """Number of lesions where the earlier scan of a comparison shows nothing to compare."""
        if self.comparison.status != "compared":
            return 0
        compared = {one.number for one in self.comparison.changes}
        return sum(one.number not in compared for one in self.lesions)

    def doubt(self, *codes: str) -> Sentence | None:
        """The first of its doubts that is one of these; None for none."""
        told = (one for one in self.doubts if isinstance(one, Sentence) and one.code in codes)
        return next(told, None)

    def ml_in(self, region: Region) -> float:
        """Volume of what lies in a region; a confluent lesion is divided among several."""
        return sum(one.parts.get(region, 0.0) for one in self.lesions) / 1000

    def count(self, region: Region) -> int:
        """Number of lesions in a region."""
        return sum(one.region == region for one in self.lesions)


@dataclass(frozen=True, slots=True)
class LesionMaps:
    """Voxel by voxel, on the grid of the chosen series.

    The third axis runs along `Slices.frames`: the frame at ``k`` shows ``labels[:, :, k].T``.

    Attributes:
        flair: (columns, rows, slices) float32, the series itself.
        labels: (columns, rows, slices) uint8, 0 rest, 1 lesion, 2 ventricle, 3 normal rim.
        numbers: (columns, rows, slices) uint16, the number of the lesion; 0 elsewhere.
        changes: (columns, rows, slices) uint8, 1 + the index in `CHANGES`; where a lesion is gone,
            its place; None without a comparison.
        prior: (columns, rows, slices) float32, the earlier scan on this grid, as bright as this
            one; None without a comparison.
    """

    flair: NDArray[np.float32]
    labels: NDArray[np.uint8]
    numbers: NDArray[np.uint16]
    changes: NDArray[np.uint8] | None = None
    prior: NDArray[np.float32] | None = None
