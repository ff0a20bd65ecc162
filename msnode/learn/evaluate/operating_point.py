"""From validation logits to probabilities, a study rule and the two operating points."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msnode.classify import Calibration, StudyRule
from msnode.errors import Refused
from msnode.learn.data.splits import Labels
from msnode.learn.evaluate import platt_scaling
from msnode.learn.evaluate.figures_of_merit import threshold_for
from msnode.learn.evaluate.paired import Scored
from msnode.records.images import Float64Array

TOP = 3
"""Number of a study's highest slice logits whose mean stands for the study."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What turns logits into decisions.

    Attributes:
        calibration: of slices.
        rule: of studies.
        threshold: operating point of slices.
        study_threshold: operating point of studies.
    """

    calibration: Calibration
    rule: StudyRule
    threshold: float
    study_threshold: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """Validation images.

    Attributes:
        logits: (n,).
        labels: (n,) 0 or 1.
        studies: (n,) which study each belongs to.
        counted: (n,) which images the calibration of slices counts; None counts all.
    """

    logits: Float64Array
    labels: Labels
    studies: NDArray[np.str_]
    counted: NDArray[np.bool_] | None = None

    @property
    def slices(self) -> NDArray[np.int64]:
        """Rows of the images that count as slices."""
        everything = np.arange(len(self.logits))
        return everything if self.counted is None else everything[self.counted]


def with_twins(s: Scored) -> Evidence:
    """Scans and their lesion-filled twins, as studies of their own.

    A lesion-free slice is the same in both; among the slices it counts once.
    """
    return Evidence(
        np.concatenate([s.real, s.twin]),
        np.concatenate([s.bearing, np.zeros(len(s.twin))]).astype(np.int64),
        np.concatenate([s.persons, np.char.add(s.persons, " filled")]),
        np.concatenate([np.ones(len(s.real), np.bool_), s.bearing]),
    )


def judge(evidence: Evidence, sensitivity: float) -> Judgement:
    """Calibrate on validation persons.

    Args:
        evidence: of the validation persons.
        sensitivity: wanted; the highest thresholds that reach it are taken.
    """
    rows = evidence.slices
    calibration = Calibration(*_platt(evidence.logits[rows], evidence.labels[rows]))
    scaled = calibration.slope * evidence.logits + calibration.bias
    studies, truths = by_study(Evidence(scaled, evidence.labels, evidence.studies))
    rule = StudyRule(TOP, *_platt(studies, truths))
    study_scores = platt_scaling.sigmoid(rule.slope * studies + rule.bias)
    return Judgement(
        calibration,
        rule,
        threshold_for(evidence.labels[rows], platt_scaling.sigmoid(scaled[rows]), sensitivity),
        threshold_for(truths, study_scores, sensitivity),
    )


def by_study(evidence: Evidence) -> tuple[Float64Array, Labels]:
    """Mean of the top logits of every study, and whether any of its images is of class 1."""
    names = np.unique(evidence.studies)
    mine = [evidence.studies == name for name in names]
    scores = [platt_scaling.mean_top(evidence.logits[rows], TOP) for rows in mine]
    truths = [int(evidence.labels[rows].max()) for rows in mine]
    return np.array(scores), np.array(truths, np.int64)


def _platt(logits: Float64Array, labels: Labels) -> tuple[float, float]:
    """Platt scaling, or none where the validation persons are of one class only."""
    try:
        return platt_scaling.platt(logits, labels)
    except Refused:
        return 1.0, 0.0
