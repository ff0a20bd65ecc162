"""Figures by sex, age, site, scanner and so on, and what a bundle learned from."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msnode.learn.data.index_csv import IMAGES
from msnode.learn.evaluate import figures_of_merit
from msnode.learn.train.cohort import Cohort
from msnode.records.images import Float64Array
from msnode.records.population import Strata

FALLS_OUT = 0.10
"""A stratum whose AUC is this much below the overall one earns a warning."""
FOLD_FALLS_OUT = 0.20
"""A fold whose accuracy is this much below the mean of all earns one."""
FEW = 3
"""Persons; smaller strata are shown but not judged."""


def by_stratum(
    cohort: Cohort, rows: NDArray[np.int64], scores: Float64Array, called: Float64Array
) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """Figures within every stratum, and warnings.

    Args:
        cohort: the data.
        rows: (n,) tested images.
        scores: (n,) probabilities.
        called: (n,) probabilities, shifted so that the threshold is 0.5.

    Returns:
        By column and value: persons, images, AUC, accuracy; and a sentence for each stratum with
        a clearly lower AUC.
    """
    labels = cohort.labels[rows]
    persons = np.array(cohort.persons)[rows]
    overall = figures_of_merit.auc(labels, scores)
    tables: dict[str, dict[str, Any]] = {}
    warnings = []
    for column, values in _columns(cohort, rows):
        for value in np.unique(values):
            mine = values == value
            area = figures_of_merit.auc(labels[mine], scores[mine])
            count = len(np.unique(persons[mine]))
            tables.setdefault(column, {})[str(value)] = {
                "persons": count,
                "images": int(mine.sum()),
                "auc": area,
                "accuracy": figures_of_merit.accuracy(labels[mine], called[mine], 0.5),
            }
            if count >= FEW and area < overall - FALLS_OUT:
                warnings.append(
                    f"{column} {value}: AUC {area:.3f} of {count} persons against"
                    f" {overall:.3f} of all"
                )
    return tables, tuple(warnings)


def fallen_folds(
    cohort: Cohort, folds: Mapping[str, NDArray[np.int64]], accuracies: Mapping[str, float]
) -> tuple[str, ...]:
    """A sentence for each fold that falls out, and one where a sex or site has most of them.

    Of folds with one person (leave-one-patient-out) nothing but the accuracy is defined.

    Args:
        cohort: the data.
        folds: (n,) tested images by fold.
        accuracies: of the same folds.
    """
    usual = float(np.mean(list(accuracies.values())))
    out = {fold for fold, accuracy in accuracies.items() if accuracy < usual - FOLD_FALLS_OUT}
    told = []
    for fold in folds:
        if fold in out:
            kinds = [f"{name} {value}" for name, value in _alike(cohort, folds[fold])]
            who = f" ({', '.join(kinds)})" if kinds else ""
            told.append(f"{fold}{who}: accuracy {accuracies[fold]:.3f} against {usual:.3f} of all")
    return (*told, *_shared(cohort, folds, out))


def _alike(cohort: Cohort, rows: NDArray[np.int64]) -> Iterator[tuple[str, str]]:
    """Sex, site and scanner of a fold whose persons all have the same."""
    for name in ("sex", "site", "scanner"):
        values = np.unique(cohort.of(name)[rows])
        if len(values) == 1 and values[0]:
            yield name, str(values[0])


def _shared(
    cohort: Cohort, folds: Mapping[str, NDArray[np.int64]], out: Collection[str]
) -> Iterator[str]:
    """What folds that fall out have in common, and most others have not."""
    kinds = {fold: set(_alike(cohort, rows)) for fold, rows in folds.items()}
    for name, value in sorted(set().union(*kinds.values())) if out else ():
        mine = {fold for fold, found in kinds.items() if (name, value) in found}
        others = len(folds) - len(mine)
        inside, outside = len(mine & set(out)), len(set(out) - mine)
        if others and inside * others > 2 * outside * len(mine):
            yield (
                f"{name} {value}: {inside} of {len(mine)} folds fall out, of the others"
                f" {outside} of {others}"
            )


def _columns(cohort: Cohort, rows: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.str_]]]:
    """Every column that has at least two values."""
    found = {name: cohort.of(name)[rows] for name in ("sex", "site", "scanner", "sequence")}
    found["age"] = np.array([_band(value) for value in cohort.of("age")[rows]])
    thick = cohort.examples.acquisition[rows, 1]
    found["slice_mm"] = np.where(thick < 2, "below 2", np.where(thick < 5, "2 to 5", "from 5"))
    found["lesion_ml"] = _load(cohort.examples.lesion_ml[rows])
    for name, values in found.items():
        if len(np.unique(values)) > 1:
            yield name, values


def _band(age: str) -> str:
    """Decade of an age; empty where unknown."""
    return f"{int(float(age)) // 10 * 10}s" if age else ""


def _load(lesion_ml: Float64Array) -> NDArray[np.str_]:
    """Lesion load as read in the literature: light below 5 mL, heavy from 15 mL."""
    known = np.where(lesion_ml < 5, "below 5", np.where(lesion_ml < 15, "5 to 15", "from 15"))
    return np.where(np.isnan(lesion_ml), "unknown", known)


def learned_from(cohort: Cohort, rows: NDArray[np.int64]) -> Strata:
    """What a bundle can say of its training data, as far as the index tells.

    Ages are stated if every person's is known, slice distances if every row is a volume. Rows
    with a role, such as synthetic scans, count for neither.

    Args:
        cohort: the data.
        rows: images that were learned from.
    """
    numbers = np.unique(cohort.examples.rows[rows])
    real = {int(n): cohort.rows[n] for n in numbers if not cohort.rows[n].role}
    if not real:
        return Strata()
    ages = [row.age for row in real.values()]
    volumes = all(row.path.suffix.lower() not in IMAGES for row in real.values())
    distances = cohort.examples.acquisition[np.isin(cohort.examples.rows, list(real)), 1]
    return Strata(
        age_years=_range([age for age in ages if age is not None]) if None not in ages else None,
        distance_mm=_range(distances.tolist()) if volumes else None,
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest, to the one decimal place that studies are compared by."""
    return round(min(values), 1), round(max(values), 1)
