"""From logits to the study's decision: calibrated slices, one calibrated rule, one threshold.

All of it is pure and monotone: a higher logit of any slice never lowers the study's probability.
``learn`` fits the parameters; they travel in the bundle.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msnode.records.images import Float32Array, Float64Array
from msnode.records.lesions import LesionPattern
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
    """Study logit = slope * (mean of the highest calibrated slice logits) + bias.

    Lesions sit in some slices only, so a mean over all slices would dilute them, and the single
    highest slice would let one artefact decide.

    Attributes:
        top: number of slices; all of them where the study has fewer.
        slope: above 0.
        bias: corrects for picking the highest of many.
        top_mm: so much of the head instead, in any number of slices: a lesion is on three thick
            slices or on twenty thin ones. None: ``top`` slices, however thick.
    """

    top: int = 3
    slope: float = 1.0
    bias: float = 0.0
    top_mm: float | None = None

    def __post_init__(self) -> None:
        if not self.slope > 0 or self.top < 1:
            raise ValueError(
                f"rule has top {self.top} and slope {self.slope}; top must be 1 or more, "
                "slope above 0"
            )
        if self.top_mm is not None and not self.top_mm > 0:
            raise ValueError(f"rule has top_mm {self.top_mm}; it must be above 0, or null")

    def highest(self, distance_mm: float) -> float:
        """Of how many slices the mean is taken, a part of one included.

        Args:
            distance_mm: between neighbouring slices.
        """
        return float(self.top) if self.top_mm is None else max(1.0, self.top_mm / distance_mm)


@dataclass(frozen=True, slots=True)
class PatternRule:
    """What makes a study's lesions the pattern of MS: a logistic model of few numbers.

    Slices say that there are lesions; whether they are many and separate, and where MS has them,
    says more of their cause. Logit = offset + classifier * (the study rule's logit) + count *
    log(1 + lesions) + place * (`LesionPattern.place`).

    Attributes:
        network: digest of the lesion network for whose outlines the weights hold.
        offset: of a study without lesions.
        count: weight of their number, 0 or more.
        place: weight of where they lie, 0 or more.
        classifier: weight of what the slices say, 0 or more.
    """

    network: str
    offset: float
    count: float
    place: float
    classifier: float = 0.0

    def logit(self, seen: LesionPattern, classifier: float) -> float:
        """The study's logit, from its lesions and from the logit of its slices."""
        return (
            self.offset
            + self.count * math.log1p(seen.count)
            + self.place * seen.place
            + self.classifier * classifier
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


def study_logit(probabilities: Float32Array, rule: StudyRule, distance_mm: float) -> float:
    """What the slices say of the study.

    Args:
        probabilities: (slices,) calibrated, in [0, 1]; at least one.
        rule: from the bundle.
        distance_mm: between neighbouring slices.
    """
    falling = np.sort(logit(probabilities))[::-1]
    weights = np.clip(rule.highest(distance_mm) - np.arange(len(falling)), 0, 1)
    return rule.slope * float(np.average(falling, weights=weights)) + rule.bias


def study_probability(probabilities: Float32Array, rule: StudyRule, distance_mm: float) -> float:
    """Calibrated probability of the study, from (slices,) calibrated slice probabilities."""
    return float(sigmoid(np.array(study_logit(probabilities, rule, distance_mm))))


def decision(
    probability: float, threshold: float, undetermined: tuple[float, float] | None
) -> Decision:
    """Present from the threshold on, absent below it, neither inside [low, high)."""
    if undetermined is not None and undetermined[0] <= probability < undetermined[1]:
        return "undetermined"
    return "present" if probability >= threshold else "absent"
