"""Jobs that an older version began, one stopped at each step, are finished by this one.

The fixture is what the first installed version left behind; make_old_jobs.py made it.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa

from msnode.engine.jobs import OPEN, Jobs
from msnode.records.uid_hash import uid_hash
from msnode.store.database import open_database, receipts, results, studies
from tests.acceptance import peers
from tests.acceptance.node import Node
from tests.integration.make_old_jobs import ROOT, STATES, UIDS
from tests.unit.receive.datasets import rows
from tests.unpacking import unpack

pytestmark = pytest.mark.timeout(240)

OLD = Path(__file__).with_name("upgrade") / "v1.tar.xz"
DELIVERED = ("deliver", "done")
"""Whose results the old version had brought to the archive."""


@dataclass(frozen=True)
class Upgraded:
    """What is there when this version has done what was left to do."""

    folder: Path
    engine: sa.Engine
    before: dict[str, list[str]]
    log: str

    def result_uids(self, state: str) -> list[str]:
        """SOPInstanceUIDs of a study's result objects."""
        return uids(self.folder / "data" / "work" / uid_hash(UIDS[state]))

    def delivered(self) -> Counter[str]:
        """Result objects that this version brought to the archive, by state of their study."""
        states = {uid: state for state, uid in UIDS.items()}
        found = [pydicom.dcmread(path) for path in (self.folder / "archive").glob("*.dcm")]
        return Counter(states[dataset.StudyInstanceUID] for dataset in found)


def uids(folder: Path) -> list[str]:
    """SOPInstanceUIDs of the DICOM files below a folder."""
    return sorted(pydicom.dcmread(path).SOPInstanceUID for path in folder.rglob("*.dcm"))


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    folder = tmp_path_factory.mktemp("upgrade")
    data = folder / "data"
    unpack(OLD, folder)
    for path in data.rglob("*.json"):
        path.write_text(path.read_text().replace(ROOT, str(data)))
    for path in (data / "work" / uid_hash(UIDS["report"])).rglob("*.safetensors"):
        path.unlink()  # as `finish` does, before somebody sets the database back to a copy
    bring_to_today(data / "msnode.sqlite")
    before = {state: uids(data / "work" / uid_hash(uid)) for state, uid in UIDS.items()}
    node = Node(
        {
            "data": str(data),
            "receive": {"address": "127.0.0.1", "port": peers.free_port(), "min_free_bytes": 0,
                        "warn_free_bytes": 0},
            "complete": {"quiet_s": 0.5, "idle_s": 1.0, "cap_s": 60.0},
            "classify": {"bundle": str(folder / "bundle"), "device": "cpu", "threads": 1},
            "lesions": {"bundle": None},  # not what this is about, and it takes seconds
            "destinations": [{"name": "archive", "folder": str(folder / "archive")}],
            "http": {"port": peers.free_port()},
        },
        folder,
    )  # fmt: skip
    node.start()
    engine = open_database(f"sqlite:///{data / 'msnode.sqlite'}")
    try:
        jobs = Jobs(engine)
        peers.wait(lambda: is_settled(engine, jobs), 120, "the old jobs to be done")
        time.sleep(1)  # for what must not come
    finally:
        node.kill_if_alive()
    yield Upgraded(folder, engine, before, node.log.read_text())
    engine.dispose()


def bring_to_today(database: Path) -> None:
    """As if the old version had stopped just now: what is old is deleted, by its own rules."""
    with closing(sqlite3.connect(database)) as old, old:
        (last,) = old.execute("SELECT max(updated_at) FROM workflow_status").fetchone()
        passed = int(time.time() * 1000 - last)
        for table, unit, columns in (
            ("workflow_status", 1, ("created_at", "updated_at", "completed_at")),
            ("studies", 1000, ("first_at", "last_at")),
            ("instances", 1000, ("received_at",)),
            ("results", 1000, ("created_at",)),
        ):
            later = ", ".join(f"{name} = {name} + {passed // unit}" for name in columns)
            old.execute(f"UPDATE {table} SET {later}")


def is_settled(engine: sa.Engine, jobs: Jobs) -> bool:
    """Nothing is left to do."""
    states = {row["state"] for row in rows(engine, studies)}
    return states == {"done"} and not jobs.list(OPEN)


@pytest.mark.parametrize("state", STATES)
def test_a_study_gets_its_one_result(upgraded: Upgraded, state: str) -> None:
    mine = uid_hash(UIDS[state])
    (result,) = [row for row in rows(upgraded.engine, results) if row["study_key"] == mine]
    assert (result["generation"], result["outcome"] != "not_analysed") == (1, True)
    assert result["probability"] is not None
    said = [row for row in rows(upgraded.engine, receipts) if row["study_key"] == mine]
    assert [row["delivered"] for row in said] == [True, True]
    assert sorted(str(row["sop_instance_uid"]) for row in said) == upgraded.result_uids(state)


@pytest.mark.parametrize("state", STATES)
def test_it_is_delivered_once(upgraded: Upgraded, state: str) -> None:
    assert upgraded.delivered()[state] == (0 if state in DELIVERED else 2)


@pytest.mark.parametrize("state", ["report", "finish", "waiting", *DELIVERED])
def test_the_old_version_had_given_it_the_same_uids(upgraded: Upgraded, state: str) -> None:
    assert upgraded.before[state] == upgraded.result_uids(state) != []


def test_every_job_ended_well(upgraded: Upgraded) -> None:
    jobs = Jobs(upgraded.engine)
    kinds = Counter((job.kind, job.state) for job in jobs.list(("done", "dead", "cancelled")))
    assert kinds.keys() == {("study", "done"), ("deliver", "done")}
    assert kinds["study", "done"] == len(STATES)
    assert " ERROR " not in upgraded.log


def test_the_old_database_was_copied_first(upgraded: Upgraded) -> None:
    (copy,) = (upgraded.folder / "data").glob("*.bak*")
    assert copy.name == "msnode.sqlite.0002.bak"
    with closing(sqlite3.connect(copy)) as saved:
        found = saved.execute("SELECT study_key FROM studies WHERE state = 'queued'").fetchall()
        open_then = {"unsubmitted", "prepare", "classify", "report"}
        assert {uid for (uid,) in found} == {uid_hash(UIDS[state]) for state in open_then}
        said = saved.execute("SELECT DISTINCT study_key FROM receipts WHERE delivered").fetchall()
        assert {uid for (uid,) in said} == {uid_hash(UIDS[state]) for state in DELIVERED}
