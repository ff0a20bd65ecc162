"""What an index holds, and what in it a model could learn instead of the disease."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from msnode.learn.data.examples import Examples
from msnode.learn.data.index_csv import Row
from msnode.learn.data.splits import k_fold
from msnode.learn.evaluate.figures_of_merit import ONE_CLASS, Figure, auc
from msnode.learn.train import naive_baseline
from msnode.learn.train.cohort import Cohort

CONFOUNDERS = ("site", "scanner", "sequence", "sex")
ALIGNED = 0.8
"""Cramer's V of label and column from which they count as aligned."""
GIVEN_AWAY = 0.75
"""AUC of the naive classifier, by person, from which it earns a warning."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What ``check`` found.

    Attributes:
        images: prepared images in all.
        persons: by label, then by site: number of persons.
        duplicates: groups of index lines whose images have the same pixels.
        naive_auc: of the naive classifier, by person; not defined where persons are fewer than
            six, or all images of one class.
        warnings: sentences for the reader.
    """

    images: int
    persons: dict[str, dict[str, int]]
    duplicates: tuple[tuple[int, ...], ...]
    naive_auc: Figure
    warnings: tuple[str, ...]


def check(cohort: Cohort) -> Findings:
    """Count persons, find duplicates, and look for confounds."""
    duplicates = tuple(_duplicates(cohort.rows, cohort.examples))
    area = _naive(cohort)
    warnings = [
        *_shared(cohort.rows, duplicates),
        *(text for name in CONFOUNDERS for text in _aligned(cohort, name)),
        *_resolution(cohort),
        *_small(cohort),
    ]
    if area.value >= GIVEN_AWAY:
        warnings.append(
            "background, resolution, histogram and position alone reach an AUC of"
            f" {area.value:.3f} by person: a model may learn these; compare it with"
            " `msnode baseline`"
        )
    return Findings(len(cohort.labels), _counts(cohort.rows), duplicates, area, tuple(warnings))


def _counts(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Persons by label and site."""
    found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        found[row.label][row.site or "unknown"].add(row.person)
    return {label: {s: len(p) for s, p in sites.items()} for label, sites in found.items()}


def _duplicates(rows: Sequence[Row], examples: Examples) -> Iterator[tuple[int, ...]]:
    """Lines that share at least one image with equal pixels."""
    seen: defaultdict[bytes, set[int]] = defaultdict(set)
    for image, row in zip(examples.pixels, examples.rows, strict=True):
        if float(image.std()) > 0:
            seen[hashlib.sha256(image.numpy().tobytes()).digest()].add(rows[row].number)
    groups = Counter(tuple(sorted(lines)) for lines in seen.values() if len(lines) > 1)
    yield from sorted(groups)


def _shared(rows: Sequence[Row], duplicates: Sequence[tuple[int, ...]]) -> Iterator[str]:
    """Warn of equal images under different persons: they would leak across a split."""
    persons = {row.number: row.person for row in rows}
    for lines in duplicates:
        if len({persons[line] for line in lines}) > 1:
            yield f"lines {', '.join(map(str, lines))}: the same image under different persons"


def _aligned(cohort: Cohort, name: str) -> Iterator[str]:
    """Warn if a column is aligned with the label."""
    column = [str(getattr(row, name)) for row in cohort.rows]
    labels = [row.label for row in cohort.rows]
    values, kinds = sorted(set(column)), sorted(set(labels))
    if len(values) < 2 or len(kinds) < 2:
        return
    table = np.zeros((len(values), len(kinds)))
    for value, label in zip(column, labels, strict=True):
        table[values.index(value), kinds.index(label)] += 1
    strength = float(stats.contingency.association(table.astype(int), method="cramer"))
    if strength >= ALIGNED:
        yield f"label and {name} are aligned (Cramer's V {strength:.2f}): {name} can be learned"


def _resolution(cohort: Cohort) -> Iterator[str]:
    """Warn if pixel size, slice distance or background alone tell the classes apart."""
    grey = cohort.examples.pixels.float()
    background = (grey.flatten(1) <= 0).float().mean(1).numpy().astype(np.float64)
    found: list[tuple[str, NDArray[np.float64]]] = [
        ("source pixel size", cohort.examples.acquisition[:, 0]),
        ("slice distance", cohort.examples.acquisition[:, 1]),
        ("share of empty background (skull-stripping?)", background),
    ]
    for name, values in found:
        area = auc(cohort.labels, values)
        if abs(area - 0.5) > 0.4:
            yield f"the {name} alone tells the classes apart (AUC {max(area, 1 - area):.3f})"


def _small(cohort: Cohort) -> Iterator[str]:
    """Warn of classes with very few persons."""
    for label, sites in _counts(cohort.rows).items():
        if (count := sum(sites.values())) < 10:
            yield f"label {label}: {count} persons; intervals will be wide"


def _naive(cohort: Cohort) -> Figure:
    """AUC of the naive classifier over three folds by person."""
    persons = cohort.persons
    classes = [str(label) for label in cohort.labels]
    if len(set(persons)) < 6:
        return _undefined("fewer than six persons")
    if len(np.unique(cohort.labels)) < 2:
        return _undefined(ONE_CLASS)
    e = cohort.examples
    inputs = naive_baseline.features(e.pixels, e.acquisition, e.heights_mm)
    scores = np.full(len(persons), np.nan)
    for split in k_fold(persons, classes, 3):
        train = np.concatenate([split.train, split.validation])
        if len(np.unique(cohort.labels[train])) == 2:
            scores[split.test] = naive_baseline.scores(inputs, cohort.labels, train, split.test)
    known = ~np.isnan(scores)
    area = auc(cohort.labels[known], scores[known])
    return Figure(area, np.nan, np.nan, ONE_CLASS if np.isnan(area) else "")


def _undefined(reason: str) -> Figure:
    return Figure(np.nan, np.nan, np.nan, reason)
