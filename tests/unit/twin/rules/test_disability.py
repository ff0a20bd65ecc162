"""Worsening of the EDSS, its confirmation, the roving reference, PIRA and RAW."""

from datetime import date, timedelta

import pytest

from msnode.twin.clinical.course import Course, Measure, course
from msnode.twin.clinical.event_kinds import days_of
from msnode.twin.clinical.events import Event
from msnode.twin.rules.disability import pira, raw, step, worsening, worsenings

START = date(2020, 1, 1)


def at(week: float) -> date:
    return START + timedelta(days=round(7 * week))


def scores(*pairs: tuple[float, float]) -> list[Measure]:
    """EDSS by week."""
    return [Measure(at(week), value, f"{week}") for week, value in pairs]


def made(
    *pairs: tuple[float, float], relapses: tuple[float, ...] = (), all_known: bool = False
) -> Course:
    events = [Event("edss", at(week), f"{value:.1f}") for week, value in pairs]
    events += [Event("relapse", at(week)) for week in relapses]
    if all_known:
        events.append(Event("relapse_review", date(2025, 1, 1), "2019-01-01"))
    return course(events, (), date(2026, 1, 1))[0]


@pytest.mark.parametrize(
    ("reference", "rise"),
    [(0, 1.5), (1, 1), (1.5, 1), (5, 1), (5.5, 1), (6, 0.5), (6.5, 0.5), (9.5, 0.5)],
)
def test_the_steps_are_those_of_the_paper(reference: float, rise: float) -> None:
    assert step(reference) == rise


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [(0, 1, False), (0, 1.5, True), (1, 1.5, False), (1, 2, True), (5.5, 6, False),
     (5.5, 6.5, True), (6, 6.5, True)],
)  # fmt: skip
def test_a_rise_counts_from_its_step(before: float, after: float, counts: bool) -> None:
    found = worsenings(scores((0, before), (26, after), (52, after)), 24)
    assert bool(found.confirmed) == counts


def test_a_rise_is_confirmed_after_12_or_24_weeks_and_not_a_day_sooner() -> None:
    for weeks in (12, 24):
        early = scores((0, 2), (10, 3), (10 + weeks - 1 / 7, 3))
        assert worsenings(early, weeks).confirmed == ()
        assert worsenings(early, weeks).pending == at(10)
        (found,) = worsenings(scores((0, 2), (10, 3), (10 + weeks, 3)), weeks).confirmed
        assert (found.onset, found.confirmed) == (at(10), at(10 + weeks))


def test_a_rise_that_falls_back_before_its_confirmation_is_none() -> None:
    found = worsenings(scores((0, 2), (10, 3), (20, 2), (40, 3.5), (70, 2.5)), 24)
    assert found.confirmed == ()
    assert found.pending is None


def test_the_reference_roves_up_to_the_confirmed_level() -> None:
    course_ = scores((0, 2), (10, 4), (40, 3), (60, 4), (90, 4.5))
    first, second = worsenings(course_, 24).confirmed
    assert (first.reference, first.level) == (2, 3)
    assert (second.reference, second.level, second.onset) == (3, 4, at(60))


def test_the_reference_roves_down_only_where_the_lower_score_is_held() -> None:
    held = scores((0, 4), (10, 2), (40, 2), (60, 3), (90, 3))
    assert [one.reference for one in worsenings(held, 24).confirmed] == [2]
    once = scores((0, 4), (10, 2), (20, 4), (60, 4.5), (90, 4.5))
    assert worsenings(once, 24).confirmed == ()


def test_too_little_is_unknown_and_not_no() -> None:
    assert worsening(made(), 24).value is None
    assert worsening(made((0, 2)), 24).value is None
    open_ = worsening(made((0, 2), (50, 3)), 24)
    assert open_.value is None
    assert str(at(50)) in open_.missing[0]
    assert worsening(made((0, 2), (50, 2.5)), 24).value == "no"


def test_a_contradiction_makes_it_unknown() -> None:
    assert worsening(made((0, 2), (0, 4), (50, 2), (90, 2)), 24).value is None


def test_a_result_names_what_it_used() -> None:
    found = worsening(made((0, 2), (10, 2), (50, 3), (80, 3)), 24)
    assert found.value == "yes"
    used = [
        Event("edss", at(week), f"{value:.1f}").identity
        for week, value in ((0, 2), (50, 3), (80, 3))
    ]
    assert found.inputs == tuple(sorted(used))
    assert "24 weeks" in found.rule.definition
    assert "Kappos" in found.rule.source


RISE = ((0, 2), (50, 3), (80, 3))


@pytest.mark.parametrize(
    ("days", "with_one"),
    [(-91, False), (-90, True), (0, True), (30, True), (31, False)],
)
def test_the_window_is_from_90_days_before_to_30_after(days: int, with_one: bool) -> None:
    found = made(*RISE, relapses=(50 + days / 7,), all_known=True)
    assert raw(found).value == ("yes" if with_one else "no")
    assert pira(found).value == ("no" if with_one else "yes")


def test_without_a_review_of_relapses_it_is_unknown_whether_it_was_independent() -> None:
    found = made(*RISE)
    assert pira(found).value is None
    assert raw(found).value is None
    assert "relapse_review" in pira(found).missing[0]
    assert raw(made(*RISE, relapses=(50,))).value == "yes", "one relapse on record is enough"


def test_without_a_worsening_there_is_neither() -> None:
    found = made((0, 2), (50, 2))
    assert (pira(found).value, raw(found).value) == ("no", "no")


def test_a_second_relapse_of_one_attack_still_lies_in_the_window() -> None:
    """What counts as one relapse may begin again in the window."""
    onset = 50 - 90 / 7
    found = made(*RISE, relapses=(onset - 2, onset), all_known=True)
    assert raw(found).value == "yes"


def test_a_relapse_of_a_month_is_in_the_window_or_not_or_it_is_unknown() -> None:
    """The worsening begins on 2020-12-16: the window is from 2020-09-17 to 2021-01-15."""
    for digits, with_one in ("202010", "yes"), ("202102", "no"), ("202009", None), ("2020", None):
        first, last = days_of(digits)
        review = Event("relapse_review", date(2025, 1, 1), "2019-01-01")
        scores_ = (Event("edss", at(week), f"{value:.1f}") for week, value in RISE)
        record = [*scores_, review, Event("relapse", first, last=last)]
        found = raw(course(record, (), date(2026, 1, 1))[0])
        assert found.value == with_one
        assert with_one or "the whole date of the relapse" in found.missing[0]
