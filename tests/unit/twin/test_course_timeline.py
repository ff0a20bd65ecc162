"""From the record to what is drawn of it."""

from datetime import date

from msnode.records.timeline import Timeline
from msnode.twin.clinical.course import Imaging, course
from msnode.twin.clinical.events import Event
from msnode.twin.course_timeline import timeline
from msnode.twin.expect.forecast import forecast
from msnode.twin.expect.priors import load_priors

ON = date(2024, 3, 1)
EVENTS = (
    Event("edss", date(2021, 1, 10), "2.0"),
    Event("relapse", date(2022, 1, 1), last=date(2022, 12, 31)),
    Event("relapse_review", date(2023, 1, 1), "2021-01-01"),
    Event("treatment_begun", date(2021, 2, 1), "Interferon"),
    Event("treatment_stopped", date(2022, 2, 1), "interferon"),
    Event("treatment_begun", date(2022, 1, 1), "natalizumab", last=date(2022, 12, 31)),
    Event("treatment_stopped", date(2020, 5, 1), "glatiramer"),
)
SCANS = (
    Imaging("a", date(2021, 1, 5), None, 9, 4.0, network="old"),
    Imaging("b", date(2022, 1, 5), date(2021, 1, 5), 11, 5.0, 2, 1, "n", (("deep_white", 5.0),)),
    Imaging("c", date(2023, 1, 5), date(2022, 1, 5), 11, 5.1, 0, 0, "n"),
    Imaging("d", None, None, 3, 1.0, network="n"),
    Imaging("e", date(2023, 6, 5)),
)


def drawn(events: tuple[Event, ...] = EVENTS, scans: tuple[Imaging, ...] = SCANS) -> Timeline:
    known, _ = course(events, scans, ON)
    return timeline(known, forecast(known, load_priors(), ON))


def test_scans_with_a_date_and_outlines_are_drawn() -> None:
    told = drawn()
    assert [(one.ml, one.same_network, one.new) for one in told.scans] == [
        (4.0, False, None), (5.0, True, 2), (5.1, True, 0),
    ]  # fmt: skip
    assert told.scans[1].regions == (("deep_white", 5.0),)
    assert told.scans[1].since == date(2021, 1, 5)


def test_treatments_end_where_they_were_stopped_and_go_on_elsewhere() -> None:
    glatiramer, interferon, natalizumab = drawn().treatments
    assert (glatiramer.begin, glatiramer.end) == (None, date(2020, 5, 1))
    assert (interferon.begin, interferon.end) == (date(2021, 2, 1), date(2022, 2, 1))
    assert (natalizumab.begin, natalizumab.end) == (date(2022, 7, 2), None)
    assert [one.is_exact for one in (interferon, natalizumab)] == [True, False]


def test_a_relapse_known_by_its_year_is_drawn_over_it() -> None:
    assert drawn().relapses == ((date(2022, 1, 1), date(2022, 12, 31)),)


def test_nothing_of_the_population_is_drawn_as_the_patients() -> None:
    told = drawn(scans=SCANS[:1], events=EVENTS[3:4])
    assert (told.edss_ahead, told.new_ahead) == ((), None)
    assert told.load_ahead, "one scan says something of the load"
    assert drawn().new_ahead is not None
    assert [one.day for one in drawn().edss_ahead][-1] == date(2025, 3, 1)


def test_an_edss_that_contradicts_itself_is_not_drawn() -> None:
    twice = (*EVENTS, Event("edss", date(2021, 1, 10), "4.0"))
    assert drawn(events=twice).edss == ()


def test_one_scan_alone_is_no_course() -> None:
    assert not drawn(events=(), scans=SCANS[:1]).has_course
    assert drawn(events=(), scans=SCANS[:2]).has_course
    assert drawn(events=EVENTS[:1], scans=SCANS[:1]).has_course
