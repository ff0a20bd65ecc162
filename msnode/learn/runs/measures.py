"""Figures of a run's test persons: per image, per study, and of those whom a bundle knows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from msnode.classify.decision import StudyRule, sigmoid
from msnode.learn.data.splits import Labels
from msnode.learn.evaluate import figures_of_merit
from msnode.learn.evaluate.figures_of_merit import Figure
from msnode.learn.evaluate.platt_scaling import mean_top
from msnode.learn.evaluate.seen_persons import Acquainted
from msnode.learn.runs.fold import Tested
from msnode.learn.train.cohort import Cohort
from msnode.records.images import Float64Array

CLOSE = 0.05
"""An AUC less than this above the naive classifier's earns a warning."""


def measured(
    labels: Labels, scores: Float64Array, called: Float64Array, persons: Sequence[str]
) -> dict[str, Figure]:
    """Ranking and calibration by the probability, decisions by each fold's own threshold."""
    decided = figures_of_merit.measure(labels, np.clip(called, 0, 1), persons)
    ranked = figures_of_merit.measure(labels, scores, persons)
    names = ("accuracy", "sensitivity", "specificity", "precision", "f1")
    return ranked | {name: decided[name] for name in names}


def of_fold(labels: Labels, tested: Tested) -> dict[str, float]:
    """Figures of one fold; nan where its images are all of one class."""
    scores, threshold = tested.probabilities, tested.judgement.threshold
    return {
        "images": len(labels),
        "auc": figures_of_merit.auc(labels, scores),
        "accuracy": figures_of_merit.accuracy(labels, scores, threshold),
        "f1": figures_of_merit.f1(labels, scores, threshold),
    }


def studies(cohort: Cohort, tested: Sequence[Tested]) -> tuple[dict[str, Figure], tuple[str, ...]]:
    """Figures per study, by every fold's own rule and threshold."""
    labels, scores, called, persons = [], [], [], []
    for t in tested:
        of_study = cohort.examples.rows[t.rows]
        for study in np.unique(of_study):
            mine = of_study == study
            probability = _study(t.probabilities[mine], t.judgement.rule)
            scores.append(probability)
            called.append(probability - t.judgement.study_threshold + 0.5)
            labels.append(int(cohort.labels[t.rows][mine].max()))
            persons.append(cohort.rows[study].person)
    truths = np.array(labels, np.int64)
    if len(np.unique(truths)) < 2:
        note = "all studies are of one class: figures per study say nothing of the other"
        return measured(truths, np.array(scores), np.array(called), persons), (note,)
    return measured(truths, np.array(scores), np.array(called), persons), ()


def _study(probabilities: Float64Array, rule: StudyRule) -> float:
    """Probability of a study from its slices', as the service computes it."""
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    top = mean_top(np.log(clipped / (1 - clipped)), rule.top)
    return float(sigmoid(np.array(rule.slope * top + rule.bias)))


def several_scanners(cohort: Cohort) -> bool:
    """Whether the index names more than one site or scanner."""
    return any(len(set(cohort.of(name)) - {""}) > 1 for name in ("site", "scanner"))


def naive_warning(model: Figure, naive: Figure, several: bool) -> tuple[str, ...]:
    """A sentence where the naive classifier comes close."""
    if not model.value - naive.value < CLOSE:
        return ()
    learned = "the scanner" if several else "no more than that"
    return (
        f"the naive classifier (background, resolution, histogram, position) reaches an AUC of"
        f" {naive.value:.3f}, the model {model.value:.3f}: it may have learned {learned}",
    )


def apart(
    cohort: Cohort, tested: Sequence[Tested], known: Acquainted | None
) -> dict[str, dict[str, dict[str, Figure]]]:
    """Figures of the persons that a bundle has not seen, and of those it has."""
    found: dict[str, dict[str, dict[str, Figure]]] = {}
    if known is None or not known.mixed:
        return found
    for name in ("unseen", "seen"):
        part = [_of_persons(cohort, t, known, unseen=name == "unseen") for t in tested]
        rows = np.concatenate([t.rows for t in part])
        if len(rows):
            scores = np.concatenate([t.probabilities for t in part])
            called = np.concatenate([t.probabilities - t.judgement.threshold for t in part]) + 0.5
            persons = [cohort.persons[row] for row in rows]
            slices = measured(cohort.labels[rows], scores, called, persons)
            found[name] = {"slices": slices, "studies": studies(cohort, part)[0]}
    return found


def _of_persons(cohort: Cohort, tested: Tested, known: Acquainted, *, unseen: bool) -> Tested:
    """The test images of some persons."""
    mine = known.rows([cohort.persons[row] for row in tested.rows], unseen=unseen)
    return replace(
        tested,
        rows=tested.rows[mine],
        probabilities=tested.probabilities[mine],
        naive=tested.naive[mine],
    )
