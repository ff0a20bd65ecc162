"""The state of a patient depends on what is on record, not on how it came to be there."""

import random
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msnode.store.database import open_database
from msnode.store.schema import migrate
from msnode.twin.clinical.course import Imaging
from msnode.twin.clinical.event_kinds import days_of
from msnode.twin.clinical.event_store import add, of_patient
from msnode.twin.clinical.events import Event, Provenance, Recorded
from msnode.twin.history import Entry
from msnode.twin.patient_state import imaging, state

ON = date(2026, 1, 1)
NAMES = st.sampled_from(["", "", "", "a", "b", "c", "a@1", "a@2"])
DAYS = st.integers(0, 400).map(lambda n: date(2020, 1, 1) + timedelta(days=7 * n))
VALUES = {
    "edss": ["0.0", "2.0", "3.0", "6.0", "6.5"],
    "relapse": [""],
    "relapse_review": ["2019-01-01", "2019-12-31"],
    "treatment_begun": ["interferon", "Interferon", "natalizumab"],
    "treatment_stopped": ["interferon"],
    "diagnosis": ["CIS", "RRMS"],
    "onset": [""],
    "birth_year": ["1980", "2021"],
    "sex": ["F", "M"],
    "enhancing_lesions": ["0", "2"],
    "withdrawn": [""],
}


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event, also one that corrects another by identifier."""
    kind = draw(st.sampled_from(sorted(VALUES)))
    return Event(
        kind,
        draw(DAYS),
        draw(st.sampled_from(VALUES[kind])),
        identifier=draw(NAMES),
        replaces=draw(NAMES),
    )


PARTIAL = ("relapse", "treatment_begun", "treatment_stopped", "onset", "diagnosis")


@st.composite
def vague_events(draw: st.DrawFn) -> Event:
    """An event whose date may be known by year or month only."""
    event = draw(events())
    if event.kind not in PARTIAL or event.day is None:
        return event
    digits = draw(st.sampled_from(["%Y", "%Y%m", "%Y%m%d"]))
    first, last = days_of(f"{event.day:{digits}}")
    return replace(event, day=first, last=last)


STUDIES = st.builds(
    Imaging,
    study_key=st.sampled_from(["s1", "s2", "s3", "s4"]),
    day=st.none() | DAYS,
    prior=st.none() | DAYS,
    new=st.none() | st.integers(0, 8),
    enlarging=st.none() | st.integers(0, 2),
)
SCANS = st.lists(STUDIES, max_size=4, unique_by=lambda one: one.study_key)
PATIENTS = count()


@st.composite
def records(draw: st.DrawFn) -> list[Event]:
    """A record with corrections that name events by their identity, too."""
    found = draw(st.lists(events(), max_size=12))
    for old in draw(st.lists(st.sampled_from(found), max_size=3)) if found else []:
        found.append(Event(old.kind, draw(DAYS), old.value, replaces=old.identity))
    return found


@given(records(), SCANS, st.randoms(), DAYS)
def test_the_state_is_the_same_for_any_order_and_for_duplicates(
    record: list[Event], studies: list[Imaging], dice: random.Random, on: date
) -> None:
    expected = state(record, studies, on)
    again = [*record, *dice.choices(record, k=5)] if record else []
    scans = [*studies, *studies]
    dice.shuffle(again)
    dice.shuffle(scans)
    assert state(again, scans, on) == expected


@given(st.lists(vague_events(), max_size=10, unique_by=lambda e: e.identity), SCANS, st.randoms())
def test_what_is_known_by_year_or_month_is_so_for_every_day_of_it(
    record: list[Event], studies: list[Imaging], dice: random.Random
) -> None:
    late = date(2030, 1, 1)
    found = state(record, studies, late)
    for _ in range(5):
        exact = [
            replace(e, day=e.day + timedelta(dice.randint(0, (e.last - e.day).days)), last=None)
            if e.day and e.last else e
            for e in record
        ]  # fmt: skip
        for vague, sure in zip(found.rules, state(exact, studies, late).rules, strict=True):
            if isinstance(vague.value, str) and " to " in vague.value:
                low, high = map(float, vague.value.split(" to "))
                assert sure.value is None or low <= float(sure.value) <= high
            elif vague.value is not None and vague.rule.name != "disease duration":
                assert vague.value == sure.value, vague.rule.name


@given(st.lists(vague_events(), max_size=10), SCANS)
def test_a_partial_date_that_is_in_the_way_is_named(
    record: list[Event], studies: list[Imaging]
) -> None:
    for one in state(record, studies, ON).rules:
        assert (one.value is None) == bool(one.missing), one


@given(records(), SCANS)
def test_a_result_uses_only_what_holds_and_never_says_no_for_want_of_something(
    record: list[Event], studies: list[Imaging]
) -> None:
    found = state(record, studies, ON)
    holds = {event.identity for event in found.events} | {one.study_key for one in studies}
    for one in found.rules:
        assert set(one.inputs) <= holds
        assert (one.value is None) == bool(one.missing), one


@given(records(), records())
def test_what_holds_no_more_never_holds_again(first: list[Event], more: list[Event]) -> None:
    before = {event.identity for event in state(first, (), ON).replaced}
    assert before <= {event.identity for event in state([*first, *more], (), ON).replaced}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('twin') / 'msnode.sqlite'}"
    engine = open_database(url)
    migrate(engine)
    engine.dispose()
    return url


@given(st.lists(vague_events(), max_size=12), st.randoms())
def test_the_table_gives_back_what_it_got(
    url: str, record: list[Event], dice: random.Random
) -> None:
    """In two portions of any cut, the second with all of the first again, under two keys."""
    bare = f"{next(PATIENTS):032x}"
    engine = open_database(url)
    shuffled = dice.sample(record, len(record))
    cut = dice.randint(0, len(record))
    for portion, key in (shuffled[:cut], bare), (shuffled, bare + "1" * 16), (shuffled, bare):
        with engine.begin() as connection:
            origin = Provenance("csv", Path("x.csv").name, 2, dice.random(), "somebody")
            add(connection, [Recorded(key, event, origin) for event in portion])
    with engine.begin() as connection:
        found = [one.event for one in of_patient(connection, bare)]
        assert add(connection, [Recorded(bare, event, origin) for event in record]) == 0
    engine.dispose()
    assert state(found, (), ON) == state(record, (), ON)
    assert {event.identity for event in found} == {event.identity for event in record}


def test_the_newest_result_of_a_study_counts_and_odd_dates_are_none() -> None:
    old = Entry("s1", 1, "present", 0.9, "present", None, "d", 1.0, "f", "20200101", new_lesions=4,
                prior_date="20190101")  # fmt: skip
    new = Entry("s1", 2, "present", 0.9, "present", None, "d", 2.0, "f", "20200101", new_lesions=1,
                prior_date="19000230")  # fmt: skip
    expected = [Imaging("s1", date(2020, 1, 1), None, new=1)]
    assert imaging([new, old]) == imaging([old, new]) == expected
    assert (
        imaging([Entry("s", 1, "absent", None, None, None, "d", 1.0, "f", "2020-1-1")])[0].day
        is None
    )


def test_facts_are_what_is_on_record() -> None:
    day = date(2020, 1, 1)
    record = [
        Event("birth_year", None, "1980"), Event("sex", None, "F"), Event("sex", day, "M"),
        Event("diagnosis", day, "CIS"), Event("diagnosis", date(2021, 1, 1), "RRMS"),
        Event("treatment_begun", day, "Interferon"), Event("treatment_stopped", ON, "interferon"),
        Event("treatment_begun", date(2022, 1, 1), "natalizumab"), Event("edss", day, "2.0"),
    ]  # fmt: skip
    facts = state(record, (), ON).facts
    assert (facts.birth_year, facts.sex, facts.diagnosis) == (1980, None, "RRMS")
    assert (facts.edss, facts.edss_day, facts.treatments) == (2.0, day, ("natalizumab",))
    assert state(record, (), date(2020, 6, 1)).facts.treatments == ("Interferon",)


def partial(kind: str, digits: str, value: str = "") -> Event:
    first, last = days_of(digits)
    return Event(kind, first, value, last=last)


def test_facts_of_partial_dates_are_those_of_every_day_of_them() -> None:
    may = date(2020, 5, 1)
    stop = partial("treatment_stopped", "2020", "x")
    assert state([Event("treatment_begun", may, "x"), stop], (), ON).facts.treatments == ()
    again = [partial("treatment_begun", "2019", "x"), stop, Event("treatment_begun", may, "X")]
    assert state(again, (), ON).facts.treatments is None
    assert state([partial("diagnosis", "2019", "CIS")], (), ON).facts.diagnosis == "CIS"
    both = [partial("diagnosis", "2020", "CIS"), Event("diagnosis", may, "RRMS")]
    assert state(both, (), ON).facts.diagnosis is None
    both = [partial("diagnosis", "202004", "CIS"), Event("diagnosis", may, "RRMS")]
    assert state(both, (), ON).facts.diagnosis == "RRMS"
