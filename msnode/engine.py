"""The only file that knows the durable engine, DBOS Transact.

A workflow's steps are recorded in the database as they finish; after a crash the workflow goes on
at the step that was in flight, on SQLite and on PostgreSQL alike. The names ``study.v1`` and
``deliver.v1`` stand for the order of the steps: a change of the order needs a new name, with the
old one kept until its workflows are drained.
"""

import logging
import sqlite3
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import sqlalchemy as sa
from dbos import (
    DBOS,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    SetEnqueueOptions,
    SetWorkflowID,
    StepOptions,
)

from msnode.database import hosts, unix_now
from msnode.errors import TryLater

if TYPE_CHECKING:  # the flow brings torch along, which jobs that only look at the queue do without
    from msnode.flow import Flow, Stage

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

STUDIES = "studies"
VERSION = (
    "v1"  # of the workflows, not of the program: jobs of an older program go on after an upgrade
)
POLL_S = 0.2  # how often the queues are looked at; each look is one indexed query
SILENT_S = 30.0  # without a heartbeat, and a host counts as dead
STOP_S = 5  # for steps under way at a stop; what does not finish is repeated at the next start


class Engine:
    """Runs `Flow`'s steps durably; at most one per process, as DBOS itself is a singleton."""

    def __init__(self, database: sa.Engine, name: str, flow: "Flow") -> None:
        self._flow = flow
        self._database = database
        self._name = name
        config: DBOSConfig = {
            "name": "msnode",
            "system_database_engine": _connections(database),
            "system_database_url": database.url.render_as_string(hide_password=False),
            "executor_id": name,
            "application_version": VERSION,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
        }
        DBOS(config=config)
        self._study = _register(flow)

    def launch(self) -> None:
        """Start the queues and go on with what the last stop or crash interrupted."""
        DBOS.launch()
        DBOS.register_queue(STUDIES, worker_concurrency=2, polling_interval_sec=POLL_S)
        for name in self._flow.destinations:
            DBOS.register_queue(_queue(name), worker_concurrency=2, polling_interval_sec=POLL_S)

    def submit(self, study_key: str, generation: int) -> None:
        """Analyse a study; submitting the same generation again does nothing."""
        with SetWorkflowID(f"study.{study_key}.{generation}"):
            DBOS.enqueue_workflow(STUDIES, self._study, study_key, generation)

    def beat(self) -> None:
        """Say that this host is alive, and take over what a host that fell silent was doing.

        Taking over is harmless where that host was merely cut off: steps write the same bytes
        under the same UIDs, and DBOS records each step's end once.
        """
        with self._database.begin() as connection:
            mine = hosts.c.name == self._name
            if not connection.execute(
                hosts.update().where(mine).values(seen_at=unix_now())
            ).rowcount:
                connection.execute(hosts.insert().values(name=self._name, seen_at=unix_now()))
            # the update makes one of the survivors the heir; if it dies too, there is a next time
            silent = hosts.c.seen_at < unix_now() - SILENT_S
            claim = hosts.update().where(silent).values(seen_at=unix_now())
            dead = connection.scalars(claim.returning(hosts.c.name)).all()
        for name in dead:
            self._take_over(name)

    def _take_over(self, name: str) -> None:
        """Put the workflows that a dead host had begun back into their queues."""
        begun = DBOS.list_workflows(status="PENDING", executor_id=name, load_input=False)
        for workflow in begun:
            DBOS.resume_workflow(workflow.workflow_id, queue_name=workflow.queue_name)
        if begun:
            log.warning("host=%s fell silent; took over workflows=%d", name, len(begun))

    def stop(self) -> None:
        """Take no new work, give running steps a moment, leave the rest for the next start."""
        DBOS.destroy(workflow_completion_timeout_sec=STOP_S, destroy_registry=True)


def _register(flow: "Flow") -> Callable[[str, int], str]:
    """Make the flow's workflows known to DBOS, which wants plain functions, not methods."""

    @DBOS.workflow(name="deliver.v1")
    def deliver(study_key: str, generation: int, name: str, attempt: int) -> bool:
        """One attempt; a failed one leaves behind the next, delayed, and holds no thread."""
        result = _step("deliver", flow.deliver, study_key, generation, name, attempt)
        if result["pause_s"] is not None:
            enqueue(study_key, generation, name, attempt + 1, result["pause_s"])
        return result["delivered"]

    def enqueue(study_key: str, generation: int, name: str, attempt: int, delay_s: float) -> None:
        job = f"deliver.{study_key}.{generation}.{name}.{attempt}"
        with SetWorkflowID(job), SetEnqueueOptions(delay_seconds=delay_s or None):
            DBOS.enqueue_workflow(_queue(name), deliver, study_key, generation, name, attempt)

    @DBOS.workflow(name="study.v1")
    def study(study_key: str, generation: int) -> str:
        """Prepare, classify, report, hand over to the destinations."""
        stage = _stage("prepare", flow.prepare, study_key, generation)
        seconds = {"prepare": stage["seconds"]}
        if stage["reason"] is None:
            stage = _stage("classify", flow.classify, study_key, generation)
            seconds["classify"] = stage["seconds"]
        now = _step("now", time.time)
        reason = stage["reason"]
        try:
            outcome = _step("report", flow.report, study_key, generation, reason, seconds, now)
        except Exception:
            _step("fail", flow.fail, study_key, generation)
            raise
        # recorded, so that a changed configuration cannot change a workflow that has begun
        for name in _step("destinations", lambda: sorted(flow.destinations)):
            enqueue(study_key, generation, name, 1, 0.0)
        _step("finish", flow.finish, study_key, generation)
        return outcome

    return study


def _connections(database: sa.Engine) -> sa.Engine:
    """The same database as DBOS wants it: on SQLite it begins transactions by itself."""
    if database.dialect.name != "sqlite":
        return database
    engine = sa.create_engine(database.url)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout = 30000", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _queue(destination: str) -> str:
    """A queue for each destination, so that a slow or dead one holds nobody else up."""
    return f"deliver.{destination}"


def _stage(name: str, function: Callable[[str, int], "Stage"], study_key: str, n: int) -> "Stage":
    """A step that cannot be done in the end becomes the reason in a "not analysed" result."""
    try:
        return _step(name, function, study_key, n)
    except Exception as error:  # noqa: BLE001 - recorded by DBOS; a study must never end in silence
        return {"reason": f"{name} failed: {type(error).__name__}", "seconds": 0.0}


def _step(name: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run one durable step; `TryLater` is tried again for a quarter of an hour, then fails."""
    options: StepOptions = {
        "name": name,
        "retries_allowed": True,
        "interval_seconds": 2.0,
        "backoff_rate": 2.0,
        "max_attempts": 9,
        "should_retry": lambda error: isinstance(error, TryLater),
    }
    return DBOS.run_step(options, function, *args, **kwargs)
