"""From logits to the study's decision: calibrated slices, one calibrated rule, one threshold.

All of it is pure and monotone: a higher logit of any slice never lowers the study's probability.
``learn`` fits the parameters; they travel in the bundle.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msnode.records.images import Float32Array, Float64Array
from msnode.records.results import Decision

CLIP = 1e-6
"""Probabilities closer to 0 or 1 than this are taken as this close: float32 has no more digits."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling of a slice's logit difference: sigmoid(slope * (z1 - z0) + bias).

    Attributes:
        slope: above 0; 1 / temperature.
        bias: shifts towards the prevalence of the calibration set.
    """

    slope: float = 1.0
    bias: float = 0.0

    def __post_init__(self) -> None:
        if not self.slope > 0:
            raise ValueError(f"calibration.slope is {self.slope}; it must be above 0")


@dataclass(frozen=True, slots=True)
class StudyRule:
    """Study logit = slope * (mean of the ``top`` highest calibrated slice logits) + bias.

    Lesions sit in some slices only, so a mean over all slices would dilute them, and the single
    highest slice would let one artefact decide.

    Attributes:
        top: number of slices; all of them where the study has fewer.
        slope: above 0.
        bias: corrects for picking the highest of many.
    """

    top: int = 3
    slope: float = 1.0
    bias: float = 0.0

    def __post_init__(self) -> None:
        if not self.slope > 0 or self.top < 1:
            raise ValueError(
                f"rule has top {self.top} and slope {self.slope}; top must be 1 or more, "
                "slope above 0"
            )


def sigmoid(logits: NDArray[np.floating]) -> Float64Array:
    """Logits of any shape to probabilities, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64))))


def logit(probabilities: NDArray[np.floating]) -> Float64Array:
    """Probabilities of any shape to logits, clipped at ``CLIP`` from 0 and 1."""
    clipped = np.clip(probabilities.astype(np.float64), CLIP, 1 - CLIP)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def slice_probabilities(logits: NDArray[np.floating], calibration: Calibration) -> Float32Array:
    """Calibrated probability of each slice.

    Args:
        logits: (slices, 2), class 1 is the MS pattern.
        calibration: from the bundle.

    Returns:
        (slices,) float32 in [0, 1].
    """
    difference = logits[:, 1].astype(np.float64) - logits[:, 0]
    return sigmoid(calibration.slope * difference + calibration.bias).astype(np.float32)


def study_logit(probabilities: Float32Array, top: int) -> float:
    """Mean of the ``top`` highest slice logits, before slope and bias.

    Args:
        probabilities: (slices,) calibrated, in [0, 1]; at least one.
        top: how many.
    """
    return float(np.sort(logit(probabilities))[-top:].mean())


def study_probability(probabilities: Float32Array, rule: StudyRule) -> float:
    """Calibrated probability of the study, from (slices,) calibrated slice probabilities."""
    value = rule.slope * study_logit(probabilities, rule.top) + rule.bias
    return float(sigmoid(np.array(value)))


def decision(
    probability: float, threshold: float, undetermined: tuple[float, float] | None
) -> Decision:
    """Present from the threshold on, absent below it, neither inside [low, high)."""
    if undetermined is not None and undetermined[0] <= probability < undetermined[1]:
        return "undetermined"
    return "present" if probability >= threshold else "absent"
