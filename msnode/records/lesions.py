"""Lesions of the white matter as objects: how large, where, on which images."""

from dataclasses import dataclass
from typing import Literal

Region = Literal[
    "periventricular", "juxtacortical", "infratentorial", "deep_white", "unknown"
]  # fmt: skip
REGIONS: tuple[Region, ...] = (
    "periventricular", "juxtacortical", "infratentorial", "deep_white", "unknown",
)  # fmt: skip
"""Of the McDonald criteria (Thompson et al., Lancet Neurol 2018), what lies in none of them, and
what could not be placed."""


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
        probability: mean of its voxels, in [0, 1].
        parts: mm3 by region; a confluent lesion may lie in several.
    """

    number: int
    region: Region
    mm3: float
    diameter_mm: float
    slices: tuple[int, ...]
    centroid: tuple[float, float, float]
    probability: float
    parts: dict[Region, float]
