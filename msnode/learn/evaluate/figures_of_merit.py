"""Figures of merit with 95 % intervals by bootstrap over persons.

Slices of one person are not independent, so whole persons are drawn, with all their slices.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msnode.learn.data.splits import Labels
from msnode.records.images import Float64Array

BINS = 10
"""Of the expected calibration error."""
ONE_CLASS = "one class only"
"""Why a figure is not defined, where all labels are alike."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; nan where the data do not define it.

    Attributes:
        low: lower end of the 95 % interval over persons.
        high: upper end.
        reason: why the value is not defined, if it is not and the reason is known.
    """

    value: float
    low: float
    high: float
    reason: str = ""

    def __str__(self) -> str:
        if np.isnan(self.value):
            return f"not defined: {self.reason}" if self.reason else "-"
        interval = "" if np.isnan(self.low) else f" ({self.low:.3f}-{self.high:.3f})"
        return f"{self.value:.3f}{interval}"


def accuracy(labels: Labels, scores: Float64Array, threshold: float) -> float:
    """Fraction decided correctly."""
    return _mean((scores >= threshold) == (labels == 1))


def sensitivity(labels: Labels, scores: Float64Array, threshold: float) -> float:
    """Fraction of the positives found; also called recall."""
    return _mean(scores[labels == 1] >= threshold)


def specificity(labels: Labels, scores: Float64Array, threshold: float) -> float:
    """Fraction of the negatives not called."""
    return _mean(scores[labels == 0] < threshold)


def precision(labels: Labels, scores: Float64Array, threshold: float) -> float:
    """Fraction of the calls that are right; with one class only it would say nothing."""
    return _mean(labels[scores >= threshold] == 1) if _two_classes(labels) else float("nan")


def f1(labels: Labels, scores: Float64Array, threshold: float) -> float:
    """Harmonic mean of precision and sensitivity; with one class only it would say nothing."""
    if not _two_classes(labels):
        return float("nan")
    called = scores >= threshold
    both = called.sum() + (labels == 1).sum()
    return float(2 * (called & (labels == 1)).sum() / both) if both else float("nan")


def auc(labels: Labels, scores: Float64Array, threshold: float = 0.5) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative."""
    positives, negatives = scores[labels == 1], np.sort(scores[labels == 0])
    if not len(positives) or not len(negatives):
        return float("nan")
    below = np.searchsorted(negatives, positives, "left")
    upto = np.searchsorted(negatives, positives, "right")
    return float((below + upto).mean() / 2 / len(negatives))


def average_precision(labels: Labels, scores: Float64Array, threshold: float = 0.5) -> float:
    """Area under the precision-recall curve, as a sum over thresholds without interpolation."""
    if not _two_classes(labels):
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order] == 1)
    last = np.append(np.diff(scores[order]) != 0, True)
    gained = np.diff(np.append(0, hits[last]))
    return float((gained * hits[last] / (np.flatnonzero(last) + 1)).sum() / hits[-1])


def brier(labels: Labels, scores: Float64Array, threshold: float = 0.5) -> float:
    """Mean squared difference between the probability and the true label."""
    return _mean((scores - labels) ** 2)


def calibration_error(labels: Labels, scores: Float64Array, threshold: float = 0.5) -> float:
    """Expected calibration error over ten bins of equal width."""
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    gaps = np.bincount(bins, scores - labels, minlength=BINS)
    return float(np.abs(gaps).sum() / counts.sum()) if counts.sum() else float("nan")


MEASURES: dict[str, Callable[[Labels, Float64Array, float], float]] = {
    "accuracy": accuracy,
    "sensitivity": sensitivity,
    "specificity": specificity,
    "precision": precision,
    "f1": f1,
    "auc": auc,
    "average_precision": average_precision,
    "brier": brier,
    "ece": calibration_error,
}


def measure(
    labels: Labels,
    scores: Float64Array,
    persons: Sequence[str],
    threshold: float = 0.5,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Figure]:
    """Every measure with its interval.

    Args:
        labels: (n,) 0 or 1.
        scores: (n,) probabilities in [0, 1].
        persons: (n,) the person of each.
        threshold: scores from here on are called positive.
        draws: bootstrap samples of persons.
        seed: of the bootstrap.
    """
    samples = list(resampled(persons, draws, seed))
    why = "" if _two_classes(labels) else ONE_CLASS
    return {
        name: _reasoned(
            function(labels, scores, threshold),
            interval([function(labels[rows], scores[rows], threshold) for rows in samples]),
            why,
        )
        for name, function in MEASURES.items()
    }


def undefined(reason: str) -> dict[str, Figure]:
    """Every measure, of data that define none."""
    nan = float("nan")
    return {name: Figure(nan, nan, nan, reason) for name in MEASURES}


def _reasoned(value: float, ends: tuple[float, float], why: str) -> Figure:
    """A figure that has a reason only where it has no value."""
    return Figure(value, *ends, why if np.isnan(value) else "")


def resampled(persons: Sequence[str], draws: int, seed: int) -> list[NDArray[np.int64]]:
    """Rows of ``draws`` samples of persons with replacement."""
    rng = np.random.default_rng(seed)
    names, inverse = np.unique(np.asarray(persons), return_inverse=True)
    rows = [np.flatnonzero(inverse == k) for k in range(len(names))]
    picks = rng.integers(len(names), size=(draws, len(names)))
    return [np.concatenate([rows[k] for k in pick]) for pick in picks]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """2.5 and 97.5 % quantile of the values that are defined."""
    defined = np.asarray(values)[~np.isnan(values)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, (0.025, 0.975))
    return float(low), float(high)


def threshold_for(labels: Labels, scores: Float64Array, wanted: float) -> float:
    """The highest threshold at which the sensitivity is at least ``wanted``."""
    positives = np.sort(scores[labels == 1])
    if not len(positives):
        return 0.5
    return float(positives[int(np.floor((1 - wanted) * len(positives) + 1e-9))])


def plain(figures: Mapping[str, Figure]) -> dict[str, dict[str, Any]]:
    """The figures as plain values for JSON; a reason only where there is one."""
    return {
        name: {key: value for key, value in asdict(figure).items() if key != "reason" or value}
        for name, figure in figures.items()
    }


def plain_numbers(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Figures without intervals for JSON: what is not defined is null, ``not_defined`` says why."""
    missing = [k for k, v in numbers.items() if isinstance(v, float) and np.isnan(v)]
    return dict(numbers) | ({"not_defined": dict.fromkeys(missing, ONE_CLASS)} if missing else {})


def short(value: float) -> str:
    """A figure of data that may be of one class, as a cell of a table."""
    return ONE_CLASS if np.isnan(value) else f"{value:.3f}"


def _two_classes(labels: Labels) -> bool:
    return bool((labels == 1).any() and (labels == 0).any())


def _mean(values: NDArray[np.bool_] | Float64Array) -> float:
    """Mean; nan if there are no values."""
    return float(np.mean(values)) if values.size else float("nan")
