"""How right results were, with 95 % intervals over patients.

A patient's studies are not independent. Proportions get a Wilson interval with the effective number
of studies (Korn and Graubard 1998); all else a bootstrap that draws patients.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msnode.manage.evidence_cases import By, EvidenceCase
from msnode.records.images import Float64Array

SMALL = 10
"""A figure of fewer studies or patients is not told: its counts are."""
Z = 1.959964
DRAWS = 1000
CHUNK = 50
BINS = 10
COLUMNS = ("tp", "fp", "tn", "fn", "positive", "negative", "scored", "squared")
RATES = {
    "sensitivity": ("tp", "fn"), "specificity": ("tn", "fp"), "ppv": ("tp", "fp"),
    "npv": ("tn", "fn"),
}  # fmt: skip
"""What is right, and what is wrong, of each."""


@dataclass(frozen=True, slots=True)
class EvidenceFigure:
    """A figure; None where there are too few.

    Attributes:
        right: of a proportion, how many; else None.
        of: studies that it is of.
    """

    value: float | None
    low: float | None
    high: float | None
    right: int | None
    of: int


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Results whose probability lies in [low, low + 0.1).

    Attributes:
        told: mean probability.
        share: with multiple sclerosis; None likewise.
    """

    low: float
    studies: int
    told: float | None
    share: EvidenceFigure


@dataclass(frozen=True, slots=True)
class EvidenceGroup:
    """Results of one kind.

    Attributes:
        results: studies with a result; of ``patients``.
        known: of them, those whose truth is known; of ``known_patients``.
        disputed: those of which readers contradict each other.
        open: those with feedback that says nothing of the disease.
        undetermined: whose truth is known and whose result has no decision.
        not_analysed: likewise, and was not analysed.
        positive: results that say present; of them ``positive_known`` with known truth; likewise
            ``negative``.
        figures: by name.
        bins: of the calibration.
    """

    name: str
    results: int
    patients: int
    known: int
    known_patients: int
    disputed: int
    open: int
    undetermined: int
    not_analysed: int
    positive: int
    positive_known: int
    negative: int
    negative_known: int
    figures: dict[str, EvidenceFigure]
    bins: tuple[CalibrationBin, ...]


def grouped(cases: Sequence[EvidenceCase], by: By) -> list[EvidenceGroup]:
    """The figures of each group, by name."""
    names = sorted({one.group(by) for one in cases})
    return [figures_of(name, [one for one in cases if one.group(by) == name]) for name in names]


def figures_of(name: str, cases: Sequence[EvidenceCase], seed: int = 0) -> EvidenceGroup:
    """The figures of some cases."""
    known = [one for one in cases if one.is_true is not None]
    called = {word: [one for one in cases if one.outcome == word] for word in ("present", "absent")}
    return EvidenceGroup(
        name=name,
        results=len(cases),
        patients=len({one.person for one in cases}),
        known=len(known),
        known_patients=len({one.person for one in known}),
        disputed=sum(one.truth == "disputed" for one in cases),
        open=sum(one.truth == "open" and one.readers > 0 for one in cases),
        undetermined=sum(one.outcome == "undetermined" for one in known),
        not_analysed=sum(one.outcome == "not_analysed" for one in known),
        positive=len(called["present"]),
        positive_known=sum(one.is_true is not None for one in called["present"]),
        negative=len(called["absent"]),
        negative_known=sum(one.is_true is not None for one in called["absent"]),
        figures=_figures(cases, seed),
        bins=tuple(_bins(known)),
    )


def wilson(right: Float64Array, of: Float64Array) -> tuple[float, float, float]:
    """A proportion and its 95 % interval.

    Args:
        right: (patients,) how many of each patient's are right.
        of: (patients,) of how many; above 0.
    """
    total, persons = float(of.sum()), len(of)
    p = float(right.sum()) / total
    spread = float(((right - p * of) ** 2).sum()) / total**2 * persons / max(persons - 1, 1)
    # where all or none are right, the spread says nothing: as if a patient had one study
    effective = p * (1 - p) / spread if spread > 0 and persons > 1 else persons
    n = min(effective, total)
    middle, half = p + Z**2 / (2 * n), Z * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    low, high = (middle - half) / scale, (middle + half) / scale
    return p, max(0.0, float(low)), min(1.0, float(high))


def _figures(cases: Sequence[EvidenceCase], seed: int) -> dict[str, EvidenceFigure]:
    sums = _sums(cases)
    found = {name: _rate(sums, *columns) for name, columns in RATES.items()}
    draws = _drawn(sums, seed)
    scored = int(sums[:, COLUMNS.index("scored")].sum())
    enough = np.count_nonzero(sums[:, COLUMNS.index("scored")]) >= SMALL
    found["brier"] = _drawn_figure(_brier, sums, draws, scored, enough)
    found["ece"] = _drawn_figure(_ece, sums, draws, scored, enough)
    verified = int(sums[:, :4].sum())
    both = min(found["ppv"].of, found["npv"].of) >= SMALL
    for name in ("sensitivity", "specificity"):
        found[f"{name}_adjusted"] = _drawn_figure(_adjusted(name), sums, draws, verified, both)
    return found


def _sums(cases: Sequence[EvidenceCase]) -> Float64Array:
    """(patients, columns and bins): all that figures are made of, by patient.

    The last columns are, by bin, the sum of probability less truth.
    """
    persons = {name: k for k, name in enumerate(dict.fromkeys(one.person for one in cases))}
    sums = np.zeros((len(persons), len(COLUMNS) + BINS))
    at = {name: k for k, name in enumerate(COLUMNS)}
    for one in cases:
        row = sums[persons[one.person]]
        if one.outcome in ("present", "absent"):
            row[at["positive" if one.outcome == "present" else "negative"]] += 1
            if one.is_true is not None:
                right = one.is_true == (one.outcome == "present")
                row[at[("t" if right else "f") + ("p" if one.outcome == "present" else "n")]] += 1
        if one.probability is not None and one.is_true is not None:
            gap = one.probability - one.is_true
            row[at["scored"]] += 1
            row[at["squared"]] += gap**2
            row[len(COLUMNS) + _bin(one.probability)] += gap
    return sums


def _bin(probability: float) -> int:
    return min(int(probability * BINS), BINS - 1)


def _rate(sums: Float64Array, right: str, wrong: str) -> EvidenceFigure:
    good, bad = (sums[:, COLUMNS.index(name)] for name in (right, wrong))
    return _proportion(good, good + bad)


def _proportion(good: Float64Array, of: Float64Array) -> EvidenceFigure:
    """Of those patients who have any; told by its counts alone where they are few."""
    mine, counts = of > 0, (int(good.sum()), int(of.sum()))
    if mine.sum() < SMALL:
        return EvidenceFigure(None, None, None, *counts)
    return EvidenceFigure(*wilson(good[mine], of[mine]), *counts)


Measure = Callable[[Float64Array], Float64Array]
"""Of sums over patients, (…, columns), gives (…)."""


def _column(sums: Float64Array, name: str) -> Float64Array:
    found: Float64Array = sums[..., COLUMNS.index(name)]
    return found


def _ratio(over: Float64Array, under: Float64Array) -> Float64Array:
    """Where there is nothing to divide by, nan."""
    safe = np.where(under > 0, under, np.nan)
    quotient: Float64Array = over / safe
    return quotient


def _brier(sums: Float64Array) -> Float64Array:
    """Mean squared difference of probability and truth."""
    return _ratio(_column(sums, "squared"), _column(sums, "scored"))


def _ece(sums: Float64Array) -> Float64Array:
    """Expected calibration error over ten bins of equal width."""
    return _ratio(np.abs(sums[..., len(COLUMNS) :]).sum(-1), _column(sums, "scored"))


def _adjusted(name: str) -> Measure:
    """Sensitivity or specificity of all results (Begg and Greenes 1983).

    Right where whether the truth of a result became known depended on its decision alone.
    """

    def measure(sums: Float64Array) -> Float64Array:
        tp, fp, tn, fn, positive, negative = (_column(sums, one) for one in COLUMNS[:6])
        found = positive * _ratio(tp, tp + fp), positive * _ratio(fp, tp + fp)
        missed = negative * _ratio(fn, tn + fn), negative * _ratio(tn, tn + fn)
        if name == "sensitivity":
            return _ratio(found[0], found[0] + missed[0])
        return _ratio(missed[1], missed[1] + found[1])

    return measure


def _drawn(sums: Float64Array, seed: int) -> Float64Array:
    """(draws, columns): sums over patients who were drawn with replacement."""
    rng, persons = np.random.default_rng(seed), len(sums)
    if persons < SMALL:
        return np.empty((0, sums.shape[1]))
    equal = np.full(persons, 1 / persons)
    parts = [rng.multinomial(persons, equal, CHUNK) @ sums for _ in range(DRAWS // CHUNK)]
    return np.concatenate(parts)


def _drawn_figure(
    measure: Measure, sums: Float64Array, draws: Float64Array, of: int, enough: bool | np.bool_
) -> EvidenceFigure:
    value = float(measure(sums.sum(0))) if len(sums) else float("nan")
    if not enough or np.isnan(value):
        return EvidenceFigure(None, None, None, None, of)
    values: NDArray[np.float64] = measure(draws)
    low, high = np.quantile(values[~np.isnan(values)], (0.025, 0.975)).tolist()
    if low == high:  # nothing was ever wrong, of which a bootstrap knows no uncertainty
        return EvidenceFigure(None, None, None, None, of)
    return EvidenceFigure(value, low, high, None, of)


def _bins(known: Sequence[EvidenceCase]) -> list[CalibrationBin]:
    """Calibration: how many of those with such a probability have the disease."""
    scored = [one for one in known if one.probability is not None]
    found = []
    for k in range(BINS):
        mine = [one for one in scored if _bin(one.probability or 0.0) == k]
        persons = {name: i for i, name in enumerate(dict.fromkeys(one.person for one in mine))}
        good, of = np.zeros(len(persons)), np.zeros(len(persons))
        for one in mine:
            of[persons[one.person]] += 1
            good[persons[one.person]] += bool(one.is_true)
        told = float(np.mean([one.probability for one in mine])) if mine else None
        found.append(CalibrationBin(k / BINS, len(mine), told, _proportion(good, of)))
    return found
