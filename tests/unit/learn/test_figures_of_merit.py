"""Our figures against scikit-learn's, and their intervals."""

import numpy as np
import pytest
from sklearn import metrics as reference

from msnode.learn.data.splits import Labels
from msnode.learn.evaluate import figures_of_merit as merit
from msnode.records.images import Float64Array


@pytest.fixture(params=[0, 1, 2])
def data(request: pytest.FixtureRequest) -> tuple[Labels, Float64Array]:
    rng = np.random.default_rng(request.param)
    labels = rng.integers(0, 2, 200)
    scores = np.clip(0.4 * labels + rng.uniform(0, 0.8, 200), 0, 1)
    return labels, np.round(scores, 1 + request.param)  # few digits: many ties


def test_agree_with_scikit_learn(data: tuple[Labels, Float64Array]) -> None:
    labels, scores = data
    called = scores >= 0.5
    expected = {
        "accuracy": reference.accuracy_score(labels, called),
        "sensitivity": reference.recall_score(labels, called),
        "specificity": reference.recall_score(labels, called, pos_label=0),
        "precision": reference.precision_score(labels, called),
        "f1": reference.f1_score(labels, called),
        "auc": reference.roc_auc_score(labels, scores),
        "average_precision": reference.average_precision_score(labels, scores),
        "brier": reference.brier_score_loss(labels, scores),
    }
    for name, value in expected.items():
        assert merit.MEASURES[name](labels, scores, 0.5) == pytest.approx(value), name


def test_calibration_error_of_known_cases() -> None:
    labels = np.array([1, 1, 0, 0])
    assert merit.calibration_error(labels, np.array([1.0, 1.0, 0.0, 0.0])) == 0
    assert merit.calibration_error(labels, np.array([0.0, 0.0, 1.0, 1.0])) == 1
    assert merit.calibration_error(labels, np.full(4, 0.5)) == 0


def test_one_class_is_undefined_not_wrong() -> None:
    figures = merit.measure(np.ones(4, np.int64), np.full(4, 0.7), ["a", "a", "b", "b"], draws=20)
    for name in ("auc", "specificity", "precision", "f1", "average_precision"):
        assert np.isnan(figures[name].value), name
        assert np.isnan(figures[name].low), name
        assert str(figures[name]) == "not defined: one class only"
        assert merit.plain(figures)[name]["reason"] == "one class only"
    assert figures["sensitivity"].value == 1
    assert "reason" not in merit.plain(figures)["sensitivity"]


def test_persons_are_drawn_whole() -> None:
    persons = ["a"] * 3 + ["b"] * 5 + ["c"]
    for rows in merit.resampled(persons, 50, seed=1):
        drawn = [persons[row] for row in rows]
        assert drawn.count("a") % 3 == 0
        assert drawn.count("b") % 5 == 0


def test_intervals_widen_with_dependent_slices() -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 60)
    quality = np.repeat(rng.normal(0.3, 0.6, 6), 20)  # every person has their own difficulty
    scores = 1 / (1 + np.exp(-(quality * (2 * labels - 1) + rng.normal(0, 0.5, 120))))
    persons = np.repeat(list("abcdef"), 20)
    by_person = merit.measure(labels, scores, list(persons), draws=300)["auc"]
    by_slice = merit.measure(labels, scores, [str(k) for k in range(120)], draws=300)["auc"]
    assert by_person.high - by_person.low > by_slice.high - by_slice.low


def test_operating_point() -> None:
    labels = np.array([1] * 10 + [0] * 10)
    scores = np.concatenate([np.linspace(0.1, 1.0, 10), np.linspace(0, 0.5, 10)])
    threshold = merit.threshold_for(labels, scores, 0.9)
    assert merit.sensitivity(labels, scores, threshold) == pytest.approx(0.9)
    assert merit.sensitivity(labels, scores, threshold + 0.01) < 0.9


def test_a_figure_reads_without_what_is_not_known() -> None:
    nan = float("nan")
    assert str(merit.Figure(0.9123, 0.8, 0.95)) == "0.912 (0.800-0.950)"
    assert str(merit.Figure(0.72, nan, nan)) == "0.720"
    assert str(merit.Figure(nan, nan, nan)) == "-"
