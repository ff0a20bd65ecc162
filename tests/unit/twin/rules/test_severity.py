"""MSSS, ARMSS, nARMSS by a site's table; dissemination in space and time."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from msnode.errors import ConfigError
from msnode.twin.clinical.course import Course, Imaging, course
from msnode.twin.clinical.event_kinds import days_of
from msnode.twin.clinical.events import Event
from msnode.twin.rules.dissemination import in_space, in_time
from msnode.twin.rules.rule_result import RuleResult
from msnode.twin.rules.severity import Tables, severity
from msnode.twin.rules.severity_table import STEPS, load_table

ON = date(2026, 1, 1)
HEADING = "years," + ",".join(f"{step:g}" for step in STEPS)
SCAN = Imaging("s1", date(2020, 1, 1), None, 5, 3.0)
SEEN = date(2021, 6, 1)


def line(years: int, shift: float = 0.0) -> str:
    """Scores that tell year and EDSS: 0.5 for each half point from ``shift`` on, 10 at most."""
    scores = (min(shift + number / 2, 10.0) for number in range(len(STEPS)))
    return ",".join([str(years), *(f"{one:g}" for one in scores)])


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """Duration 1 to 3 and age 39 to 41; a year more is a tenth less."""
    for name, first in (("msss", 1), ("armss", 39)):
        lines = [HEADING, *(line(first + n, 0.2 - n / 10) for n in range(3))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    return Tables(*(load_table(tmp_path / f"{name}.csv") for name in ("msss", "armss")))


def made(*events: Event, scans: tuple[Imaging, ...] = ()) -> Course:
    return course(events, scans, ON)[0]


def scores(found: Course, tables: Tables) -> dict[str, RuleResult]:
    return {one.rule.name: one for one in severity(found, tables)}


ONSET = Event("onset", date(2019, 5, 1))
BIRTH = Event("birth_year", None, "1981")
EDSS = Event("edss", SEEN, "2.0")


def test_the_table_gives_the_score_of_a_duration(tables: Tables) -> None:
    """Two whole years, EDSS 2.0 is the fourth column: 0.1 + 1.5."""
    found = scores(made(ONSET, EDSS), tables)["MSSS"]
    assert found.value == pytest.approx(1.6)
    assert set(found.inputs) == {ONSET.identity, EDSS.identity}


def test_beyond_the_last_year_its_line_counts_and_before_the_first_none(tables: Tables) -> None:
    late, early = Event("onset", date(1980, 1, 1)), Event("onset", date(2021, 1, 1))
    assert scores(made(late, EDSS), tables)["MSSS"].value == pytest.approx(1.5)
    assert scores(made(early, EDSS), tables)["MSSS"].value is None


def test_two_ages_of_a_year_of_birth_are_a_range(tables: Tables) -> None:
    found = scores(made(BIRTH, EDSS), tables)
    assert found["ARMSS"].value == "1.60 to 1.70"
    assert found["nARMSS"].missing == ("a second EDSS",)
    second = Event("edss", date(2022, 6, 1), "4.0")
    more = scores(made(BIRTH, EDSS, second), tables)["nARMSS"]
    assert more.value == "-2.45 to -2.35", "1.6 and 3.5, or 1.7 and 3.6"


def test_an_onset_known_by_year_is_a_range_where_it_matters(tables: Tables) -> None:
    first, last = days_of("2019")
    onset = Event("onset", first, last=last)
    assert scores(made(onset, EDSS), tables)["MSSS"].value == "1.60 to 1.70"


@pytest.mark.parametrize("left_out", [ONSET, BIRTH, EDSS])
def test_without_an_input_or_a_table_it_is_unknown(left_out: Event, tables: Tables) -> None:
    rest = [one for one in (ONSET, BIRTH, EDSS) if one is not left_out]
    assert any(one.value is None for one in severity(made(*rest), tables))
    for one in severity(made(ONSET, BIRTH, EDSS), Tables()):
        assert one.value is None
        assert any("a table" in why for why in one.missing)


def test_contradictions_leave_it_unknown(tables: Tables) -> None:
    found = scores(made(ONSET, BIRTH, EDSS, replace(EDSS, value="3.0")), tables)
    assert [one.value for one in found.values()] == [None, None, None]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "line 1"),
        (["years,0,0.5,1"], "line 1"),
        ([HEADING], "a line a year"),
        ([HEADING, line(1), line(3)], "line 3: the years"),
        ([HEADING, line(1)[:-4]], "line 2: 19 scores"),
        ([HEADING, line(1, 3).replace("10", "11")], "0 to 10"),
        ([HEADING, line(1).replace(",2,", ",7,")], "higher EDSS"),
        ([HEADING, line(1).replace(",2,", ",x,")], "scores of 0 to 10"),
        ([HEADING, line(1).replace(",2,", ",nan,")], "scores of 0 to 10"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(
    lines: list[str], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=told):
        load_table(path)


def test_no_file_and_no_text_are_refused_with_their_name(tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    with pytest.raises(ConfigError, match=r"none\.csv"):
        load_table(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"none\.csv"):
        load_table(path)


def placed(*regions: str) -> Imaging:
    return replace(SCAN, regions=tuple((one, 0.4) for one in regions))  # type: ignore[misc]


CORD = Event("spinal_cord_lesion", ON, "present")
NO_CORD = Event("spinal_cord_lesion", ON, "absent")
NO_NERVE = Event("optic_nerve_lesion", ON, "absent")


@pytest.mark.parametrize(
    ("scan", "events", "wanted"),
    [
        (placed("periventricular", "juxtacortical"), (), "yes"),
        (placed("periventricular", "deep_white"), (), None),
        (placed("periventricular"), (CORD,), "yes"),
        (placed("periventricular"), (NO_CORD, NO_NERVE), "no"),
        (placed("periventricular"), (NO_CORD,), None),
        (replace(SCAN, lesion_count=0, lesion_ml=0.0), (NO_CORD, NO_NERVE), "no"),
        (SCAN, (NO_CORD, NO_NERVE), None),
        (replace(placed("periventricular", "juxtacortical"), day=None), (), None),
    ],
)
def test_space_wants_two_of_five_regions(
    scan: Imaging, events: tuple[Event, ...], wanted: str | None
) -> None:
    assert in_space(made(*events, scans=(scan,))).value == wanted


def test_a_lesion_of_the_cord_that_was_seen_once_counts() -> None:
    events = (CORD, replace(NO_CORD, day=date(2025, 1, 1)))
    assert in_space(made(*events, scans=(placed("infratentorial"),))).value == "yes"


def test_time_is_yes_or_unknown_but_never_no() -> None:
    later = Imaging("s2", SEEN, SCAN.day, 5, 3.0, new=0)
    assert in_time(made(scans=(SCAN,))).value is None
    assert in_time(made(scans=(SCAN, later))).value is None
    found = in_time(made(scans=(SCAN, replace(later, new=2))))
    assert (found.value, found.inputs) == ("yes", ("s2",))


def test_an_anniversary_is_a_whole_year(tables: Tables) -> None:
    onset = Event("onset", date(2019, 6, 1))
    found = scores(made(onset, EDSS), tables)["MSSS"]
    assert found.words == "EDSS 2.0 after 2 years"


def test_a_cord_that_is_present_and_absent_on_one_day_is_unknown() -> None:
    assert in_space(made(CORD, NO_CORD, scans=(placed("periventricular"),))).value is None
