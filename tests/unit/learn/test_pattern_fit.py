"""The rule of what outlined lesions mean: its signs hold, and it is measured on others."""

import numpy as np
import pytest

from msnode.learn.evaluate import pattern_fit
from msnode.learn.evaluate.pattern_fit import NUMBERS, Measured
from msnode.records.lesions import LesionPattern


def scans(seed: int = 0, persons: int = 30, flipped: bool = False) -> Measured:
    """People with MS have many lesions at their places, others few elsewhere."""
    rng = np.random.default_rng(seed)
    labels = np.arange(persons) % 2
    ms = labels if not flipped else 1 - labels
    counts = np.where(ms == 1, rng.integers(8, 40, persons), rng.integers(0, 12, persons))
    place = np.where(ms == 1, 0.2, -0.7) + rng.normal(0, 0.3, persons)
    slices = rng.normal(0, 1, persons)
    rows = [
        pattern_fit.row(LesionPattern(int(n), float(at)), float(z))
        for n, at, z in zip(counts, place, slices, strict=True)
    ]
    names = np.array([f"p{n}" for n in range(persons)])
    groups = np.array([f"site {n % 3} {label}" for n, label in enumerate(labels)])
    return Measured(np.array(rows), labels, names, groups, np.ones(persons, np.bool_))


def test_people_it_was_not_fitted_to_are_told_apart() -> None:
    data = scans()
    found = pattern_fit.by_others(data, ("count", "place"))
    assert found[data.labels == 1].mean() > 0.85
    assert found[data.labels == 0].mean() < 0.15


def test_a_person_is_never_among_those_that_the_weights_were_fitted_to() -> None:
    """One person's label is turned: all others' weights change, his own probability does not."""
    data = scans()
    before = pattern_fit.by_others(data, NUMBERS)
    data.labels[4] = 1 - data.labels[4]
    after = pattern_fit.by_others(data, NUMBERS)
    assert after[4] == pytest.approx(before[4], abs=1e-6)
    assert np.abs(np.delete(after - before, 4)).max() > 0.01


def test_signs_hold_even_against_the_data() -> None:
    weights = pattern_fit.fit(scans(flipped=True), NUMBERS)
    assert weights["count"] == weights["place"] == 0
    assert pattern_fit.fit(scans(), NUMBERS)["count"] > 0


def test_a_site_with_many_scans_does_not_outvote_the_others() -> None:
    data = scans()
    many = np.concatenate([np.arange(30), np.repeat(np.flatnonzero(data.groups == "site 0 0"), 20)])
    more = Measured(*(getattr(data, name)[many] for name in Measured.__slots__))
    one, other = (pattern_fit.fit(of, ("count", "place")) for of in (data, more))
    assert one == pytest.approx(other, rel=0.02)


def test_sites_are_judged_by_other_sites_and_only_where_those_have_both_kinds() -> None:
    data = scans()
    sites = np.array(["a" if n < 15 else "b" for n in range(30)])
    assert not np.isnan(pattern_fit.by_other_sites(data, sites, NUMBERS)).any()
    alone = np.where(data.labels == 1, "ms site", "other site")
    assert np.isnan(pattern_fit.by_other_sites(data, alone, NUMBERS)).all()


def test_the_rule_of_a_bundle_says_what_the_fit_said() -> None:
    data = scans()
    weights = pattern_fit.fit(data, NUMBERS)
    rule = pattern_fit.rule(weights, "n" * 64)
    seen = LesionPattern(count=12, place=0.3)
    one = Measured(
        np.array([pattern_fit.row(seen, 0.7)]),
        data.labels[:1],
        data.persons[:1],
        data.groups[:1],
        data.tested[:1],
    )
    logit = float(np.log(1 / pattern_fit.probabilities(one, weights)[0] - 1))
    assert rule.logit(seen, 0.7) == pytest.approx(-logit, abs=1e-3)


def test_a_person_counts_once_however_often_he_was_scanned() -> None:
    data = scans()
    often = np.append(np.arange(30), [2] * 12)
    again = Measured(
        data.numbers[often], data.labels[often], data.persons[often], data.groups[often],
        data.tested[often],
    )  # fmt: skip
    once = pattern_fit.fit(data, NUMBERS)
    assert pattern_fit.fit(again, NUMBERS) == pytest.approx(once, abs=1e-3)
    others = data.persons.copy()
    others[2] = "p2 as well"  # as if the copies were of another
    twelve = Measured(
        again.numbers, again.labels, np.append(others, ["p2"] * 12), again.groups, again.tested
    )
    assert abs(pattern_fit.fit(twelve, NUMBERS)["offset"] - once["offset"]) > 0.01
