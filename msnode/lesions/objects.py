"""From a label map to lesions: connected, measured, placed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import pdist

from msnode.lesions import atlas
from msnode.lesions.brain import Head, below_surface
from msnode.lesions.lesion_bundle import Rating
from msnode.lesions.oddities import oddities
from msnode.lesions.outline import LESION, RIM, VENTRICLE, Outlines
from msnode.lesions.pattern import pattern
from msnode.records.distances import away
from msnode.records.images import Float32Array
from msnode.records.lesions import REGIONS, Laterality, Lesion, LesionPattern, Region
from msnode.records.ras_volume import RasVolume
from msnode.records.sentences import Sentence

LEAST_MM = 3.0
"""Shorter ones are none (MAGNIMS, Filippi et al., Brain 2019: at least 3 mm in the long axis)."""
LEAST_PROBABLE = 0.5
"""What is rated lower is more probably none than one that a person would draw."""
TOUCHING_MM = 3.0
"""What is nearer to a ventricle or to the cortex touches it; slices are too thick for voxels."""
ENOUGH: dict[Region, float] = {
    "periventricular": 0.05,
    "infratentorial": 0.5,
    "juxtacortical": 0.3,
}
"""Part of a lesion from which it is of a region, asked in this order. To touch a ventricle is
enough, as the ventricles are the volume's own; the cortex is an atlas's, some millimetres off."""
MIDLINE_MM = 2.0
"""The atlas's midline may be so far off; what is nearer to it is on neither side."""
ONE_SIDED = 0.8
"""Part of what lies on either side that must lie on one for the lesion to be said to be there."""
CONNECTED = np.ones((3, 3, 3))
"""What touches at a corner is one lesion (26 neighbours)."""


@dataclass(frozen=True, slots=True)
class Found:
    """The lesions of a volume.

    Attributes:
        labels: (x, y, z) uint8, 0 rest, 1 lesion, 2 ventricle, 3 normal rim.
        numbers: (x, y, z) uint16, the number of the lesion that a voxel is of; 0 elsewhere.
        probability: (x, y, z) float32 in [0, 1], of a lesion.
        lesions: the largest first.
        fit: how the atlas lies in the volume; None in visits that older versions kept.
        doubts: what in the scan itself speaks against the outlines.
        pattern: of all lesions; None where the atlas does not fit, and in kept visits.
    """

    labels: NDArray[np.uint8]
    numbers: NDArray[np.uint16]
    probability: Float32Array
    lesions: tuple[Lesion, ...]
    fit: atlas.Fit | None = None
    doubts: tuple[Sentence, ...] = ()
    pattern: LesionPattern | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """What was outlined in a scan and is long, deep and probable enough.

    Attributes:
        scan: on the patient's axes; so are the maps.
        labels: (x, y, z) uint8, see `Found`.
        numbers: (x, y, z) a number from 1 for each lesion, 0 elsewhere.
        rated: (lesions,) how probably each is one.
        probability: (x, y, z) float32 in [0, 1], of a lesion.
    """

    scan: Head
    labels: NDArray[np.uint8]
    numbers: NDArray[np.intp]
    rated: NDArray[np.float64]
    probability: Float32Array


def mark(scan: Head, outlines: Outlines, rating: Rating) -> Marks:
    """Keep of what was outlined what is long and deep enough, and more probably a lesion than not.

    Args:
        scan: that was outlined.
        outlines: of it.
        rating: of what the network found.
    """
    long = without_short(outlines.labels == LESION, scan.volume)
    found, count = ndimage.label(long, CONNECTED)
    rated = rating(means(outlines.probability, found, count))
    deep = np.isin(np.arange(count) + 1, found[below_surface(scan.brain, scan.volume)])
    kept = deep & (rated >= LEAST_PROBABLE)
    numbers = np.append(0, np.where(kept, np.cumsum(kept), 0))[found]
    labels = np.where(outlines.labels == LESION, 0, outlines.labels).astype(np.uint8)
    labels[numbers > 0] = LESION
    return Marks(scan, labels, numbers, rated[kept], outlines.probability)


def measured(marks: Marks) -> Found:
    """The lesions of a scan, measured and placed."""
    volume, found, count = marks.scan.volume, marks.numbers, len(marks.rated)
    areas = ndimage.find_objects(found)
    fit = fitted(volume, marks.labels, marks.scan.brain)
    where = place(volume, marks.labels, fit) if count else np.zeros_like(marks.labels)
    lesions = [
        _measured(n, found, areas[n - 1], where, volume, fit, probability)
        for n, probability in enumerate(marks.rated.tolist(), 1)
    ]
    # ties are broken by place, so that the order never depends on the scan order of a file
    lesions.sort(key=lambda one: (-one.mm3, one.centroid))
    numbers = np.zeros(count + 1, np.uint16)
    for number, one in enumerate(lesions, 1):
        numbers[one.number] = number
    numbered = tuple(replace(one, number=number) for number, one in enumerate(lesions, 1))
    doubts = tuple(oddities(marks.scan, fit))
    seen = pattern(marks.labels == LESION, count, volume, fit)
    return Found(marks.labels, numbers[found], marks.probability, numbered, fit, doubts, seen)


def means(
    probability: Float32Array, found: NDArray[np.signedinteger[Any]], count: int
) -> NDArray[np.float64]:
    """(count,) mean probability of each lesion."""
    sums = np.bincount(found.ravel(), probability.ravel(), count + 1)[1:]
    voxels = np.bincount(found.ravel(), minlength=count + 1)[1:]
    mean: NDArray[np.float64] = sums / voxels
    return mean


def without_short(lesion: NDArray[np.bool_], volume: RasVolume) -> NDArray[np.bool_]:
    """A mask without what is shorter than `LEAST_MM` in every slice.

    Args:
        lesion: (x, y, z) bool on the volume's grid.
        volume: that was outlined.
    """
    found, count = ndimage.label(lesion, CONNECTED)
    areas = ndimage.find_objects(found)
    kept = [n for n in range(1, count + 1) if _diameter(found, areas[n - 1], n, volume) >= LEAST_MM]
    return np.asarray(np.isin(found, kept), np.bool_)


def fitted(
    volume: RasVolume, labels: NDArray[np.uint8], brain: NDArray[np.bool_] | None = None
) -> atlas.Fit:
    """How the atlas lies in a volume whose ventricles are labelled; see `atlas.fit`."""
    return atlas.fit(volume, _centre(volume, labels == VENTRICLE), brain)


def place(volume: RasVolume, labels: NDArray[np.uint8], fit: atlas.Fit) -> NDArray[np.uint8]:
    """(x, y, z) uint8: 1 + the index in `REGIONS` of every voxel.

    The normal rim belongs to the ventricle: what touches it is periventricular.
    """
    ventricles = np.isin(labels, (VENTRICLE, RIM))
    parts, mm = atlas.place(volume, fit.matrix), volume.spacing_mm
    lateral = ventricles & (parts != atlas.INFRATENTORIAL)
    near: dict[Region, NDArray[np.bool_]]
    if not fit.holds:  # where the atlas is elsewhere, only the ventricles are known
        near = {"unknown": np.ones_like(ventricles), "periventricular": _near(ventricles, mm)}
    else:
        near = {
            "deep_white": np.ones_like(ventricles),
            "juxtacortical": _near(parts == atlas.CORTEX, mm),
            "infratentorial": parts == atlas.INFRATENTORIAL,
            "periventricular": _near(lateral, mm),
        }
    where = np.zeros(volume.voxels.shape, np.uint8)
    for region, there in near.items():  # the later ones over the earlier
        where[there] = 1 + REGIONS.index(region)
    return where


def _near(where: NDArray[np.bool_], spacing: NDArray[np.float64]) -> NDArray[np.bool_]:
    """What lies within `TOUCHING_MM` in the plane of a slice, or right above or below."""
    near = where.copy()
    near[..., 1:] |= where[..., :-1]
    near[..., :-1] |= where[..., 1:]
    for z in np.flatnonzero(where.any(axis=(0, 1))):
        near[..., z] |= away(where[..., z], TOUCHING_MM, spacing[:2]) <= TOUCHING_MM
    return near


def _centre(volume: RasVolume, ventricles: NDArray[np.bool_]) -> NDArray[np.float64]:
    """RAS mm of the ventricles' centre; of the whole volume's, where none was found."""
    places = np.argwhere(ventricles)
    middle = places.mean(axis=0) if len(places) else np.array(volume.voxels.shape) / 2
    centre: NDArray[np.float64] = (volume.affine @ [*middle, 1])[:3]
    return centre


def _diameter(
    found: NDArray[np.signedinteger[Any]], area: tuple[slice, ...], number: int, volume: RasVolume
) -> float:
    """Longest extent within a slice in mm, from the outer edge of a pixel to that of another."""
    mm = volume.spacing_mm[:2]
    return max(_extent(plane, mm) for plane in np.moveaxis(found[area] == number, 2, 0))


def _extent(plane: NDArray[np.bool_], mm: NDArray[np.float64]) -> float:
    """Longest distance in one plane, a pixel's width included."""
    edge = plane & ~ndimage.binary_erosion(plane)
    points = np.argwhere(edge) * mm
    if not len(points):
        return 0.0
    width = float(mm.mean())
    return (float(pdist(points).max()) if len(points) > 1 else 0.0) + width


def _measured(
    number: int,
    found: NDArray[np.signedinteger[Any]],
    area: tuple[slice, ...],
    where: NDArray[np.uint8],
    volume: RasVolume,
    fit: atlas.Fit,
    probability: float,
) -> Lesion:
    """One lesion, numbered later."""
    mine = found[area] == number
    corner = np.array([s.start for s in area])
    places = np.argwhere(mine) + corner
    x, y, z = (volume.affine @ [*places.mean(axis=0), 1])[:3].round(3).tolist()
    parts = dict(_parts(where[area][mine], volume.voxel_mm3))
    return Lesion(
        number=number,
        region=_region(parts),
        mm3=float(mine.sum() * volume.voxel_mm3),
        diameter_mm=_diameter(found, area, number, volume),
        slices=tuple(np.unique(places[:, 2]).tolist()),
        centroid=(x, y, z),
        probability=probability,
        parts=parts,
        laterality=_laterality(places, volume, fit),
    )


def _laterality(places: NDArray[np.intp], volume: RasVolume, fit: atlas.Fit) -> Laterality:
    """On which side of the atlas's midline most of a lesion's voxels (n, 3) lie."""
    if not fit.holds:
        return "unknown"
    row = (fit.matrix @ volume.affine)[0]
    # sums and products without BLAS: they are the same on any number of threads
    x = (places * row[:3]).sum(axis=1) + row[3]
    left, right = float(np.mean(x < -MIDLINE_MM)), float(np.mean(x > MIDLINE_MM))
    if left + right < 0.5:
        return "midline"
    if max(left, right) < ONE_SIDED * (left + right):
        return "both"
    return "left" if left > right else "right"


def _region(parts: dict[Region, float]) -> Region:
    """The first region that enough of a lesion touches, as a reader would place it."""
    total = sum(parts.values())
    for region, share in ENOUGH.items():
        if parts.get(region, 0.0) >= share * total:
            return region
    return "unknown" if "unknown" in parts else "deep_white"


def _parts(regions: NDArray[np.uint8], voxel_mm3: float) -> Iterator[tuple[Region, float]]:
    """mm3 by region, of those in which there is any."""
    for number, region in enumerate(REGIONS, 1):
        if count := int((regions == number).sum()):
            yield region, count * voxel_mm3
