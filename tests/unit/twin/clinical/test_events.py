"""Corrections, duplicates and contradictions."""

from datetime import date

from msnode.twin.clinical.course import Course, Imaging, course
from msnode.twin.clinical.event_kinds import days_of
from msnode.twin.clinical.events import Event, sift
from msnode.twin.patient_state import state

DAY = date(2020, 1, 1)
ON = date(2026, 1, 1)
WRONG = Event("edss", DAY, "6.0", identifier="e1")
RIGHT = Event("edss", DAY, "2.0", identifier="e1b", replaces="e1")


def made(*events: Event) -> Course:
    return course(events, (), ON)[0]


def test_the_identity_is_of_the_content_and_stays() -> None:
    """It is in exported files and in `replaces`, so no version may compute another one."""
    assert Event("edss", DAY, "2.0").identity == Event("edss", DAY, "2.0").identity
    assert WRONG.identity == "92067ad2b21d7af1e0a037e8e87a78d3"
    assert Event("edss", DAY, "2.0").identity != Event("edss", DAY, "2.0", note="n").identity


def test_a_correction_replaces_by_identifier_or_identity() -> None:
    by_identity = Event("edss", DAY, "3.0", replaces=WRONG.identity)
    for correction in (RIGHT, by_identity):
        assert sift([correction, WRONG]).valid == (correction,)
        assert sift([WRONG, correction, WRONG]).replaced == (WRONG,)


def test_a_corrected_correction_does_not_bring_the_first_back() -> None:
    third = Event("edss", DAY, "3.0", replaces="e1b")
    assert sift([third, WRONG, RIGHT]).valid == (third,)


def test_a_withdrawn_event_is_gone_and_the_withdrawal_is_no_event() -> None:
    gone = Event("withdrawn", None, replaces="e1")
    assert sift([WRONG, gone]).valid == ()
    assert sift([gone]).dangling == (gone,)


def test_a_correction_may_come_before_what_it_corrects() -> None:
    assert sift([RIGHT]).valid == (RIGHT,)
    assert sift([RIGHT]).dangling == (RIGHT,)


def test_a_circle_of_corrections_is_a_contradiction_and_ends() -> None:
    a = Event("relapse", DAY, identifier="a", replaces="b")
    b = Event("relapse", DAY, identifier="b", replaces="a")
    assert sift([a, b]).valid == ()
    assert made(a, b).contradicted("relapse")


def test_a_correction_moves_an_event_beyond_the_day_that_is_asked_for() -> None:
    later = Event("relapse", date(2021, 1, 1), replaces="r")
    events = [Event("relapse", DAY, identifier="r"), later]
    assert course(events, (), DAY)[0].events == ()


def test_what_cannot_be_true_together_is_told() -> None:
    assert made(WRONG, Event("edss", DAY, "2.0")).contradicted("edss")
    assert made(Event("sex", None, "F"), Event("sex", None, "M")).contradicted("sex")
    assert made(Event("onset", DAY), Event("onset", ON)).contradicted("onset")
    assert made(Event("birth_year", None, "2021"), WRONG).contradicted("edss")
    same = Event("relapse", DAY, identifier="r"), Event("relapse", ON, identifier="r")
    assert made(*same).contradicted("relapse")


def test_what_can_be_true_together_is_no_contradiction() -> None:
    again = Event("edss", DAY, "6.0", note="by another system")
    assert not made(WRONG, again, Event("birth_year", None, "2020")).contradictions
    assert [score.value for score in made(WRONG, again).edss()] == [6.0]
    assert not made(WRONG, RIGHT).contradictions


def test_relapses_less_than_30_days_apart_are_one() -> None:
    days = date(2020, 1, 1), date(2020, 1, 30), date(2020, 1, 31), date(2020, 3, 1)
    found = made(*(Event("relapse", day) for day in days)).relapses()
    assert [event.day for event in found] == [days[0], days[2], days[3]]


def test_reviews_that_touch_are_one_span() -> None:
    spans = ("2019-01-01", date(2019, 12, 31)), ("2020-01-01", DAY), ("2021-01-01", ON)
    found = made(*(Event("relapse_review", last, first) for first, last in spans))
    assert found.reviewed() == ((date(2019, 1, 1), DAY), (date(2021, 1, 1), ON))
    assert found.is_reviewed(date(2019, 6, 1), DAY)
    assert not found.is_reviewed(date(2019, 6, 1), date(2020, 1, 2))


def test_studies_come_once_and_by_day() -> None:
    one, two = Imaging("a", DAY), Imaging("b", None)
    assert course((), [one, two, one], ON)[0].imaging == (two, one)


def test_what_comes_with_symptoms_is_not_before_the_first_one() -> None:
    onset = Event("onset", DAY)
    early = date(2019, 12, 31)
    for event in Event("relapse", early), Event("diagnosis", early, "CIS"):
        assert made(onset, event).contradicted("onset")
        assert not made(onset, event).contradicted(event.kind), "only the onset is doubted"
    for event in (
        Event("relapse", DAY),
        Event("diagnosis", early, "RIS"),
        Event("edss", early, "0.0"),
    ):
        assert not made(onset, event).contradictions


def test_a_year_is_another_event_than_its_first_day() -> None:
    year = Event("relapse", DAY, last=date(2020, 12, 31))
    month = Event("relapse", DAY, last=date(2020, 1, 31))
    assert (year.when, month.when) == ("2020", "2020-01")
    assert len({year.identity, month.identity, Event("relapse", DAY).identity}) == 3


def test_a_correction_reaches_its_kind_only_and_no_two_events_at_once() -> None:
    first = Event("edss", DAY, "2.0", identifier="a")
    other = Event("t25fw", DAY, "5.0", "s", replaces="a")
    assert set(sift([first, other]).valid) == {first, other}
    second = Event("edss", date(2020, 6, 1), "4.0", identifier="a")
    fix = Event("edss", date(2020, 6, 1), "3.0", identifier="b", replaces="a")
    assert made(first, second, fix).contradicted("edss")
    settled = made(first, second, fix, Event("withdrawn", None, replaces=first.identity))
    assert not settled.contradicted("edss")
    assert [event.value for event in settled.of("edss")] == ["3.0"]


def test_a_relapse_of_which_the_year_is_known_is_on_record() -> None:
    first, last = days_of("2020")
    vague, exact = Event("relapse", first, last=last), Event("relapse", date(2020, 11, 1))
    assert state([vague], [], ON).facts.relapses == 1
    assert state([vague, exact], [], ON).facts.relapses == "1 to 2"
