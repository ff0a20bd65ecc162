"""NEDA-3, relapse rate, duration, modified Rio, MAGNIMS."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from msnode.twin.clinical.course import Course, Imaging, course
from msnode.twin.clinical.event_kinds import days_of
from msnode.twin.clinical.events import Event
from msnode.twin.rules import all_rules
from msnode.twin.rules.activity import disease_duration, neda3, relapse_rate
from msnode.twin.rules.treatment_response import (
    magnims,
    magnims_points,
    modified_rio,
    rio_points,
)

ON = date(2026, 1, 1)
BEGUN = date(2020, 1, 1)
REVIEW = Event("relapse_review", date(2025, 1, 1), "2019-01-01")
FIRST, SECOND = date(2020, 1, 10), date(2021, 1, 10)
SCAN = Imaging("s2", SECOND, FIRST, new=0, enlarging=0)
QUIET = (
    REVIEW,
    Event("edss", FIRST, "2.0"),
    Event("edss", SECOND, "2.0"),
    Event("enhancing_lesions", SECOND, "0"),
)


def made(*events: Event, scans: tuple[Imaging, ...] = (SCAN,)) -> Course:
    return course(events, scans, ON)[0]


def test_no_activity_at_all_is_neda() -> None:
    found = neda3(made(*QUIET))
    assert found.value == "yes"
    assert set(found.inputs) == {"s2", *(event.identity for event in QUIET)}


@pytest.mark.parametrize("left_out", range(len(QUIET)))
def test_where_a_part_is_missing_neda_is_unknown(left_out: int) -> None:
    found = neda3(made(*(event for n, event in enumerate(QUIET) if n != left_out)))
    assert found.value is None
    assert found.missing


def test_without_a_compared_scan_neda_is_unknown() -> None:
    for scan in (replace(SCAN, new=None), replace(SCAN, prior=None), replace(SCAN, enlarging=None)):
        assert neda3(made(*QUIET, scans=(scan,))).value is None
    assert neda3(made(*QUIET, scans=())).value is None


@pytest.mark.parametrize(
    ("event", "scan"),
    [
        (Event("relapse", date(2020, 6, 1)), SCAN),
        (Event("enhancing_lesions", date(2020, 6, 1), "1"), SCAN),
        (None, replace(SCAN, new=1)),
        (None, replace(SCAN, enlarging=1)),
    ],
)
def test_any_activity_is_enough_also_where_the_rest_is_unknown(
    event: Event | None, scan: Imaging
) -> None:
    for known in (QUIET, ()):
        events = (*known, event) if event else known
        assert neda3(made(*events, scans=(scan,))).value == "no"


def test_a_worsening_within_the_time_is_activity() -> None:
    rise = Event("edss", date(2020, 6, 1), "3.0"), Event("edss", date(2020, 12, 1), "3.0")
    assert neda3(made(QUIET[0], QUIET[1], QUIET[3], *rise)).value == "no"
    open_ = Event("edss", SECOND, "3.0")
    assert neda3(made(QUIET[0], QUIET[1], QUIET[3], open_)).value is None


def test_activity_before_the_earlier_scan_is_not_of_that_time() -> None:
    assert neda3(made(*QUIET, Event("relapse", FIRST))).value == "yes"


def test_the_relapse_rate_is_of_the_time_that_is_known() -> None:
    relapses = [Event("relapse", date(year, 5, 1)) for year in (2018, 2020, 2021, 2022)]
    found = relapse_rate(made(REVIEW, *relapses))
    assert found.value == round(3 / (2192 / 365.25), 3)
    assert relapse_rate(made(*relapses)).value is None
    assert relapse_rate(made(REVIEW)).value == 0


def test_the_duration_is_since_onset() -> None:
    onset = Event("onset", date(2016, 1, 1))
    assert disease_duration(made(onset), ON).value == 10.0
    assert disease_duration(made(), ON).value is None
    assert disease_duration(made(onset), date(2015, 1, 1)).value is None


@pytest.mark.parametrize(
    ("relapses", "lesions", "rio", "magnims_score"),
    [
        (0, 0, 0, 0), (0, 2, 0, 0), (0, 3, 0, 1), (0, 5, 0, 1), (0, 6, 1, 1), (1, 0, 1, 1),
        (1, 2, 1, 1), (1, 3, 1, 2), (1, 5, 1, 2), (1, 6, 2, 2), (2, 0, 2, 2), (2, 6, 3, 2),
        (3, 0, 2, 2),
    ],
)  # fmt: skip
def test_the_scores_are_those_of_the_papers(
    relapses: int, lesions: int, rio: int, magnims_score: int
) -> None:
    assert rio_points(relapses, lesions) == rio
    assert magnims_points(relapses, lesions) == magnims_score


TREATED = Event("treatment_begun", BEGUN, "interferon beta-1a")


def relapsed(number: int) -> list[Event]:
    return [Event("relapse", BEGUN + timedelta(days=60 * n + 30)) for n in range(number)]


@pytest.mark.parametrize(
    ("relapses", "lesions", "rio", "says"),
    [(0, 5, 0, "24 %"), (1, 0, 1, "33 %"), (2, 9, 2, "65 %")],
)
def test_the_first_year_is_scored(relapses: int, lesions: int, rio: int, says: str) -> None:
    found = made(TREATED, REVIEW, *relapsed(relapses), scans=(replace(SCAN, new=lesions),))
    assert modified_rio(found, ON).value == rio
    assert says in modified_rio(found, ON).words
    assert magnims(found, ON).value == magnims_points(relapses, lesions)


def test_what_is_missing_does_not_matter_where_it_cannot_change_the_score() -> None:
    two = made(TREATED, *relapsed(2), scans=())
    assert (modified_rio(two, ON).value, magnims(two, ON).value) == (2, 2)
    one = made(TREATED, REVIEW, *relapsed(1), scans=())
    assert (modified_rio(one, ON).value, magnims(one, ON).value) == (None, None)
    none = made(TREATED, scans=(SCAN,))
    assert modified_rio(none, ON).value is None, "no relapse on record is not no relapse"


def test_new_lesions_are_added_up_over_the_scans_of_the_year() -> None:
    middle = date(2020, 6, 1)
    scans = Imaging("s1", middle, FIRST, new=3), replace(SCAN, prior=middle, new=3)
    assert modified_rio(made(TREATED, REVIEW, scans=scans), ON).value == 1
    assert modified_rio(made(TREATED, REVIEW, scans=scans[1:]), ON).value is None


def test_a_scan_long_before_the_begin_says_only_how_many_at_most() -> None:
    old = date(2018, 1, 1)
    few, many = (replace(SCAN, prior=old, new=n) for n in (2, 9))
    assert modified_rio(made(TREATED, REVIEW, scans=(few,)), ON).value == 0
    assert modified_rio(made(TREATED, REVIEW, scans=(many,)), ON).value is None


def test_a_year_that_is_not_over_or_was_not_whole_has_no_score() -> None:
    assert modified_rio(made(TREATED, REVIEW), date(2020, 12, 1)).value is None
    stopped = Event("treatment_stopped", date(2020, 7, 1), "Interferon beta-1a")
    assert magnims(made(TREATED, REVIEW, stopped), ON).value is None
    assert magnims(made(REVIEW), ON).value is None


def test_every_rule_prints_definition_and_source_and_an_empty_record_knows_nothing() -> None:
    for one in all_rules(made(scans=()), ON):
        assert one.value is None, one.rule.name
        assert one.missing
        assert one.rule.definition
        assert one.rule.source


def test_a_rate_of_a_month_is_none() -> None:
    month = Event("relapse_review", date(2020, 2, 1), "2020-01-01")
    found = relapse_rate(made(month, Event("relapse", date(2020, 1, 15)), scans=()))
    assert found.value is None
    assert found.missing


def test_a_refill_does_not_begin_the_first_year_again() -> None:
    refill = Event("treatment_begun", date(2021, 6, 1), "Interferon beta-1A")
    assert modified_rio(made(TREATED, refill, REVIEW, *relapsed(2)), ON).value == 2
    stopped = Event("treatment_stopped", date(2021, 5, 1), "interferon beta-1a")
    assert modified_rio(made(TREATED, stopped, refill, REVIEW, *relapsed(2)), ON).value is None


def vague(kind: str, digits: str, value: str = "") -> Event:
    first, last = days_of(digits)
    return Event(kind, first, value, last=last)


def test_a_relapse_of_a_year_counts_where_all_of_the_year_does() -> None:
    assert neda3(made(*QUIET, vague("relapse", "202006"))).value == "no"
    assert neda3(made(*QUIET, vague("relapse", "2018"))).value == "yes"
    open_ = neda3(made(*QUIET, vague("relapse", "2020")))
    assert (open_.value, open_.missing) == (None, ("the whole date of the relapse of 2020",))
    once = relapse_rate(made(REVIEW, vague("relapse", "2020")))
    assert once.value == round(1 / (2192 / 365.25), 3)
    twice = made(REVIEW, vague("relapse", "2020"), Event("relapse", date(2020, 6, 1)))
    assert relapse_rate(twice).value is None, "it may be the same one"


def test_the_duration_since_a_year_is_a_range() -> None:
    assert disease_duration(made(vague("onset", "2016")), ON).value == "9.0 to 10.0"
    both = made(vague("onset", "2016"), Event("onset", date(2016, 1, 1)))
    assert disease_duration(both, ON).value == 10.0
    assert disease_duration(made(vague("onset", "2015"), Event("onset", ON)), ON).value is None


def test_the_first_year_may_begin_in_a_month() -> None:
    begun = vague("treatment_begun", "202001", "interferon")
    assert modified_rio(made(begun, REVIEW, scans=(replace(SCAN, new=0),)), ON).value == 0
    border = Event("relapse", date(2021, 1, 15))
    found = modified_rio(made(begun, REVIEW, border, scans=(replace(SCAN, new=0),)), ON)
    assert found.missing == ("the whole date of the treatment_begun of 2020-01",)
    other = vague("treatment_begun", "2020", "natalizumab")
    assert magnims(made(begun, other, REVIEW), ON).value is None, "which was the last is not known"
