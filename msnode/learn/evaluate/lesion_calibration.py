"""What a found lesion's probability is worth: the share of such ones that a person drew as well."""

from collections.abc import Sequence

import numpy as np
from scipy.special import logit

from msnode.errors import Refused
from msnode.learn.evaluate.figures_of_merit import Figure, calibration_error, interval, resampled
from msnode.learn.evaluate.overlap import DRAWS, Agreement
from msnode.learn.evaluate.platt_scaling import platt
from msnode.lesions.find import SURE
from msnode.lesions.lesion_bundle import Rating


def rating(rows: Sequence[Agreement]) -> Rating:
    """Platt scaling of the found lesions' mean probabilities; as they are, where it cannot be."""
    means, true = _pooled(rows)
    try:
        return Rating(*platt(logit(means), true))
    except Refused:  # all of one kind
        return Rating()


def figures(rows: Sequence[Agreement]) -> dict[str, Figure]:
    """Expected calibration errors: as the network gives it, and each person rated by the others."""
    raw = [_pooled([row]) for row in rows]
    rated = [
        (rating([*rows[:n], *rows[n + 1 :]])(means), true) for n, (means, true) in enumerate(raw)
    ]
    return {"ece_raw": _error(raw), "ece": _error(rated)}


def _pooled(rows: Sequence[Agreement]) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability of every found lesion, and 1 where a person drew it."""
    pairs = np.array([pair for row in rows for pair in row.rated], np.float64).reshape(-1, 2)
    return pairs[:, 0].clip(*SURE), pairs[:, 1].astype(np.int64)


def _error(persons: Sequence[tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Over all lesions, with an interval over persons."""

    def of(chosen: Sequence[int]) -> float:
        means, true = (
            np.concatenate(part) for part in zip(*[persons[n] for n in chosen], strict=True)
        )
        return calibration_error(true, means)

    draws = resampled([str(n) for n in range(len(persons))], DRAWS, 0)
    return Figure(of(range(len(persons))), *interval([of(draw.tolist()) for draw in draws]))
