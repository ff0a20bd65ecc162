"""Calibration and the study rule: monotone, bounded, exact where it can be computed by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msnode.classify import Calibration, StudyRule
from msnode.classify.decision import (
    PatternRule,
    decision,
    logit,
    sigmoid,
    slice_probabilities,
    study_logit,
    study_probability,
)
from msnode.records.lesions import LesionPattern

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
    low, high = study_probability(before, rule, 6.5), study_probability(after, rule, 6.5)
    assert 0 <= low <= high + 1e-12 <= 1 + 1e-12


@given(PROBABILITIES, RULES)
def test_the_order_of_the_slices_does_not_matter(values: list[float], rule: StudyRule) -> None:
    forward = np.array(values, np.float32)
    turned = study_probability(forward[::-1], rule, 6.5)
    assert study_probability(forward, rule, 6.5) == pytest.approx(turned)


@given(st.floats(-13, 13))
def test_logit_undoes_sigmoid(value: float) -> None:
    assert float(logit(sigmoid(np.array(value)))) == pytest.approx(value, abs=1e-6)


def test_the_rule_by_hand() -> None:
    probabilities = sigmoid(np.array([-4.0, 1.0, 3.0, -2.0])).astype(np.float32)
    expected = sigmoid(np.array(0.5 * (1 + 3) / 2 - 0.25))
    rule = StudyRule(2, 0.5, -0.25)
    for distance_mm in (1.0, 8.0):
        found = study_probability(probabilities, rule, distance_mm)
        assert found == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("parts", [2, 5, 20])
def test_the_same_head_in_thinner_slices_is_judged_alike(parts: int) -> None:
    thick = sigmoid(np.array([-4.0, 1.0, 3.0, -2.0, 0.5])).astype(np.float32)
    thin = np.repeat(thick, parts)
    by_mm = StudyRule(slope=0.7, bias=0.1, top_mm=15.0)
    assert study_probability(thin, by_mm, 6.0 / parts) == pytest.approx(
        study_probability(thick, by_mm, 6.0), abs=1e-6
    )
    by_number = StudyRule(slope=0.7, bias=0.1)
    assert study_probability(thin, by_number, 6.0 / parts) > study_probability(
        thick, by_number, 6.0
    )


def test_part_of_a_slice_counts_in_part() -> None:
    probabilities = sigmoid(np.array([3.0, 1.0, -4.0])).astype(np.float32)
    found = study_logit(probabilities, StudyRule(top_mm=9.0), 6.0)
    assert found == pytest.approx((3.0 + 0.5 * 1.0) / 1.5, abs=1e-5)


RULE = PatternRule("n" * 64, offset=-4.0, count=2.0, place=1.0, classifier=0.25)


@given(st.integers(0, 300), st.integers(0, 300), st.floats(-3, 3), st.floats(-9, 9))
def test_more_lesions_never_lower_the_study(
    one: int, other: int, place: float, slices: float
) -> None:
    low, high = (RULE.logit(LesionPattern(count, place), slices) for count in sorted((one, other)))
    assert low <= high


def test_the_pattern_by_hand() -> None:
    found = RULE.logit(LesionPattern(count=19, place=-0.5), 2.0)
    assert found == pytest.approx(-4 + 2 * np.log(20) - 0.5 + 0.5)


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
