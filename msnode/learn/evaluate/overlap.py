"""How well outlines agree with those that a person drew: by voxel, by lesion, by volume."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from msnode.learn.evaluate.figures_of_merit import Figure, interval, resampled
from msnode.lesions.objects import CONNECTED
from msnode.records.images import Float32Array

DRAWS = 2000
MEANS = (
    "dice", "f1", "recall", "precision", "false", "ventricles", "stripped", "healed_ml", "naive",
)  # fmt: skip
"""Attributes of `Agreement` whose mean over persons is a figure."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one volume.

    Attributes:
        person: whose it is.
        dice: of the lesions, by voxel.
        recall: part of the drawn lesions that were found: any overlap, 26 neighbours.
        precision: part of the found lesions that overlap a drawn one.
        false: found lesions that overlap none.
        ml: volume of the drawn lesions.
        found_ml: of the found ones.
        ventricles: Dice of the ventricles; None where nobody drew them.
        stripped: Dice of the lesions without the skull; None where the brain is not known.
        naive: Dice of a threshold on the brightness.
        healed_ml: what was found in the same scan with its lesions filled in.
        rated: of every found lesion its mean probability, and whether it overlaps a drawn one.
    """

    person: str
    dice: float
    recall: float
    precision: float
    false: int
    ml: float
    found_ml: float
    ventricles: float | None = None
    stripped: float | None = None
    naive: float | None = None
    healed_ml: float | None = None
    rated: tuple[tuple[float, bool], ...] = ()

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        both = self.recall + self.precision
        return 2 * self.recall * self.precision / both if both else 0.0


def dice(one: Mask, other: Mask) -> float:
    """Dice's coefficient; 1 where both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def agreement(person: str, drawn: Mask, found: Mask, voxel_mm3: float) -> Agreement:
    """Compare what was found with what a person drew, on one grid."""
    recall, _ = _touched(drawn, found)
    precision, false = _touched(found, drawn)
    ml, found_ml = (float(mask.sum()) * voxel_mm3 / 1000 for mask in (drawn, found))
    return Agreement(person, dice(drawn, found), recall, precision, false, ml, found_ml)


def rated(probability: Float32Array, found: Mask, drawn: Mask) -> tuple[tuple[float, bool], ...]:
    """Mean probability of every found lesion, and whether it overlaps a drawn one."""
    labels, count = ndimage.label(found, CONNECTED)
    means = ndimage.mean(probability, labels, range(1, count + 1))
    true = np.isin(range(1, count + 1), labels[drawn])
    return tuple(zip(np.asarray(means, np.float64).tolist(), true.tolist(), strict=True))


def _touched(these: Mask, others: Mask) -> tuple[float, int]:
    """Part of the lesions that overlap others, and how many do not; 1 where there is none."""
    labels, count = ndimage.label(these, CONNECTED)
    if not count:
        return 1.0, 0
    touched = len(np.setdiff1d(np.unique(labels[others]), 0))
    return touched / count, count - touched


def figures(rows: Sequence[Agreement]) -> dict[str, Figure]:
    """Means over persons, with 95 % intervals by bootstrap over them."""
    names: tuple[str, ...] = (
        "dice",
        "f1",
        "recall",
        "precision",
        "false",
        "ventricles",
        "stripped",
    )
    names += ("healed_ml", "naive")
    found = {name: _mean([getattr(row, name) for row in rows]) for name in names}
    ml = np.array([row.ml for row in rows])
    ours = np.array([row.found_ml for row in rows])
    return found | {"volume_spearman": _spearman(ml, ours), "volume_bias": _bias(ml, ours)}


def _mean(values: Sequence[float | None]) -> Figure:
    """Of the values that there are."""
    known = np.array([v for v in values if v is not None], np.float64)
    if not len(known):
        return Figure(np.nan, np.nan, np.nan)
    draws = resampled([str(n) for n in range(len(known))], DRAWS, 0)
    return Figure(float(known.mean()), *interval([float(known[rows].mean()) for rows in draws]))


def _spearman(ml: NDArray[np.float64], ours: NDArray[np.float64]) -> Figure:
    """Rank correlation of the volumes."""
    if len(ml) < 3:
        return Figure(np.nan, np.nan, np.nan)
    draws = resampled([str(n) for n in range(len(ml))], DRAWS, 0)
    many = [rows for rows in draws if len(np.unique(ml[rows])) > 2 and np.ptp(ours[rows]) > 0]
    values = [float(stats.spearmanr(ml[rows], ours[rows])[0]) for rows in many]
    return Figure(float(stats.spearmanr(ml, ours)[0]), *interval(values))


def _bias(ml: NDArray[np.float64], ours: NDArray[np.float64]) -> Figure:
    """Volume found too much (or too little, negative), as a part of what was drawn."""
    draws = resampled([str(n) for n in range(len(ml))], DRAWS, 0)

    def of(rows: NDArray[np.int64]) -> float:
        return float(ours[rows].sum() / max(ml[rows].sum(), 1e-6) - 1)

    return Figure(of(np.arange(len(ml))), *interval([of(rows) for rows in draws]))
