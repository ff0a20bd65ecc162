"""The receipts table, on both databases."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from msnode.records.receipt import Commitment, Receipt
from msnode.store.commitments import Commitments, State
from msnode.store.database import open_database
from msnode.store.receipts import Receipts
from msnode.store.schema import migrate

STUDY = "0123456789abcdef"
MISSED = Receipt("pacs", "2.25.1", None, False, 1, "connection refused", retry=True)
REFUSED = Receipt("pacs", "2.25.2", 0xA900, False, 1, "does not match its class")
ELSEWHERE = Receipt("archive", "2.25.1", 0x0000, True, 1)


@pytest.fixture
def database(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def receipts(database: sa.Engine) -> Receipts:
    return Receipts(database)


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


def test_awaited_is_what_was_sent_whole(receipts: Receipts) -> None:
    sent = replace(MISSED, status=0, retry=True, sent=True)
    receipts.save(sent, STUDY, 1)
    receipts.save(replace(sent, sop_instance_uid="2.25.3"), STUDY, 1)
    receipts.save(replace(sent, destination="archive"), STUDY, 1)
    assert receipts.awaiting() == {(STUDY, 1, "pacs"), (STUDY, 1, "archive")}
    receipts.save(REFUSED, STUDY, 1)
    assert receipts.awaiting() == {(STUDY, 1, "archive")}
    assert receipts.sent("pacs", STUDY, 1) == (sent, replace(sent, sop_instance_uid="2.25.3"))


def test_a_report_comes_from_another_host_and_is_settled_once(database: sa.Engine) -> None:
    receipts, here, there = Receipts(database), Commitments(database), Commitments(database)
    kept = replace(MISSED, status=0, retry=True, sent=True)
    lost = replace(kept, sop_instance_uid="2.25.2")
    for receipt in (kept, lost):
        receipts.save(receipt, STUDY, 1)
    here.add("2.25.9", "pacs", STUDY, 1)
    said = Commitment("2.25.9", frozenset({"2.25.1", "2.25.77"}), {"2.25.2": 0x0112})
    assert not there.report(said, ["archive"])
    assert there.report(said, ["archive", "pacs"])
    (request,) = here.reported()
    committed, missing = receipts.settle(request, here)
    assert (committed.delivered, committed.sent) == (True, False)
    assert (missing.delivered, missing.sent, missing.retry) == (False, False, True)
    assert receipts.settle(request, here) == ()
    assert [request.state for request in here.of("pacs", STUDY, 1)] == [State.SETTLED]
    assert receipts.at("pacs", STUDY, 1) == (committed, missing)
