"""Calibration on validation persons: logits to probabilities, slices to the study."""

import numpy as np
from scipy.optimize import minimize

from msnode.errors import Refused
from msnode.learn.data.splits import Labels
from msnode.records.images import Float64Array


def platt(logits: Float64Array, labels: Labels, weight: float = 1.0) -> tuple[float, float]:
    """Scale and shift so that ``sigmoid(a * logit + b)`` is a probability.

    Platt's smoothed targets keep a few perfectly separated examples from giving certainty.

    Args:
        logits: (n,).
        labels: (n,) 0 or 1.
        weight: how strongly a is drawn towards a positive default, in examples' worth of evidence.

    Returns:
        a >= 0 and b.

    Raises:
        Refused: only one class.
    """
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    if not positives or not negatives:
        raise Refused("calibration needs both classes among the validation persons")
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    targets = np.where(labels == 1, high, low)
    scale = float(np.std(logits)) or 1.0

    def cost(theta: Float64Array) -> float:
        z = np.exp(theta[0]) * logits / scale + theta[1]
        loss = np.logaddexp(0, z) - targets * z
        return float(loss.sum() + weight * 0.1 * theta[0] ** 2)

    best = minimize(cost, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-4})
    return float(np.exp(best.x[0]) / scale), float(best.x[1])


def mean_top(logits: Float64Array, top: int) -> float:
    """Mean of the ``top`` highest logits of a study's slices (all, where there are fewer)."""
    return float(np.sort(logits)[-top:].mean())


def sigmoid(logits: Float64Array) -> Float64Array:
    """Logits to probabilities."""
    return 1 / (1 + np.exp(-logits))
