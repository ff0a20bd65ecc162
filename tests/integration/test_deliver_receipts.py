"""The receipts table, on both databases."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from msnode.database import migrate, open_database
from msnode.deliver import Receipts
from msnode.records import Receipt

STUDY = "0123456789abcdef"
MISSED = Receipt("pacs", "2.25.1", None, False, 1, "connection refused", retry=True)
REFUSED = Receipt("pacs", "2.25.2", 0xA900, False, 1, "does not match its class")
ELSEWHERE = Receipt("archive", "2.25.1", 0x0000, True, 1)


@pytest.fixture
def receipts(database_url: str) -> Iterator[Receipts]:
    engine = open_database(database_url)
    migrate(engine)
    yield Receipts(engine)
    engine.dispose()


def test_receipts_come_back_as_they_were(receipts: Receipts) -> None:
    for receipt in (MISSED, REFUSED, ELSEWHERE):
        receipts.save(receipt, STUDY, 1)
    assert receipts.of(STUDY, 1) == (ELSEWHERE, MISSED, REFUSED)
    assert receipts.of(STUDY, 2) == ()


def test_the_next_attempt_replaces_the_one_before(receipts: Receipts) -> None:
    receipts.save(MISSED, STUDY, 1)
    delivered = replace(MISSED, status=0, delivered=True, attempts=2, detail="", retry=False)
    receipts.save(delivered, STUDY, 1)
    assert receipts.of(STUDY, 1) == (delivered,)


def test_what_was_delivered_stays_delivered(receipts: Receipts) -> None:
    receipts.save(ELSEWHERE, STUDY, 1)
    receipts.save(replace(ELSEWHERE, status=None, delivered=False, retry=True), STUDY, 1)
    assert receipts.of(STUDY, 1) == (ELSEWHERE,)


def test_pending_is_what_may_still_get_through(receipts: Receipts) -> None:
    for receipt in (MISSED, REFUSED, ELSEWHERE, replace(MISSED, destination="other")):
        receipts.save(receipt, STUDY, 1)
    assert receipts.pending("pacs") == (MISSED,)
    assert [receipt.destination for receipt in receipts.pending()] == ["other", "pacs"]
