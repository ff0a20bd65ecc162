"""Who is like a patient: distances, the node's own record, the published people, the cohort."""

from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa

from msnode.store.database import studies
from msnode.store.merges import merge
from msnode.store.patients import keys_of
from msnode.twin import Entry, Twin
from msnode.twin.clinical.course import Imaging, course
from msnode.twin.clinical.event_store import add
from msnode.twin.clinical.events import Event, Provenance, Recorded
from msnode.twin.similar import nearest as module
from msnode.twin.similar.features import SPREADS, Features, distance, feature_history
from msnode.twin.similar.nearest import everybody, nearest
from msnode.twin.similar.published import MICROLITRES, cohort, people, place

ME = Features(age=40.0, sex="F", load=5.0, edss=2.0)


@pytest.fixture
def twin(database: sa.Engine) -> Twin:
    return Twin(database)


def visit(twin: Twin, key: str, number: int, day: str, ml: float, **more: object) -> None:
    study = f"{key[:8]}{number:08x}"
    row = {"study_key": study, "study_instance_uid": study, "patient_key": key, "generation": 1,
           "state": "done", "first_at": 0.0, "last_at": 0.0}  # fmt: skip
    with twin.engine.begin() as connection:
        connection.execute(studies.insert().values(row))
    entry = Entry(study, 1, "present", 0.9, "present", None, "d", 1.0, "f", day, lesion_count=3,
                  lesion_ml=ml, lesion_digest="n")  # fmt: skip
    twin.record(replace(entry, **more))  # type: ignore[arg-type]


def told(twin: Twin, key: str, *events: Event) -> None:
    origin = Provenance("csv", "x.csv", 2, 0.0, "somebody")
    with twin.engine.begin() as connection:
        add(connection, [Recorded(key, event, origin) for event in events])


def person(twin: Twin, key: str, ml: float, edss: str = "2.0") -> None:
    """A woman of 40 in 2020, seen in 2020 and, with two new lesions, in 2022."""
    visit(twin, key, 0, "20200101", ml)
    visit(twin, key, 1, "20220101", ml + 1, prior_date="20200101", new_lesions=2)
    told(twin, key, Event("birth_year", None, "1980"), Event("sex", None, "F"),
         Event("edss", date(2020, 1, 1), edss), Event("edss", date(2021, 6, 1), "3.5"))  # fmt: skip


def test_alike_is_0_and_a_standard_deviation_in_each_is_1() -> None:
    there = distance(ME, ME)
    assert there is not None
    assert (there.value, there.by) == (0.0, ("age", "load", "EDSS", "sex"))
    far = Features(age=40 + SPREADS["age"], sex="M", edss=2 + SPREADS["EDSS"])
    apart = distance(replace(ME, load=None), far)
    assert apart is not None
    assert apart.value == pytest.approx(1)
    assert distance(far, replace(ME, load=None)) == apart


def test_with_too_little_known_of_both_nobody_is_near() -> None:
    assert distance(ME, Features(age=40.0, sex="F")) is None
    assert distance(Features(), Features()) is None


def test_what_contradicts_itself_or_is_later_is_not_known() -> None:
    day = date(2020, 1, 1)
    events = [Event("sex", None, "F"), Event("sex", day, "M"), Event("birth_year", None, "1980"),
              Event("onset", date(2015, 1, 1)), Event("edss", date(2021, 1, 1), "6.0")]  # fmt: skip
    scans = [Imaging("a", day, None, 3, 4.0), Imaging("b", date(2021, 1, 1), day, 3, 9.0, 2)]
    found = feature_history(course(events, scans, date.max)[0]).at(day)
    assert replace(found, duration=None) == Features(age=40, sex=None, load=4.0)
    assert found.duration == pytest.approx(5, abs=0.01)
    later = feature_history(course(events, scans, date.max)[0]).at(date(2022, 1, 1))
    assert (later.load, later.edss) == (9.0, 6.0)
    assert later.activity == pytest.approx(2, abs=0.01)


def test_the_nearest_come_first_with_what_became_of_them(twin: Twin) -> None:
    near, far, me = "a" * 32, "b" * 32, "c" * 32
    person(twin, near, 5.0)
    person(twin, far, 60.0, "6.0")
    person(twin, me, 5.0)
    visit(twin, "d" * 32, 0, "20200101", 5.0)  # nothing else is known of this one
    found = nearest(twin.engine, [me], ME, 5)
    assert (found.patients, [one.name for one in found.matches]) == (2, ["a" * 8, "b" * 8])
    best = found.matches[0]
    assert (best.on, best.distance.value) == (date(2020, 1, 1), 0.0)
    assert (best.became.new_lesions, best.became.load, best.became.edss) == (2, 1.0, 1.5)
    assert best.became.compared_years == pytest.approx(2, abs=0.01)
    assert len(nearest(twin.engine, [me], ME, 1).matches) == 1
    assert nearest(twin.engine, [me], ME, 1).patients == 2
    assert not nearest(twin.engine, [me], ME, 1).is_cut
    cut = nearest(twin.engine, [me], ME, 5, seconds=0.0)
    assert (cut.is_cut, cut.matches) == (True, ())


def test_everybody_comes_once_whatever_the_page(
    twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also who has two keys, with and without the issuer, and two people of one ID."""
    for key in ("a" * 32, "b" * 32, "b" * 32 + "1" * 16, "c" * 32 + "1" * 16, "c" * 32 + "2" * 16):
        visit(twin, key, len(key) * 7 + int(key[-1], 16), "20200101", 5.0)
    told(twin, "b" * 32, Event("sex", None, "F"))
    told(twin, "e" * 32, Event("sex", None, "F"))  # without a study
    expected = sorted(["a" * 32, "b" * 32, "c" * 32 + "1" * 16, "c" * 32 + "2" * 16])
    for page in (1, 2, 200):
        monkeypatch.setattr(module, "PAGE", page)
        found = dict(everybody(twin.engine))
        assert sorted(found) == expected
        assert len(found["b" * 32].imaging) == 2
        assert found["b" * 32].of("sex")


def test_merged_ids_are_one_patient_to_find_and_to_compare_with(twin: Twin) -> None:
    """Two IDs of one person, merged: one course; and no patient is like his own other ID."""
    first, second, other = "a" * 32, "b" * 32, "c" * 32
    visit(twin, first, 0, "20200101", 5.0)
    person(twin, second, 5.0)
    person(twin, other, 6.0)
    with twin.engine.begin() as connection:
        merge(connection, first, second, "somebody")
        mine = keys_of(connection, first)
    found = dict(everybody(twin.engine))
    assert sorted(len(one.imaging) for one in found.values()) == [2, 3]
    assert [match.name for match in nearest(twin.engine, mine, ME, 9).matches] == [other[:8]]


def test_regions_count_as_they_were_on_the_day() -> None:
    day, later = date(2020, 1, 1), date(2021, 1, 1)
    scans = [
        Imaging("a", day, None, 3, 4.0, regions=(("periventricular", 3.0), ("deep_white", 1.0))),
        Imaging("b", later, day, 3, 4.0, 0, regions=(("infratentorial", 2.0), ("unknown", 2.0))),
        Imaging("c", date(2022, 1, 1), later, 3, 4.0, 0),
    ]
    history = feature_history(course([], scans, date.max)[0])
    assert history.at(day).regions == (0.75, 0.25, 0.0, 0.0)
    assert history.at(date(2023, 1, 1)).regions == (0.0, 0.0, 0.0, 1.0)
    assert history.at(date(2019, 1, 1)).regions is None


def test_an_empty_node_has_nobody(twin: Twin) -> None:
    assert nearest(twin.engine, [], ME, 5).patients == 0


def test_the_published_people_are_whole() -> None:
    assert len(people()) == 30
    assert {one.known.sex for one in people()} == {"F", "M"}
    assert sum(one.known.edss is None for one in people()) == 3
    for one in people():
        assert one.known.regions is not None
        assert sum(one.known.regions) == pytest.approx(1)
    assert len(cohort()) == 380
    assert {sex for _, sex, _ in cohort()} == {"F", "M"}


def test_a_load_has_a_place_as_a_range_and_with_n() -> None:
    found = place(ME)
    assert found is not None
    assert 0 < found.low <= found.middle <= found.high < 100
    assert (found.sex, found.years) == ("F", 5)
    assert found.number >= 30
    more = place(replace(ME, load=30.0))
    assert more is not None
    assert more.middle > found.middle
    old = place(replace(ME, age=95.0))
    assert old is not None
    assert old.years > 5
    assert old.number >= 30
    both = place(replace(ME, sex="O"))
    assert both is not None
    assert both.sex is None
    assert place(replace(ME, load=None)) is None
    assert place(replace(ME, age=None)) is None
    assert sorted(MICROLITRES) == list(MICROLITRES)


def test_rows_without_a_patient_are_of_nobody(twin: Twin) -> None:
    visit(twin, "", 1, "20200101", 5.0)
    with twin.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(studies)) == 1
    assert list(everybody(twin.engine)) == []
