"""Hours and rate of a source."""

from datetime import datetime, time

import pytest

from msnode.fetch.limits import until_allowed, until_open

NIGHT, DAY = (time(18), time(7)), (time(8, 30), time(17))


@pytest.mark.parametrize(
    ("window", "at", "seconds"),
    [
        (None, "12:00", 0),
        (NIGHT, "18:00", 0),
        (NIGHT, "23:59", 0),
        (NIGHT, "06:59", 0),
        (NIGHT, "07:00", 11 * 3600),
        (NIGHT, "12:00", 6 * 3600),
        (DAY, "08:30", 0),
        (DAY, "08:00", 1800),
        (DAY, "17:00", 15.5 * 3600),
    ],
)
def test_a_source_is_asked_in_its_hours(
    window: tuple[time, time] | None, at: str, seconds: float
) -> None:
    assert until_open(window, datetime.fromisoformat(f"2026-11-29 {at}")) == seconds


def test_so_many_an_hour_and_no_more() -> None:
    assert until_allowed([], 1, 10_000.0) == 0
    assert until_allowed([9_000.0], 1, 10_000.0) == 2_600
    assert until_allowed([6_000.0], 1, 10_000.0) == 0, "more than an hour ago"
    assert until_allowed([7_000.0, 8_000.0, 9_000.0], 2, 10_000.0) == 1_600
    assert until_allowed([20_000.0], 1, 10_000.0) == 0, "a clock that was set back"
