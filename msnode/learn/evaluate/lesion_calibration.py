"""What a found lesion's probability is worth: the share of such ones that a person drew as well."""

from collections.abc import Sequence

import numpy as np
from scipy.special import logit

from msnode.errors import Refused
from msnode.learn.evaluate.figures_of_merit import Figure, calibration_error
from msnode.learn.evaluate.overlap import Examined, over_persons
from msnode.learn.evaluate.platt_scaling import platt
from msnode.lesions.lesion_bundle import CLOSE, Rating


def rating(persons: Sequence[Examined]) -> Rating:
    """Platt scaling of the found lesions' mean probabilities; as they are, where it cannot be."""
    mean, true = _pooled(persons)
    try:
        return Rating(*platt(logit(mean), true))
    except Refused:  # all of one kind
        return Rating()


def by_others(persons: Sequence[Examined]) -> list[Rating]:
    """The rating of each person, from the others' lesions."""
    return [rating([*persons[:n], *persons[n + 1 :]]) for n in range(len(persons))]


def figures(persons: Sequence[Examined], ratings: Sequence[Rating]) -> dict[str, Figure]:
    """Expected calibration errors: of each person's own rating, and as the network gives it."""
    raw = [_pooled([one]) for one in persons]
    rated = [(of(mean), true) for of, (mean, true) in zip(ratings, raw, strict=True)]
    return {"ece": _error(rated), "ece_raw": _error(raw)}


def _pooled(persons: Sequence[Examined]) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability of every found lesion, and 1 where a person drew it."""
    found = [one for person in persons for one in person.scan]
    mean = np.array([one.probability for one in found], np.float64)
    return mean.clip(CLOSE, 1 - CLOSE), np.array([bool(one.drawn) for one in found], np.int64)


def _error(persons: Sequence[tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Over all lesions, with an interval over persons."""

    def of(rows: np.ndarray) -> float:
        means, true = zip(*[persons[n] for n in rows], strict=True)
        return calibration_error(np.concatenate(true), np.concatenate(means))

    return over_persons(len(persons), of)
