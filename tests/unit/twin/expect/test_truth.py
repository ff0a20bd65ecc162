"""Patients of whom the truth is known: intervals cover it, and the twin beats what is naive."""

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from msnode.twin.clinical.course import Course
from msnode.twin.expect import edss_scale, lesion_rate
from msnode.twin.expect.forecast import Belief, Beliefs, Forecast, forecast
from msnode.twin.expect.line import Line
from msnode.twin.expect.scored_value import Told
from msnode.twin.rules.activity import compared_studies
from tests.unit.twin.expect.synthetic import PRIORS, Patient, patient

PATIENTS = 1500


@cache
def patients(change_at: int | None) -> list[tuple[Patient, Forecast]]:
    """Each with what was believed before the last visit."""
    dice = np.random.default_rng(7)
    made = []
    for _ in range(PATIENTS):
        one = patient(dice, int(dice.integers(4, 9)), change_at)
        last = one.course.imaging[-1].day
        assert last is not None
        made.append((one, forecast(one.before(last), PRIORS, last)))
    return made


def load_told(belief: Line, ml: float) -> Told:
    normal = belief.measured(belief.day)
    return Told(math.log(normal.pdf(ml)), normal.cdf(ml), normal.cdf(ml))


Beside = tuple[str, tuple[Told, ...]]


def scores(change_at: int | None) -> Iterator[Beside]:
    """Of each quantity at the last visit: twin, population, last value."""
    for one, told in patients(change_at):
        scan, edss = one.course.imaging[-1], one.course.edss()[-1]
        [compared] = compared_studies(Course((), (scan,), ()))
        years = (compared.day - compared.prior).days / 365.25
        ml = scan.lesion_ml or 0.0
        yield "new lesions", tuple(r.judged(compared.new, years) for r in of(told.new_lesions))
        yield "load", tuple(load_told(belief, ml) for belief in of(told.load))
        judged = (edss_scale.judged(b.measured(b.day), edss.value) for b in of(told.edss))
        yield "EDSS", tuple(judged)


def of(beliefs: Beliefs[Belief]) -> tuple[Belief, Belief, Belief]:
    assert beliefs.last is not None
    return beliefs.twin, beliefs.population, beliefs.last


@pytest.mark.parametrize("change_at", [None, 2], ids=["no change", "a treatment begins"])
@pytest.mark.parametrize("quantity", ["new lesions", "load", "EDSS"])
def test_intervals_cover_and_the_twin_beats_both_naive_forecasts(
    quantity: str, change_at: int | None
) -> None:
    mine = [told for name, told in scores(change_at) if name == quantity]
    covered = float(np.mean([twin.covered for twin, _, _ in mine]))
    assert 0.75 <= covered <= 0.85
    twin, population, last = (float(np.mean([one[i].log_score for one in mine])) for i in range(3))
    assert twin > population
    assert twin > last


@pytest.mark.parametrize("change_at", [None, 2], ids=["no change", "a treatment begins"])
def test_the_posterior_is_nearer_to_the_truth_than_the_prior(change_at: int | None) -> None:
    found = patients(change_at)
    rates = np.array([one.rate for one, _ in found])
    slopes = np.array([one.slope for one, _ in found])
    believed = np.array([told.new_lesions.twin.mean for _, told in found])
    grown = np.array([told.load.twin.slope for _, told in found])
    prior, slope = lesion_rate.prior(PRIORS).mean, PRIORS.load.slope.value
    assert np.mean(abs(believed - rates)) < 0.7 * np.mean(abs(prior - rates))
    assert np.mean((grown - slopes) ** 2) < 0.7 * np.mean((slope - slopes) ** 2)


def test_the_interval_of_the_rate_itself_covers_the_true_rate() -> None:
    inside = [
        told.new_lesions.twin.interval().low <= one.rate <= told.new_lesions.twin.interval().high
        for one, told in patients(None)
    ]
    growth = [
        told.load.twin.growth().low <= one.slope <= told.load.twin.growth().high
        for one, told in patients(None)
    ]
    assert 0.75 <= np.mean(inside) <= 0.85
    assert 0.75 <= np.mean(growth) <= 0.85
