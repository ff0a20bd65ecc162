"""Train on one split, calibrate on its validation persons, score its test persons."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msnode.classify import Calibration, Classifier, StudyRule
from msnode.errors import Refused
from msnode.learn import calibrate, classical, naive, network, staged, taught
from msnode.learn.cohort import Cohort
from msnode.learn.metrics import Labels, threshold_for
from msnode.learn.network import Progress
from msnode.learn.plan import Plan
from msnode.learn.splits import Split
from msnode.records import Float64Array

TOP = 3
"""Slices whose mean logit speaks for the study."""


@dataclass(frozen=True, slots=True)
class Tested:
    """Calibrated probabilities of a fold's test images.

    Attributes:
        fold: its name.
        rows: (n,) images of the cohort.
        probabilities: (n,) in [0, 1].
        naive: (n,) in [0, 1], the naive classifier's on the same split.
        calibration: of slices.
        rule: of studies.
        threshold: operating point of slices, chosen on validation persons.
        study_threshold: operating point of studies, likewise.
        model: the network; None for the rivals.
    """

    fold: str
    rows: NDArray[np.int64]
    probabilities: Float64Array
    naive: Float64Array
    calibration: Calibration
    rule: StudyRule
    threshold: float
    study_threshold: float
    model: Classifier | None


def run(cohort: Cohort, plan: Plan, split: Split, folder: Path, progress: Progress) -> Tested:
    """One fold.

    Args:
        cohort: the data.
        plan: what to train.
        split: who trains, validates, is tested.
        folder: for checkpoints and history.
        progress: told of every epoch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    both = np.concatenate([split.validation, split.test])
    logits, model = _logits(cohort, plan, split, both, folder, progress)
    validation, test = logits[: len(split.validation)], logits[len(split.validation) :]
    labels = cohort.labels[split.validation]
    calibration = Calibration(*_platt(validation, labels))
    scaled = calibration.slope * validation + calibration.bias
    studies, truths = by_study(cohort, split.validation, scaled)
    rule = StudyRule(TOP, *_platt(studies, truths))
    study_scores = calibrate.sigmoid(rule.slope * studies + rule.bias)
    return Tested(
        split.name,
        split.test,
        calibrate.sigmoid(calibration.slope * test + calibration.bias),
        naive_probabilities(cohort, split),
        calibration,
        rule,
        threshold_for(labels, calibrate.sigmoid(scaled), plan.sensitivity),
        threshold_for(truths, study_scores, plan.sensitivity),
        model,
    )


def _logits(
    cohort: Cohort,
    plan: Plan,
    split: Split,
    rows: NDArray[np.int64],
    folder: Path,
    progress: Progress,
) -> tuple[Float64Array, Classifier | None]:
    """Train, and score some rows."""
    if plan.architecture in classical.KINDS:
        inputs = classical.features(cohort.examples.pixels)
        labels = cohort.labels[split.train]
        rival = classical.fit(plan.architecture, inputs[split.train], labels, plan.arguments)
        return classical.decide(rival, inputs[rows]), None
    task = cohort.task(split)
    model = _trainer(plan)(task, plan, folder, progress)
    return network.predict(model, task, rows), model


def _trainer(plan: Plan) -> Callable[[network.Task, Plan, Path, Progress], Classifier]:
    """End to end, in two stages, or taught by lesions."""
    if not plan.two_stage:
        return network.fit
    return taught.fit if plan.target == "lesions" else staged.fit


def _platt(logits: Float64Array, labels: Labels) -> tuple[float, float]:
    """Platt scaling, or none where the validation persons are of one class only."""
    try:
        return calibrate.platt(logits, labels)
    except Refused:
        return 1.0, 0.0


def naive_probabilities(cohort: Cohort, split: Split) -> Float64Array:
    """The naive classifier's probabilities of the test rows."""
    e = cohort.examples
    inputs = naive.features(e.pixels, e.acquisition, e.heights_mm)
    return calibrate.sigmoid(naive.scores(inputs, cohort.labels, split.train, split.test))


def by_study(
    cohort: Cohort, rows: NDArray[np.int64], logits: Float64Array
) -> tuple[Float64Array, Labels]:
    """Mean of the top logits of every study (index row), and whether any of its slices is 1."""
    studies = cohort.examples.rows[rows]
    names = np.unique(studies)
    scores = [calibrate.mean_top(logits[studies == name], TOP) for name in names]
    truths = [int(cohort.labels[rows][studies == name].max()) for name in names]
    return np.array(scores), np.array(truths, np.int64)
