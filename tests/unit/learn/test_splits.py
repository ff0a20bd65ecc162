"""Splits never share a person, whatever the data look like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msnode.errors import Refused
from msnode.learn.data import splits

cohorts = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from("ab"), st.sampled_from("xyz")),
    min_size=12,
    max_size=120,
)


def columns(cohort: list[tuple[int, str, str]]) -> tuple[list[str], list[str], list[str]]:
    persons, classes, sites = zip(*cohort, strict=True)
    return [str(p) for p in persons], list(classes), list(sites)


def assert_disjoint(split: splits.Split, persons: list[str]) -> None:
    parts = [{persons[row] for row in part} for part in (split.train, split.validation, split.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert sum(map(len, (split.train, split.validation, split.test))) == len(persons)


@given(cohorts, st.integers(0, 5))
def test_holdout_shares_no_person(cohort: list[tuple[int, str, str]], seed: int) -> None:
    persons, classes, _ = columns(cohort)
    last = {
        person: max(c for p, c in zip(persons, classes, strict=True) if p == person)
        for person in persons
    }
    if min(list(last.values()).count(name) for name in set(last.values())) < 3:
        with pytest.raises(Refused, match="person"):
            splits.holdout(persons, classes, seed=seed)
        return
    split = splits.holdout(persons, classes, seed=seed)
    assert_disjoint(split, persons)
    assert min(len(split.train), len(split.validation), len(split.test)) > 0


@given(cohorts, st.integers(3, 6))
def test_k_fold_tests_everyone_once(cohort: list[tuple[int, str, str]], folds: int) -> None:
    persons, classes, _ = columns(cohort)
    if len(set(persons)) < folds:
        with pytest.raises(Refused):
            list(splits.k_fold(persons, classes, folds))
        return
    found = list(splits.k_fold(persons, classes, folds))
    for split in found:
        assert_disjoint(split, persons)
    tested = np.concatenate([split.test for split in found])
    assert sorted(tested) == list(range(len(persons)))


@given(cohorts)
def test_leaving_out_patients_and_sites(cohort: list[tuple[int, str, str]]) -> None:
    persons, classes, sites = columns(cohort)
    out = list(splits.leave_one_patient_out(persons, classes))
    assert len(out) == len(set(persons))
    for split in out:
        assert_disjoint(split, persons)
        assert len({persons[row] for row in split.test}) == 1
    home = dict(zip(persons, sites, strict=True))
    own = [home[person] for person in persons]
    if len(set(own)) < 2:
        return
    for split in splits.leave_one_site_out(persons, classes, own):
        assert_disjoint(split, persons)
        tested = {own[row] for row in split.test}
        assert tested == {split.name.removeprefix("without site ")}
        assert not tested & {own[row] for row in split.train}


@given(cohorts, st.data())
def test_extra_rows_are_only_learned_from(
    cohort: list[tuple[int, str, str]], given_data: st.DataObject
) -> None:
    persons, classes, _ = columns(cohort)
    extra = np.array(sorted(given_data.draw(st.sets(st.integers(0, len(persons) - 1)))), np.int64)
    chosen = np.setdiff1d(np.arange(len(persons)), extra)
    if len({persons[row] for row in chosen}) < 3:
        return
    own = [persons[row] for row in chosen], [classes[row] for row in chosen]
    for small in splits.k_fold(*own, folds=3):
        split = splits.with_extra(small, chosen, extra, persons)
        assert not set(extra) & {*split.validation, *split.test}
        learned = {persons[row] for row in split.train}
        assert not learned & {persons[row] for row in (*split.validation, *split.test)}
        assert set(chosen) <= {*split.train, *split.validation, *split.test}
        assert [persons[row] for row in split.test] == [own[0][row] for row in small.test]


def test_the_leaking_split_leaks() -> None:
    persons = [str(k // 10) for k in range(100)]
    split = splits.leaking(100, (0.75, 0.10, 0.15))
    assert {persons[r] for r in split.train} & {persons[r] for r in split.test}
    assert (len(split.train), len(split.validation), len(split.test)) == (75, 10, 15)


def test_too_few_persons_is_said() -> None:
    with pytest.raises(Refused, match="leave-one-patient-out"):
        splits.holdout(["1", "2"], ["a", "a"])
    with pytest.raises(Refused, match="two sites"):
        list(splits.leave_one_site_out(["1", "2"], ["a", "a"], ["x", "x"]))
