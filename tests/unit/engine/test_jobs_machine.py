"""Jobs as an administrator moves them, while a node works on them, in whatever order."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import dbos
import pytest
import sqlalchemy as sa
from dbos import EnqueueOptions
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from msnode.engine.common import STATES, STUDIES, VERSION, queue
from msnode.engine.jobs import OPEN, Job, Jobs
from msnode.errors import MsnodeError
from msnode.store.database import open_database

ENDED = ("done", "dead", "cancelled")
KEYS = ("0123456789abcdef", "fedcba9876543210")
TABLE = sa.table(
    "workflow_status",
    sa.column("workflow_uuid"),
    sa.column("status"),
    sa.column("executor_id"),
    sa.column("queue_name"),
    sa.column("delay_until_epoch_ms"),
)


@cache
def empty_database() -> bytes:
    """A database on which a node has run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "msnode.sqlite"
        dbos.run_dbos_database_migrations(f"sqlite:///{path}")
        return path.read_bytes()


@contextmanager
def jobs_at(folder: Path) -> Iterator[tuple[Jobs, sa.Engine]]:
    """The jobs on such a database."""
    (folder / "msnode.sqlite").write_bytes(empty_database())
    database = open_database(f"sqlite:///{folder / 'msnode.sqlite'}")
    jobs = Jobs(database)
    yield jobs, database
    jobs._client.destroy()
    jobs._client._sys_db.engine.dispose()
    database.dispose()


class JobsMachine(RuleBasedStateMachine):
    """A node that submits and ends jobs, here by hand, and an administrator."""

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.jobs, self.database = self.stack.enter_context(jobs_at(folder))
        self.states: dict[str, str] = {}
        self.about: dict[str, tuple[str, str | None, int | None]] = {}

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    # --- the node ---

    @rule(study=st.sampled_from(KEYS), delay_s=st.sampled_from([None, None, 3600.0]))
    def a_job_is_queued(self, study: str, delay_s: float | None) -> None:
        """A study; with a delay, an attempt to deliver its result."""
        is_delivery = delay_s is not None
        attempt = 1 + sum(about[:2] == (study, "pacs") for about in self.about.values())
        name = f"deliver.{study}.1.pacs.{attempt}" if is_delivery else f"study.{study}.1"
        if name in self.states:
            return
        options: EnqueueOptions = {
            "workflow_name": f"{name.split('.')[0]}.{VERSION}",
            "queue_name": queue("pacs") if is_delivery else STUDIES,
            "workflow_id": name,
            "app_version": VERSION,
        }
        if delay_s is not None:
            options["delay_seconds"] = delay_s
        self.jobs._client.enqueue(options, study, 1, *(("pacs", attempt) if is_delivery else ()))
        self.states[name] = "waiting" if is_delivery else "queued"
        self.about[name] = (study, "pacs", attempt) if is_delivery else (study, None, None)

    @precondition(lambda self: "queued" in self.states.values())
    @rule(data=st.data())
    def it_is_begun(self, data: st.DataObject) -> None:
        job = self.one_that_is(data, "queued")
        self.set(job, status="PENDING", executor_id="host-1")

    @precondition(lambda self: "waiting" in self.states.values())
    @rule(data=st.data())
    def its_time_comes(self, data: st.DataObject) -> None:
        self.set(self.one_that_is(data, "waiting"), status="ENQUEUED")

    @precondition(lambda self: not {"running", "queued"}.isdisjoint(self.states.values()))
    @rule(
        data=st.data(),
        status=st.sampled_from(["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]),
    )
    def it_ends(self, data: st.DataObject, status: str) -> None:
        self.set(self.one_that_is(data, "running", "queued"), status=status)

    # --- the administrator ---

    @precondition(lambda self: self.states)
    @rule(data=st.data())
    def it_is_cancelled(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(list(self.states)))
        if self.states[job] in ENDED:
            with pytest.raises(MsnodeError, match=f"is {self.states[job]}: nothing to cancel"):
                self.jobs.cancel(job)
            return
        self.jobs.cancel(job)
        self.states[job] = "cancelled"

    @precondition(lambda self: self.states)
    @rule(data=st.data(), wanted=st.sampled_from(["dead", "cancelled", "any"]))
    def it_is_retried(self, data: st.DataObject, wanted: str) -> None:
        those = [job for job, state in self.states.items() if state == wanted]
        job = data.draw(st.sampled_from(those or list(self.states)))
        before = self.states[job]
        if before in ("queued", "running", "done"):
            with pytest.raises(MsnodeError, match=f"is {before}: nothing to retry"):
                self.jobs.retry(job)
            return
        self.jobs.retry(job)
        if before == "waiting":
            due = self.jobs.get(job).due_at
            assert due is not None
            assert due <= time.time()
        elif before == "cancelled":
            self.states[job] = "queued"
            self.assert_in_its_queue(job)
        else:
            self.assert_anew(job)

    def assert_anew(self, dead: str) -> None:
        """In place of a dead job there is one new one, from the first attempt on."""
        (job,) = [job for job in self.jobs.list(STATES.values()) if job.id not in self.states]
        study, destination, attempt = self.about.pop(dead)
        del self.states[dead]
        self.states[job.id] = "queued"
        self.about[job.id] = (study, destination, attempt and 1)
        self.assert_in_its_queue(job.id)
        with pytest.raises(MsnodeError, match="no job"):
            self.jobs.get(dead)

    @rule(study=st.sampled_from(KEYS))
    def a_study_is_forgotten(self, study: str) -> None:
        mine = {job for job, about in self.about.items() if about[0] == study}
        if any(self.states[job] in OPEN for job in mine):
            with pytest.raises(MsnodeError, match="not done"):
                self.jobs.forget(study)
            return
        self.jobs.forget(study)
        for job in mine:
            del self.states[job], self.about[job]

    # --- what holds ---

    @invariant()
    def every_job_is_in_the_list_of_its_state_and_in_no_other(self) -> None:
        if not hasattr(self, "jobs"):
            return
        found = {state: self.jobs.list([state]) for state in set(STATES.values())}
        listed = [(job.id, state) for state, jobs in found.items() for job in jobs]
        assert sorted(listed) == sorted(self.states.items())
        for state, jobs in found.items():
            for job in jobs:
                self.assert_told(job, state)

    @invariant()
    def a_study_is_settled_once_all_its_jobs_are_done(self) -> None:
        if not hasattr(self, "jobs"):
            return
        left = {self.about[job][0] for job, state in self.states.items() if state != "done"}
        assert self.jobs.unsettled() == left

    def assert_told(self, job: Job, state: str) -> None:
        assert job.state == state
        assert (job.study, job.destination, job.attempt) == self.about[job.id]
        assert (job.kind == "deliver") == (job.destination is not None)
        assert (job.due_at is not None) == (state == "waiting")
        assert state != "running" or job.host == "host-1"

    def assert_in_its_queue(self, job: str) -> None:
        """Where a node takes it up: it looks at no other queue."""
        place = queue("pacs") if self.about[job][1] else STUDIES
        query = sa.select(TABLE.c.queue_name).where(TABLE.c.workflow_uuid == job)
        with self.database.connect() as connection:
            assert connection.scalar(query) == place

    def one_that_is(self, data: st.DataObject, *states: str) -> str:
        those = [job for job, state in self.states.items() if state in states]
        return data.draw(st.sampled_from(those))

    def set(self, job: str, **values: str) -> None:
        """Move a job as DBOS does."""
        with self.database.begin() as connection:
            statement = sa.update(TABLE).where(TABLE.c.workflow_uuid == job)
            connection.execute(statement.values(**values))
        self.states[job] = STATES[values["status"]]


TestJobs = JobsMachine.TestCase
TestJobs.settings = settings(
    max_examples=8,
    stateful_step_count=20,
    suppress_health_check=list(HealthCheck),
)
