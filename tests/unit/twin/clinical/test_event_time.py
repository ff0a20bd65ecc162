"""Times of HL7 v2: without a zone they are in that of MSH-7, else in that of this host."""

import time
from collections.abc import Iterator

import pytest

from msnode.hl7v2.hl7_message import Unreadable
from msnode.twin.clinical.event_hl7 import second_of


@pytest.fixture(autouse=True)
def kathmandu() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as zone:
        zone.setenv("TZ", "Asia/Kathmandu")  # UTC+5:45
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("when", "sent", "utc"),
    [
        ("20240115120000+0200", "20240115120000-0500", "20240115100000"),
        ("20240115120000", "20240115120000+0200", "20240115100000"),
        ("202401151200", "20240115120000.123+0200", "20240115100000"),
        ("20240115120000", "20240115120000", "20240115061500"),
        ("20240115120000", "", "20240115061500"),
    ],
)
def test_a_time_is_in_its_own_zone_or_the_message_s_or_ours(when: str, sent: str, utc: str) -> None:
    assert second_of(when, sent) == utc


@pytest.mark.parametrize("when", ["", "20240115", "20241315120000", "00010101000000+1400"])
def test_what_is_no_time_is_told(when: str) -> None:
    with pytest.raises(Unreadable):
        second_of(when, "20240115120000+0200")
