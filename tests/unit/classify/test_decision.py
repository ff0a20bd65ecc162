"""Calibration and the study rule: monotone, bounded, exact where it can be computed by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msnode.classify import Calibration, StudyRule
from msnode.classify.decision import (
    decision,
    logit,
    sigmoid,
    slice_probabilities,
    study_probability,
)

PROBABILITIES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40)
RULES = st.builds(
    StudyRule, top=st.integers(1, 10), slope=st.floats(0.05, 20), bias=st.floats(-5, 5)
)


@given(PROBABILITIES, RULES, st.data())
def test_no_slice_can_lower_the_study_by_rising(
    values: list[float], rule: StudyRule, data: st.DataObject
) -> None:
    before = np.array(values, np.float32)
    after = before.copy()
    index = data.draw(st.integers(0, len(values) - 1))
    after[index] = data.draw(st.floats(float(before[index]), 1, width=32))
    low, high = study_probability(before, rule), study_probability(after, rule)
    assert 0 <= low <= high + 1e-12 <= 1 + 1e-12


@given(PROBABILITIES, RULES)
def test_the_order_of_the_slices_does_not_matter(values: list[float], rule: StudyRule) -> None:
    forward = np.array(values, np.float32)
    assert study_probability(forward, rule) == pytest.approx(study_probability(forward[::-1], rule))


@given(st.floats(-13, 13))
def test_logit_undoes_sigmoid(value: float) -> None:
    assert float(logit(sigmoid(np.array(value)))) == pytest.approx(value, abs=1e-6)


def test_the_rule_by_hand() -> None:
    probabilities = sigmoid(np.array([-4.0, 1.0, 3.0, -2.0])).astype(np.float32)
    expected = sigmoid(np.array(0.5 * (1 + 3) / 2 - 0.25))
    assert study_probability(probabilities, StudyRule(2, 0.5, -0.25)) == pytest.approx(
        float(expected), abs=1e-6
    )


def test_calibration_by_hand() -> None:
    logits = np.array([[1.0, 3.0], [2.0, 2.0], [0.0, 5000.0]], np.float32)
    found = slice_probabilities(logits, Calibration(slope=0.5, bias=-1.0))
    np.testing.assert_allclose(found, [0.5, 1 / (1 + np.e), 1.0], rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (0.0, "absent"),
        (0.39, "absent"),
        (0.4, "undetermined"),
        (0.5, "undetermined"),
        (0.6, "present"),
        (1.0, "present"),
    ],
)
def test_threshold_and_undetermined(probability: float, expected: str) -> None:
    assert decision(probability, 0.5, (0.4, 0.6)) == expected


def test_the_threshold_itself_is_present() -> None:
    assert decision(0.5, 0.5, None) == "present"
    assert decision(np.nextafter(0.5, 0), 0.5, None) == "absent"


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan")])
def test_a_slope_that_turns_the_decision_around_is_refused(slope: float) -> None:
    with pytest.raises(ValueError, match="slope"):
        Calibration(slope=slope)
    with pytest.raises(ValueError, match="slope"):
        StudyRule(slope=slope)
