"""Train on one split, calibrate on its validation persons, score its test persons."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msnode.classify import Classifier
from msnode.errors import ConfigError
from msnode.learn.data.splits import Split
from msnode.learn.evaluate import controls, platt_scaling
from msnode.learn.evaluate.operating_point import Evidence, Judgement, judge, with_twins
from msnode.learn.evaluate.paired import Scored
from msnode.learn.train import (
    classical,
    end_to_end,
    frozen,
    lesion_supervised,
    naive_baseline,
    two_stage,
)
from msnode.learn.train.cohort import Cohort
from msnode.learn.train.end_to_end import Progress
from msnode.learn.train.recipe import Plan
from msnode.records.images import Float64Array


@dataclass(frozen=True, slots=True)
class Tested:
    """A fold's test images.

    Attributes:
        fold: its name.
        rows: (n,) images of the cohort.
        probabilities: (n,) in [0, 1], calibrated.
        naive: (n,) in [0, 1], the naive classifier's on the same split.
        judgement: calibration, study rule and operating points, from validation persons.
        model: the network; None for the classical baselines.
        twins: calibrated logits of slices and lesion-filled twins; None where there are none.
    """

    fold: str
    rows: NDArray[np.int64]
    probabilities: Float64Array
    naive: Float64Array
    judgement: Judgement
    model: Classifier | None = None
    twins: Scored | None = None


def run(cohort: Cohort, plan: Plan, split: Split, folder: Path, progress: Progress) -> Tested:
    """Train on one split, calibrate on its validation persons, score its test persons.

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
    studies = cohort.examples.rows[split.validation].astype(np.str_)
    evidence = Evidence(validation, cohort.labels[split.validation], studies)
    pairs = None
    if model is not None and controls.possible(cohort, plan, model):
        evidence = with_twins(controls.scored(cohort, model, split.validation, plan.seed))
        pairs = controls.scored(cohort, model, split.test, plan.seed)
    judgement = judge(evidence, plan.sensitivity)
    scale = judgement.calibration
    return Tested(
        split.name,
        split.test,
        platt_scaling.sigmoid(scale.slope * test + scale.bias),
        naive_probabilities(cohort, split),
        judgement,
        model,
        pairs.scaled(scale.slope, scale.bias) if pairs else None,
    )


def everyone(cohort: Cohort, plan: Plan, folder: Path, progress: Progress) -> Classifier:
    """Train on every person; nobody is left to calibrate on or to test.

    Raises:
        ConfigError: the plan is for a classical baseline, which has no network.
    """
    if plan.architecture in classical.KINDS:
        raise ConfigError(f"{plan.architecture} is for comparison only; it has no bundle")
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.arange(len(cohort.labels))
    task = cohort.task(Split("everyone", rows, rows[:0], rows[:0]))
    return _trainer(plan)(task, plan, folder, progress)


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
    return end_to_end.predict(model, task, rows), model


def _trainer(plan: Plan) -> Callable[[end_to_end.Task, Plan, Path, Progress], Classifier]:
    """The plan's way of training: frozen backbones, end to end, by lesions, or in two stages."""
    if plan.frozen:
        return frozen.fit
    if not plan.two_stage:
        return end_to_end.fit
    by_masks = plan.target == "lesions" and plan.filled
    return lesion_supervised.fit if by_masks else two_stage.fit


def naive_probabilities(cohort: Cohort, split: Split) -> Float64Array:
    """The naive classifier's probabilities of the test rows."""
    e = cohort.examples
    inputs = naive_baseline.features(e.pixels, e.acquisition, e.heights_mm)
    logits = naive_baseline.scores(inputs, cohort.labels, split.train, split.test)
    return platt_scaling.sigmoid(logits)
