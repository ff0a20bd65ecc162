"""How far apart two samples are, how likely by chance, and which of many tests stand."""

import numpy as np
import pytest

from msnode.drift import two_samples
from msnode.drift.two_samples import binned, counted, holm, ks_chance, psi, psi_chance, share_chance


def test_the_index_is_that_of_the_hand() -> None:
    base, now = np.array([40, 60]), np.array([80, 20])
    a, b = np.array([40.5, 60.5]) / 101, np.array([80.5, 20.5]) / 101
    assert float(psi(base, now)) == pytest.approx(float(((a - b) * np.log(a / b)).sum()))
    assert float(psi(base, base)) == 0


def test_bins_hold_a_tenth_each_and_ties_stay_together() -> None:
    one, other = binned(np.arange(100.0), np.arange(100.0) + 0.5)
    assert (one + other).tolist() == [20] * 10
    one, other = binned([5.0] * 50 + [6.0] * 50, [5.0] * 90 + [6.0] * 10)
    assert one.sum() == other.sum() == 100
    assert np.count_nonzero(one + other) == 2
    one, other = counted({"A": 3}, {"A": 1, "B": 4})
    assert (one.tolist(), other.tolist()) == ([3, 0], [1, 4])


def test_what_is_alike_is_likely_and_what_is_not_is_not() -> None:
    rng = np.random.default_rng(3)
    base, same, moved = rng.normal(size=300), rng.normal(size=100), rng.normal(1, size=100)
    assert psi_chance(*binned(base, same)) > 0.01
    assert ks_chance(base, same) > 0.01
    assert psi_chance(*binned(base, moved)) < 1e-4
    assert ks_chance(base, moved) < 1e-4
    assert share_chance((5, 100), (5, 100)) == pytest.approx(1.0)
    assert share_chance((5, 100), (40, 100)) < 1e-6
    spread = rng.normal(0, 2.5, size=100)
    assert psi_chance(*binned(base, spread)) < 0.001, "the middle stays, and it is seen"


def test_chances_are_even_where_nothing_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many samples of one kind a chance of 5 % is found in 5 %, with ties and without."""
    monkeypatch.setattr(two_samples, "DRAWS", 2000)
    rng = np.random.default_rng(8)
    found = []
    for _ in range(300):
        base, now = rng.normal(size=120), rng.normal(size=60)
        found.append(psi_chance(*binned(base, now)) <= 0.05)
        ties = rng.poisson(3, size=120), rng.poisson(3, size=60)
        found.append(psi_chance(*binned(*ties)) <= 0.05)
    assert 0.025 <= np.mean(found) <= 0.08


def test_of_many_tests_only_those_stand_that_holm_lets() -> None:
    assert holm([0.01, 0.02, 0.04], 0.05) == [True, True, True]
    assert holm([0.04, 0.02, 0.03], 0.05) == [False, False, False]
    assert holm([0.04, 0.001, 0.03], 0.05) == [False, True, False]
    assert holm([], 0.05) == []
