"""Kill the engine in the midst of each step, start it again: it goes on where it was."""

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from msnode.engine.common import STATES
from msnode.engine.jobs import OPEN, Jobs
from msnode.errors import MsnodeError
from msnode.store.database import open_database

STUDY = "0123456789abcdef"
HOST = Path(__file__).with_name("engine_host.py")
BOTH = ("prepare", "report", "deliver pacs 2")
"""Steps at which it is killed on both databases; at the others on SQLite, and in test-long."""
ALL = ("prepare", "classify", "report", "finish", "deliver pacs 1", "deliver archive 1",
       "deliver pacs 2")  # fmt: skip


def run(url: str, notes: Path, fatal: str, name: str = "host-1") -> int:
    command = [sys.executable, str(HOST), url, str(notes), fatal, name]
    return subprocess.run(command, timeout=60, check=False).returncode


@pytest.mark.parametrize("fatal", ALL)
def test_a_killed_step_is_repeated_and_no_other(fatal: str, tmp_path: Path) -> None:
    assert_killed_and_repeated(f"sqlite:///{tmp_path / 'msnode.sqlite'}", fatal, tmp_path)


@pytest.mark.parametrize(
    "fatal", [pytest.param(step, marks=[] if step in BOTH else pytest.mark.long) for step in ALL]
)
def test_a_killed_step_is_repeated_and_no_other_on_postgresql(
    fatal: str, postgresql_url: str, tmp_path: Path
) -> None:
    assert_killed_and_repeated(postgresql_url, fatal, tmp_path)


@pytest.mark.parametrize("fatal", ["classify", "deliver pacs 2"])
def test_another_host_takes_over_what_a_dead_one_had_begun(
    fatal: str, postgresql_url: str, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    assert run(postgresql_url, notes, fatal) == -signal.SIGKILL
    assert run(postgresql_url, notes, fatal, "host-2") == 0
    assert_each_done_once(notes, fatal)


def test_jobs_of_a_study_are_forgotten_once_they_are_done(
    database_url: str, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    run(database_url, notes, "classify")
    database = open_database(database_url)
    jobs = Jobs(database)
    with pytest.raises(MsnodeError, match=rf"study\.{STUDY}\.1"):
        jobs.forget(STUDY)
    assert run(database_url, notes, "classify") == 0
    for job in jobs.list(OPEN):  # the host may have died before it could record its last one's end
        jobs.cancel(job.id)
    jobs.forget("another study")
    assert len(jobs.list(STATES.values())) == 4
    jobs.forget(STUDY)
    assert jobs.list(STATES.values()) == []
    jobs._client.destroy()
    database.dispose()
    notes.write_text("")
    assert run(database_url, notes, "") == 0
    assert_each_done_once(notes, "")


def assert_killed_and_repeated(url: str, fatal: str, folder: Path) -> None:
    """Kill the engine in the midst of a step, and start it again."""
    notes = folder / "notes"
    notes.touch()
    assert run(url, notes, fatal) == -signal.SIGKILL
    assert run(url, notes, fatal) == 0
    assert_each_done_once(notes, fatal)


def assert_each_done_once(notes: Path, fatal: str) -> None:
    """Every step ended once; only what was under way at the kill was begun twice.

    Deliveries run side by side: one may have ended, with its end not yet recorded, as the kill of
    the other came. It is repeated, and its receipts see to it that nothing is sent twice.
    """
    counted = Counter(notes.read_text().splitlines())
    for step in ALL:
        beside = step.startswith("deliver") and fatal.startswith("deliver") and step != fatal
        assert 1 <= counted[f"{step} done"] <= (2 if beside else 1), step
        assert counted[step] <= (2 if step.startswith("deliver") or step == fatal else 1), step
