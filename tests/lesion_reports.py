"""Reports with lesions for tests: outlined in a sample scan, or painted into a synthetic head.

What became of a lesion is invented: no earlier scan of these persons is in the package.
"""

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.uid import ComprehensiveSRStorage
from scipy import ndimage

from msnode import lesions, prepare
from msnode.lesions.find import find
from msnode.records.images import Float32Array, Float64Array, InputContract
from msnode.records.lesions import (
    CHANGES,
    Change,
    Comparison,
    Grade,
    Lesion,
    LesionChange,
    LesionFinding,
    LesionMaps,
    LesionModel,
)
from msnode.records.results import DocumentReference, Prior, Priority, Report
from msnode.records.sentences import Sentence
from msnode.report.uids import uid
from msnode.sample import KnownStudy
from tests import reports

MODEL = LesionModel("lesions", "0.1.0", "1e51045" * 9 + "f", 0.7375, "14 persons", "Research only.")
PRIOR_DATE = date(2023, 1, 15)
INVENTED: dict[int, Change] = {1: "new", 2: "new", 3: "enlarging"}
GONE = 5
"""In change maps."""
GRADES = (Grade(3.0, 5.0, 7, 10), Grade(5.0, 10.0, 9, 10))
ACTIVE = Priority(is_urgent=True, why="2 new lesions")
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def scanned(folder: Path, study: KnownStudy) -> Report:
    """A sample study with the lesions that the shipped network outlines in it."""
    ready = prepare.prepare(study.write(folder), InputContract(("FLAIR",), 224, 224))
    return outlined(
        reports.analysed(study.identity.study_uid, ready.paths, ready.series, ready.slices)
    )


def outlined(made: Report) -> Report:
    """With the lesions that the shipped network outlines."""
    flair, affine = volume(made)
    found = find(flair, affine, _bundle())
    maps = LesionMaps(flair, found.labels, found.numbers)
    return replace(made, lesions=LesionFinding(MODEL, found.lesions, grades=GRADES), maps=maps)


@cache
def _bundle() -> lesions.Bundle:
    return lesions.load(lesions.SHIPPED)


def volume(made: Report) -> tuple[Float32Array, Float64Array]:
    """(columns, rows, slices) of the series that was used, and its affine to RAS mm."""
    assert made.slices is not None
    frames = made.slices.frames
    files = {str(pydicom.dcmread(path).SOPInstanceUID): path for path in made.evidence}
    planes = [pydicom.dcmread(files[frame.sop_instance_uid]).pixel_array.T for frame in frames]
    affine = frames[0].affine.copy()
    first, last = (frames[k].affine[:3, 3] for k in (0, -1))
    affine[:3, 2] = (last - first) / (len(frames) - 1)
    return np.stack(planes, axis=2).astype(np.float32), LPS_TO_RAS @ affine


def painted(made: Report) -> Report:
    """A synthetic head's bright spots as lesions, without a network."""
    flair, affine = volume(made)
    mask = ndimage.binary_opening(flair > 3200, np.ones((2, 2, 1), bool))
    found_numbers, count = ndimage.label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(found_numbers.ravel(), minlength=count + 1)
    order = sorted(range(1, count + 1), key=lambda one: (-sizes[one], one))
    table = np.zeros(count + 1, np.uint16)
    table[order] = np.arange(1, count + 1)
    numbers = table[found_numbers]
    found = tuple(_lesion(number, numbers, affine) for number in range(1, count + 1))
    maps = LesionMaps(flair, mask.astype(np.uint8), numbers)
    return replace(made, lesions=LesionFinding(MODEL, found, grades=GRADES), maps=maps)


def _lesion(number: int, numbers: NDArray[np.uint16], affine: Float64Array) -> Lesion:
    places = np.argwhere(numbers == number)
    x, y, z = (affine @ [*places.mean(axis=0), 1])[:3].round(3).tolist()
    region = (("periventricular", "juxtacortical", "deep_white", "infratentorial"))[number % 4]
    mm3 = len(places) * abs(float(np.linalg.det(affine[:3, :3])))
    return Lesion(
        number=number,
        region=region,  # type: ignore[arg-type]
        mm3=mm3,
        diameter_mm=float(np.ptp(places[:, :2], axis=0).max() + 1),
        slices=tuple(np.unique(places[:, 2]).tolist()),
        centroid=(x, y, z),
        probability=0.9,
        parts={region: mm3},  # type: ignore[dict-item]
        laterality="right" if x > 0 else "left",
    )


def compared(made: Report, invented: dict[int, Change] | None = None) -> Report:
    """With an invented earlier scan: its lesions and its picture, one of them gone since."""
    assert made.lesions is not None
    assert made.maps is not None
    wanted = INVENTED if invented is None else invented
    changes = [_changed(one, wanted.get(one.number, "unchanged")) for one in made.lesions.lesions]
    identified = tuple(
        replace(one, identity=change.identity)
        for one, change in zip(made.lesions.lesions, changes, strict=True)
    )
    changes.append(
        LesionChange(0, "gone", 64.0, 0.0, "deep_white", (20.0, 5.0, 30.0), "old/9", "right")
    )
    before = sum(change.mm3_before or 0 for change in changes) / 1000
    comparison = Comparison(
        "compared", None, PRIOR_DATE, 365, tuple(changes), before, made.lesions.ml, 0.3, 0.93, 0.4,
        (Sentence("outside_field", value=3.0, known=Sentence("exactly", low=1.5)),),
    )  # fmt: skip
    found = replace(made.lesions, lesions=identified, comparison=comparison)
    priors = (
        _prior(date(2021, 6, 1), before * 0.85),
        _prior(PRIOR_DATE, before),
    )
    maps = _changed_maps(made.maps, {change.number: change.change for change in changes[:-1]})
    return replace(made, lesions=found, maps=maps, priors=priors, priority=ACTIVE)


def _changed(lesion: Lesion, change: Change) -> LesionChange:
    before = lesion.mm3 * {"new": 0.0, "enlarging": 0.6, "shrinking": 1.5}.get(change, 1.0)
    identity = f"now/{lesion.number}" if change == "new" else f"old/{lesion.number}"
    return LesionChange(
        lesion.number, change, before, lesion.mm3, lesion.region, lesion.centroid, identity,
        lesion.laterality,
    )  # fmt: skip


def _changed_maps(maps: LesionMaps, changes: dict[int, Change]) -> LesionMaps:
    """The earlier scan: new lesions painted over, one that is gone painted in."""
    table = np.zeros(int(maps.numbers.max()) + 1, np.uint8)
    for number, change in changes.items():
        table[number] = 1 + CHANGES.index(change)
    marked = table[maps.numbers]
    tissue = (maps.labels == 0) & (maps.flair > np.percentile(maps.flair, 60))
    prior = ndimage.gaussian_filter(maps.flair, (0.6, 0.6, 0))
    new = ndimage.binary_dilation(marked == 1 + CHANGES.index("new"), iterations=2)
    around = (~new & tissue).astype(np.float32)
    sums = [ndimage.gaussian_filter(one, (5, 5, 0)) for one in (maps.flair * around, around)]
    prior[new] = (sums[0] / np.maximum(sums[1], 1e-3))[new]
    core = ndimage.binary_dilation(ndimage.binary_erosion(tissue, iterations=2) & (marked == 0))
    k = int(np.flatnonzero((maps.numbers > 0).any(axis=(0, 1))).mean())
    column, row = np.argwhere(ndimage.binary_erosion(core[:, :, k], iterations=4))[40]
    gone = np.zeros_like(marked, bool)
    gone[column - 2 : column + 3, row - 2 : row + 3, k] = True
    prior[gone] = float(np.percentile(maps.flair[maps.numbers > 0], 60))
    marked[gone & (marked == 0)] = GONE
    return replace(maps, changes=marked, prior=prior.astype(np.float32))


def _prior(day: date, ml: float) -> Prior:
    regions = (("periventricular", 0.75 * ml), ("deep_white", 0.25 * ml), ("unknown", 0.0))
    study, series, document = (uid("earlier", day, what) for what in ("study", "series", "sr"))
    reference = DocumentReference(study, series, ComprehensiveSRStorage, document)
    return Prior(
        day, "present", 0.9, 0.5, "hybrid 1.0.0", reports.MODEL.digest, 20, ml, MODEL.digest,
        regions, (reference,),  # type: ignore[arg-type]
    )  # fmt: skip
