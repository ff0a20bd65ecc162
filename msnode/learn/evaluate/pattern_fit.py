"""How outlined lesions bear on the study's decision: a logistic model of three numbers.

Few persons are at hand, so the model is small, its weights have the sign that they must have, and
every figure is of persons that it was not fitted to.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from msnode.classify.decision import PatternRule
from msnode.learn.data.splits import Labels
from msnode.records.images import Float64Array
from msnode.records.lesions import LesionPattern

NUMBERS = ("count", "place", "classifier")
"""The weights of `PatternRule`, in the order of the columns here."""
BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "count": (0, None),
    "place": (0, None),
    "classifier": (0, None),
}
"""More lesions, at places of MS, on slices that show some, never speak against the pattern."""
PENALTY = 0.002
"""Of the squared weights: keeps them finite where persons are told apart without a mistake."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of some scans.

    Attributes:
        numbers: (n, 3): log(1 + lesions), place, study logit of the slices.
        labels: (n,) 1 for people with MS, and for scans that got their lesions.
        persons: (n,); a twin is its person's.
        groups: (n,) site and label: all count alike, whatever their size; in a group every person,
            however many scans and changed copies there are of him.
        tested: (n,) whether figures are of it; twins are fitted to only.
    """

    numbers: Float64Array
    labels: Labels
    persons: NDArray[np.str_]
    groups: NDArray[np.str_]
    tested: NDArray[np.bool_]


def row(seen: LesionPattern, classifier: float) -> tuple[float, float, float]:
    """One scan's numbers."""
    return float(np.log1p(seen.count)), seen.place, classifier


def fit(data: Measured, columns: tuple[str, ...]) -> dict[str, float]:
    """Weights of some of the numbers, and ``offset``; the others get 0.

    Args:
        data: to fit to.
        columns: of `NUMBERS`.
    """
    x = data.numbers[:, [NUMBERS.index(name) for name in columns]]
    signs = np.where(data.labels == 1, -1.0, 1.0)
    weights = _shares(data)

    def loss(values: Float64Array) -> float:
        logits = values[0] + x @ values[1:]
        penalty = PENALTY * float(values[1:] @ values[1:])
        return float(weights @ np.logaddexp(0, signs * logits)) + penalty

    bounds = [(None, None), *(BOUNDS[name] for name in columns)]
    start = np.zeros(1 + len(columns))
    values = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    return dict.fromkeys(NUMBERS, 0.0) | dict(
        zip(("offset", *columns), values.tolist(), strict=True)
    )


def _shares(data: Measured) -> Float64Array:
    """(n,) weights that sum to 1, to the same for every group, and for every person in it."""
    pairs = list(zip(data.groups.tolist(), data.persons.tolist(), strict=True))
    scans = Counter(pairs)
    people = Counter(group for group, _ in scans)
    return np.array([1 / scans[pair] / people[pair[0]] / len(people) for pair in pairs])


def probabilities(data: Measured, weights: dict[str, float]) -> Float64Array:
    """(n,) of the pattern of MS."""
    found: Float64Array = expit(
        weights["offset"] + data.numbers @ [weights[name] for name in NUMBERS]
    )
    return found


def by_others(data: Measured, columns: tuple[str, ...]) -> Float64Array:
    """(n,) probabilities, each by weights that were fitted without that person."""
    found = np.zeros(len(data.labels))
    for person in np.unique(data.persons):
        own = data.persons == person
        weights = fit(_of(data, ~own), columns)
        found[own] = probabilities(_of(data, own), weights)
    return found


def by_other_sites(
    data: Measured, sites: NDArray[np.str_], columns: tuple[str, ...]
) -> Float64Array:
    """(n,) probabilities, each by weights that were fitted without that site's MS and others."""
    found = np.full(len(data.labels), np.nan)
    for site in np.unique(sites):
        own = sites == site
        if len(np.unique(data.labels[~own])) == 2:
            found[own] = probabilities(_of(data, own), fit(_of(data, ~own), columns))
    return found


def _of(data: Measured, chosen: NDArray[np.bool_]) -> Measured:
    """Some of the scans."""
    return Measured(
        data.numbers[chosen],
        data.labels[chosen],
        data.persons[chosen],
        data.groups[chosen],
        data.tested[chosen],
    )


def rule(weights: dict[str, float], network: str) -> PatternRule:
    """The weights for a bundle.

    Args:
        weights: as `fit` gives them.
        network: digest of the lesion network that outlined.
    """
    rounded = {name: round(value, 4) for name, value in weights.items()}
    return PatternRule(network, **rounded)
