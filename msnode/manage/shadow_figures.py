"""How two readers of the same studies compare: agreement, differences, both against the truth.

Intervals are 95 %. Studies of one patient are not independent, so the bootstrap draws patients.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy  # which loads scipy.stats when it is asked for: a tenth of a node's start
from numpy.typing import NDArray

from msnode.records.images import Float64Array

OUTCOMES = ("present", "absent", "undetermined", "not_analysed")
DRAWS = 1000
FEW = 2
"""Studies; of fewer, agreement beyond chance says nothing."""
BINS = 10
"""Of the expected calibration error; of equal width."""
LIMITS = 1.96
"""Standard deviations: limits of agreement (Bland and Altman 1986)."""

Bools = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Measured:
    """A value with its 95 % interval; None where the studies do not define it."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Differences:
    """Probability of the shadow less that in force.

    Attributes:
        studies: with both.
        mean: None where there is none.
        low: lower limit of agreement; None where there are less than two.
        high: upper limit.
    """

    studies: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One reader against the truth.

    Attributes:
        sensitivity: part of the studies with MS that were present.
        specificity: part of those without that were absent.
        ece: expected calibration error.
        brier: mean squared difference of probability and truth.
    """

    sensitivity: Measured
    specificity: Measured
    ece: Measured
    brier: Measured


def agreement(ours: Sequence[str], theirs: Sequence[str]) -> Measured:
    """Part of the studies with the same outcome; interval of Wilson (1927)."""
    if not ours:
        return Measured(None)
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    found = scipy.stats.binomtest(same, len(ours)).proportion_ci(method="wilson")
    return Measured(same / len(ours), float(found.low), float(found.high))


def kappa(ours: Sequence[str], theirs: Sequence[str], patients: Sequence[str]) -> Measured:
    """Cohen's kappa (1960); undefined where both always say the same one thing."""
    if len(ours) < FEW:
        return Measured(None)
    a, b = (np.array([OUTCOMES.index(one) for one in side]) for side in (ours, theirs))

    def of(rows: Rows) -> float:
        table = np.zeros((len(OUTCOMES), len(OUTCOMES)))
        np.add.at(table, (a[rows], b[rows]), 1 / max(len(rows), 1))
        chance = float(table.sum(0) @ table.sum(1))
        return (float(table.trace()) - chance) / (1 - chance) if chance < 1 - 1e-12 else np.nan

    return _measured(of, patients)


def differences(ours: Float64Array, theirs: Float64Array) -> Differences:
    """Bland and Altman's mean and limits.

    Args:
        ours: (n,) probabilities of the shadow.
        theirs: (n,) in force.
    """
    apart = ours - theirs
    if len(apart) < 2:
        return Differences(len(apart), float(apart[0]) if len(apart) else None)
    mean, spread = float(apart.mean()), LIMITS * float(apart.std(ddof=1))
    return Differences(len(apart), mean, mean - spread, mean + spread)


def accuracy(
    truth: Bools, outcomes: Sequence[str], probabilities: Float64Array, patients: Sequence[str]
) -> Accuracy:
    """A reader against the truth; whoever decides nothing has found nothing.

    Args:
        truth: (n,) whether it is MS.
        outcomes: of `OUTCOMES`.
        probabilities: (n,) in [0, 1].
        patients: whose study each is.
    """
    called, cleared = (np.array([o == name for o in outcomes]) for name in OUTCOMES[:2])
    return Accuracy(
        _measured(lambda rows: _part(called[rows], truth[rows]), patients),
        _measured(lambda rows: _part(cleared[rows], ~truth[rows]), patients),
        _measured(lambda rows: _calibration_error(probabilities[rows], truth[rows]), patients),
        _measured(lambda rows: float(np.mean((probabilities[rows] - truth[rows]) ** 2)), patients),
    )


def _part(hits: Bools, of: Bools) -> float:
    return float(hits[of].mean()) if of.any() else np.nan


def _calibration_error(probabilities: Float64Array, truth: Bools) -> float:
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, probabilities - truth, minlength=BINS)
    return float(np.abs(gaps).sum() / len(truth))


def _measured(function: Callable[[Rows], float], patients: Sequence[str]) -> Measured:
    """A function of studies, with its bootstrap interval over patients."""
    if not patients:
        return Measured(None)
    value = function(np.arange(len(patients)))
    if np.isnan(value):
        return Measured(None)
    drawn = np.array([function(rows) for rows in _draws(patients)])
    low, high = np.quantile(drawn[~np.isnan(drawn)], (0.025, 0.975))
    return Measured(value, float(low), float(high))


def _draws(patients: Sequence[str]) -> list[Rows]:
    """Studies of patients who are drawn with replacement; always the same draws."""
    return _drawn(tuple(patients))


@lru_cache(maxsize=4)
def _drawn(patients: tuple[str, ...]) -> list[Rows]:
    names, inverse = np.unique(np.asarray(patients), return_inverse=True)
    picks = np.random.default_rng(0).integers(len(names), size=(DRAWS, len(names)))
    if len(names) == len(patients):
        return list(np.argsort(inverse)[picks])
    rows = [np.flatnonzero(inverse == k) for k in range(len(names))]
    return [np.concatenate([rows[k] for k in pick]) for pick in picks]
