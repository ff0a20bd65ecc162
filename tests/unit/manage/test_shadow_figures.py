"""The figures of two readers: known values, and what they do not depend on."""

import numpy as np
import pytest

from msnode.manage.shadow_figures import Measured, accuracy, agreement, differences, kappa


def patients(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_kappa_is_that_of_the_textbook() -> None:
    """Cohen (1960), a table of 2 x 2: 20 and 15 the same, 5 and 10 not; kappa 0.4."""
    pairs = [("present", "present")] * 20 + [("present", "absent")] * 5
    pairs += [("absent", "present")] * 10 + [("absent", "absent")] * 15
    ours, theirs = (list(side) for side in zip(*pairs, strict=True))
    found = kappa(ours, theirs, patients(50))
    assert found.value == pytest.approx(0.4)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.4 < found.high
    assert agreement(ours, theirs).value == pytest.approx(0.7)


def test_kappa_says_nothing_where_both_always_say_the_same() -> None:
    assert kappa(["absent"] * 9, ["absent"] * 9, patients(9)) == Measured(None)


def test_full_agreement_of_few_has_a_wide_interval() -> None:
    found = agreement(["absent"] * 10, ["absent"] * 10)
    assert found.value == 1.0
    assert found.low == pytest.approx(0.7225, abs=1e-4), "Wilson, of 10 of 10"


def test_differences_are_bland_and_altmans() -> None:
    found = differences(np.array([0.5, 0.7, 0.6]), np.array([0.4, 0.4, 0.4]))
    assert found.mean == pytest.approx(0.2)
    assert found.high is not None
    assert found.high - 0.2 == pytest.approx(1.96 * 0.1)
    assert differences(np.array([0.5]), np.array([0.4])).low is None
    assert differences(np.array([]), np.array([])).mean is None


def test_who_decides_nothing_has_neither_found_nor_cleared() -> None:
    truth = np.array([True, True, False, False])
    outcomes = ["present", "undetermined", "absent", "undetermined"]
    found = accuracy(truth, outcomes, np.array([0.9, 0.5, 0.1, 0.5]), patients(4))
    assert (found.sensitivity.value, found.specificity.value) == (0.5, 0.5)
    assert found.brier.value == pytest.approx((0.01 + 0.25 + 0.01 + 0.25) / 4)


def test_the_calibration_error_is_zero_where_probabilities_come_true() -> None:
    truth = np.array([True] * 3 + [False] * 7)
    found = accuracy(truth, ["absent"] * 10, np.full(10, 0.3), patients(10))
    assert found.ece.value == pytest.approx(0)
    assert accuracy(truth, ["absent"] * 10, np.full(10, 0.8), patients(10)).ece.value == (
        pytest.approx(0.5)
    )


def test_many_studies_of_one_patient_are_no_evidence_of_many() -> None:
    """Two patients, of whom one is found each time and the other never: nothing is known."""
    truth = np.array([True] * 40)
    outcomes, probabilities = ["present"] * 20 + ["absent"] * 20, np.full(40, 0.5)
    of_forty = accuracy(truth, outcomes, probabilities, patients(40)).sensitivity
    of_two = accuracy(truth, outcomes, probabilities, ["a"] * 20 + ["b"] * 20).sensitivity
    assert of_two == Measured(0.5, 0.0, 1.0)
    assert of_forty.low is not None
    assert of_forty.low > 0.3
