"""How well outlines agree with those that a person drew: by voxel, by lesion, by volume."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from msnode.learn.evaluate.figures_of_merit import Figure, interval, resampled
from msnode.lesions.lesion_bundle import Rating
from msnode.lesions.objects import CONNECTED, LEAST_PROBABLE, means
from msnode.records.images import Float32Array

DRAWS = 2000
MEANS = (
    "dice", "f1", "recall", "precision", "false", "ventricles", "stripped", "healed_ml", "naive",
)  # fmt: skip
"""Attributes of `Agreement` whose mean over persons is a figure."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rated:
    """A found lesion.

    Attributes:
        probability: mean of its voxels, as the network gives it.
        voxels: of it.
        shared: of them, those that a person drew as well.
        drawn: numbers of the drawn lesions that it touches.
    """

    probability: float
    voxels: int
    shared: int
    drawn: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """A test person: what was drawn, and every lesion that was found.

    Attributes:
        person: who.
        voxel_mm3: of the scan.
        lesions: drawn ones.
        voxels: of them.
        scan: found lesions.
        stripped: those without the skull; None where the brain is not known.
        healed: those in the same scan with its lesions filled in.
        ventricles: Dice of the ventricles; None where nobody drew them.
        naive: Dice of a threshold on the brightness.
    """

    person: str
    voxel_mm3: float
    lesions: int
    voxels: int
    scan: tuple[Rated, ...]
    stripped: tuple[Rated, ...] | None
    healed: tuple[Rated, ...]
    ventricles: float | None
    naive: float

    def agreement(self, rating: Rating) -> "Agreement":
        """What is left when only lesions that are more probable than not are counted."""
        scan, healed = _kept(self.scan, rating), _kept(self.healed, rating)
        ml = self.voxel_mm3 / 1000
        false = sum(not one.drawn for one in scan)
        touched = {n for one in scan for n in one.drawn}
        bare = self.stripped
        return Agreement(
            self.person,
            dice=self._dice(scan),
            recall=len(touched) / self.lesions if self.lesions else 1.0,
            precision=1 - false / len(scan) if scan else 1.0,
            false=false,
            ml=self.voxels * ml,
            found_ml=_voxels(scan) * ml,
            ventricles=self.ventricles,
            stripped=None if bare is None else self._dice(_kept(bare, rating)),
            naive=self.naive,
            healed_ml=_voxels(healed) * ml,
        )

    def _dice(self, found: Sequence[Rated]) -> float:
        """By voxel."""
        total = self.voxels + _voxels(found)
        return 2 * sum(one.shared for one in found) / total if total else 1.0


def _voxels(found: Sequence[Rated]) -> int:
    return sum(one.voxels for one in found)


def _kept(found: Sequence[Rated], rating: Rating) -> list[Rated]:
    """The lesions that the node would keep."""
    rated = rating(np.array([one.probability for one in found], np.float64))
    return [one for one, p in zip(found, rated.tolist(), strict=True) if p >= LEAST_PROBABLE]


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
    """

    person: str
    dice: float
    recall: float
    precision: float
    false: int
    ml: float
    found_ml: float
    ventricles: float | None
    stripped: float | None
    naive: float
    healed_ml: float

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        both = self.recall + self.precision
        return 2 * self.recall * self.precision / both if both else 0.0


def dice(one: Mask, other: Mask) -> float:
    """Dice's coefficient; 1 where both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def rated(probability: Float32Array, found: Mask, drawn: Mask) -> tuple[Rated, ...]:
    """Every found lesion beside the drawn ones, (x, y, z) on one grid."""
    numbers, count = ndimage.label(found, CONNECTED)
    theirs, _ = ndimage.label(drawn, CONNECTED)
    mean, voxels = means(probability, numbers, count), np.bincount(numbers.ravel())
    both = (numbers > 0) & (theirs > 0)
    shared = np.bincount(numbers[both], minlength=count + 1)
    pairs = np.unique(np.stack([numbers[both], theirs[both]]), axis=1)
    touched = [tuple(pairs[1, pairs[0] == n].tolist()) for n in range(count + 1)]
    return tuple(
        Rated(float(mean[n - 1]), int(voxels[n]), int(shared[n]), touched[n])
        for n in range(1, count + 1)
    )


def figures(rows: Sequence[Agreement]) -> dict[str, Figure]:
    """Means over persons, with 95 % intervals by bootstrap over them."""
    found = {name: _mean([getattr(row, name) for row in rows]) for name in MEANS}
    ml = np.array([row.ml for row in rows])
    ours = np.array([row.found_ml for row in rows])
    return found | {"volume_spearman": _spearman(ml, ours), "volume_bias": _bias(ml, ours)}


def over_persons(count: int, of: Callable[[NDArray[np.int64]], float]) -> Figure:
    """A figure of rows that are a person each, with its interval by bootstrap over them.

    Args:
        count: persons.
        of: the figure of some rows, of which some may stand twice; nan where it has none.
    """
    draws = resampled([str(n) for n in range(count)], DRAWS, 0)
    return Figure(of(np.arange(count)), *interval([of(rows) for rows in draws]))


def _mean(values: Sequence[float | None]) -> Figure:
    """Of the values that there are."""
    known = np.array([v for v in values if v is not None], np.float64)
    if not len(known):
        return Figure(np.nan, np.nan, np.nan)
    return over_persons(len(known), lambda rows: float(known[rows].mean()))


def _spearman(ml: NDArray[np.float64], ours: NDArray[np.float64]) -> Figure:
    """Rank correlation of the volumes."""
    if len(ml) < 3 or not np.ptp(ml) or not np.ptp(ours):  # no ranks
        return Figure(np.nan, np.nan, np.nan)

    def of(rows: NDArray[np.int64]) -> float:
        enough = len(np.unique(ml[rows])) > 2 and np.ptp(ours[rows]) > 0
        return float(stats.spearmanr(ml[rows], ours[rows])[0]) if enough else np.nan

    whole = float(stats.spearmanr(ml, ours)[0])
    return replace(over_persons(len(ml), of), value=whole)


def _bias(ml: NDArray[np.float64], ours: NDArray[np.float64]) -> Figure:
    """Volume found too much (or too little, negative), as a part of what was drawn."""

    def of(rows: NDArray[np.int64]) -> float:
        return float(ours[rows].sum() / max(ml[rows].sum(), 1e-6) - 1)

    return over_persons(len(ml), of)
