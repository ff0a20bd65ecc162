"""What becomes of a step's errors: waited out, tried again, or the end of it, but never unsaid."""

import errno
import logging
import sqlite3

import pytest
import sqlalchemy as sa

from msnode.engine import workflows
from msnode.errors import TryLater, Unforeseen


def sqlite(code: int) -> sa.exc.OperationalError:
    fault = sqlite3.OperationalError("Doe^Jane")
    fault.sqlite_errorcode = code
    return sa.exc.OperationalError("SELECT", {}, fault)


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, ""),
        sqlite(sqlite3.SQLITE_BUSY),
        sqlite(sqlite3.SQLITE_FULL),
        sa.exc.OperationalError("SELECT", {}, Exception("connection refused")),
        sa.exc.TimeoutError("QueuePool limit of size 5 overflow 10 reached"),
    ],
    ids=str,
)
def test_disk_and_database_are_waited_for(
    fault: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """For longer than any other fault is: 9 attempts."""
    monkeypatch.setattr(workflows, "ROOM_S", 0.0)
    faults = [fault] * 20

    def step() -> str:
        if faults:
            raise faults.pop()
        return "done"

    assert workflows._patient(step)() == "done"
    assert "work waits" in caplog.text
    assert "Doe" not in caplog.text


@pytest.mark.parametrize(
    "fault",
    [OSError(errno.EIO, ""), TryLater("no"), ValueError("no"), sqlite(sqlite3.SQLITE_ERROR)],
    ids=repr,
)
def test_other_faults_are_not(fault: Exception) -> None:
    def step() -> None:
        raise fault

    with pytest.raises(type(fault)):
        workflows._patient(step)()


@pytest.mark.parametrize(
    ("fault", "passes", "told"),
    [
        (TryLater("of Doe^Jane"), True, "error=TryLater at=nowhere"),
        (KeyError("Doe^Jane"), False, "error=KeyError at=nowhere"),
        (Unforeseen("KeyError", "sr.py:7"), False, "error=KeyError at=sr.py:7"),
    ],
    ids=repr,
)
def test_a_failed_attempt_is_told_without_what_it_quotes(
    fault: Exception, passes: bool, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert workflows._passes("report", fault) is passes
    assert [record.message for record in caplog.records] == [f"job=None step=report failed {told}"]
    assert [record.levelname for record in caplog.records] == ["WARNING" if passes else "ERROR"]
