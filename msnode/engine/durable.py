"""Runs the flow's steps durably, and takes over the work of dead hosts."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID, WorkflowStatus

from msnode.engine.common import (
    SERIALIZER,
    STATES,
    STOPPED,
    STUDIES,
    UNSETTLED,
    VERSION,
    connections,
    queue,
    queue_of,
    study_of,
)
from msnode.engine.prior_workflow import register_priors
from msnode.engine.workflows import register
from msnode.store.database import hosts
from msnode.store.database_clock import unix_now

if TYPE_CHECKING:  # as in workflows.py
    from msnode.flow import Flow
    from msnode.flow.prior_step import PriorStep

log = logging.getLogger(__name__)

POLL_S, IDLE_S = 0.2, 2.0
"""How often each queue is looked at while studies are under way, and else: a look costs 4 ms of
CPU."""
LINGER_S = 30.0
"""Results are sent after a study has ended, and there may be another one soon."""
KEEP_S = 7 * 86400.0  # how long workflows that ended well are kept for inspection
BATCH = 500  # of them deleted at once: a statement can take only so many parameters
SILENT_S = 30.0  # a host without a heartbeat for so long counts as dead
LEAD_S = 1800.0  # an urgent study overtakes routine ones that came up to so long before it
EPOCH = 1_767_225_600.0  # 2026-01-01, so that the seconds since fit into 31 bits until 2094
STOP_S = 5  # for steps under way at a stop; what does not finish is repeated at the next start


def place(since: float, stat: bool) -> int:
    """A study's priority in the queue, where the lowest number goes first.

    The priority is the time since which a study waits, for urgent studies LEAD_S earlier. So urgent
    studies go before routine ones, each kind in its order, but no study waits for urgent ones that
    came more than LEAD_S after it.
    """
    return max(int(since - EPOCH - LEAD_S * stat), 0) + 1


class Engine:
    """Runs `Flow`'s steps durably; at most one per process, as DBOS itself is a singleton.

    Args:
        database: the one database.
        name: of this host, stable over restarts, unique among those that share the database.
        flow: the steps.
        silent_s: seconds without a heartbeat after which another host counts as dead.
        keep_s: seconds for which the records of jobs that ended well are kept.
        priors: fetches earlier studies; None where nothing does.

    Attributes:
        is_alone: whether no other host worked on this database at the last `beat`.
    """

    def __init__(
        self,
        database: sa.Engine,
        name: str,
        flow: "Flow",
        silent_s: float = SILENT_S,
        keep_s: float = KEEP_S,
        priors: "PriorStep | None" = None,
    ) -> None:
        self._flow = flow
        self._database = database
        self._name = name
        self._silent_s = silent_s
        self.is_alone = False
        self._keep_s = keep_s
        self._poll_s = POLL_S
        self._idle_from = 0.0
        config: DBOSConfig = {
            "name": "msnode",
            "system_database_engine": connections(database),
            "system_database_url": database.url.render_as_string(hide_password=False),
            "executor_id": name,
            "application_version": VERSION,
            "serializer": SERIALIZER,
            "log_level": "CRITICAL",  # an error's text may quote a header; we log what matters
        }
        DBOS(config=config)
        self._study = register(flow)
        self._sources = tuple(priors.sources) if priors is not None else ()
        self._search = register_priors(priors) if priors is not None else None

    def launch(self) -> None:
        """Start the queues and go on with what the last stop or crash interrupted."""
        DBOS.launch()
        self._look_every(POLL_S)

    def pace(self, under_way: bool) -> bool:
        """Look at the queues often while there is something to do, seldom while there is not.

        Args:
            under_way: whether studies come in or are being analysed.

        Returns:
            Whether it has just come to rest.
        """
        now = time.monotonic()
        if under_way:
            self._idle_from = now + LINGER_S
        seconds = POLL_S if now < self._idle_from else IDLE_S
        if seconds == self._poll_s:
            return False
        self._look_every(seconds)
        return seconds == IDLE_S

    def _look_every(self, seconds: float) -> None:
        """Say how often; DBOS takes it from the next look on."""
        sources = (queue_of("priors", name) for name in self._sources)
        for name in (STUDIES, *map(queue, self._flow.destinations), *sources):
            DBOS.register_queue(name, worker_concurrency=2, polling_interval_sec=seconds)
        self._poll_s = seconds

    def submit(
        self,
        study_key: str,
        generation: int,
        *,
        since: float = EPOCH,
        stat: bool = False,
        wait_s: float = 0.0,
    ) -> bool:
        """Analyse a study; submitting the same generation again does nothing.

        Args:
            study_key: of the study.
            generation: of its images.
            since: unix time in seconds from which it waits.
            stat: it goes before routine studies, except those that have waited LEAD_S longer.
            wait_s: seconds that it waits for earlier studies, unless `release` ends that.

        Returns:
            False where its job has died or was cancelled: it will not finish by itself.
        """
        turn = SetEnqueueOptions(priority=place(since, stat), delay_seconds=wait_s or None)
        with SetWorkflowID(f"study.{study_key}.{generation}"), turn:
            job = DBOS.enqueue_workflow(STUDIES, self._study, study_key, generation)
        return STATES[job.get_status().status] not in ("dead", "cancelled")

    def hurry(self, study_key: str, generation: int, since: float) -> None:
        """Let a study that waits in the queue go before routine ones, as if submitted so.

        Args:
            study_key: of the study.
            generation: of its images.
            since: unix time in seconds from which it waits.
        """
        # DBOS sets a priority only with a new job, and has no call that changes it
        schema = None if self._database.dialect.name == "sqlite" else "dbos"
        names = ("workflow_uuid", "status", "priority")
        jobs = sa.table("workflow_status", *map(sa.column, names), schema=schema)
        mine = jobs.c.workflow_uuid == f"study.{study_key}.{generation}"
        waits = jobs.c.status.in_(("ENQUEUED", "DELAYED"))
        with self._database.begin() as connection:
            connection.execute(
                jobs.update().where(mine, waits).values(priority=place(since, stat=True))
            )
        self.release(f"study.{study_key}.{generation}")  # it waits for no earlier studies, either

    def search(self, study_key: str, generation: int, source: str) -> None:
        """Ask a source for earlier studies; beginning the same search again does nothing."""
        if self._search is not None and source in self._sources:
            self._search(study_key, generation, source)

    def waiting(self) -> dict[str, str]:
        """The studies whose analysis waits for earlier studies: job by key."""
        found = DBOS.list_workflows(
            workflow_id_prefix="study.", status="DELAYED", load_input=False, load_output=False
        )
        return {study_of(job.workflow_id): job.workflow_id for job in found}

    def release(self, job_id: str) -> None:
        """Let a study that waits be analysed now."""
        DBOS.set_workflow_delay(job_id, delay_seconds=0.0)

    def unworked(
        self, generations: Sequence[tuple[str, int]]
    ) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """Of these generations of studies, those without a job, and those whose job has stopped.

        Two queries at most, however many they are.
        """
        names = {f"study.{key}.{generation}": (key, generation) for key, generation in generations}
        found = (
            DBOS.list_workflows(workflow_ids=list(names), load_input=False, load_output=False)
            if names
            else []
        )
        states = {workflow.workflow_id: STATES[workflow.status] for workflow in found}
        absent = [names[name] for name in _without_retry([n for n in names if n not in states])]
        stopped = [names[name] for name, state in states.items() if state in ("dead", "cancelled")]
        return absent, stopped

    def is_delivering(self, study_key: str, generation: int, destination: str) -> bool:
        """Whether an attempt at a destination runs, or is about to."""
        return bool(_deliveries(study_key, generation, destination, "PENDING", "ENQUEUED"))

    def lost(self, kind: str = "deliver") -> list[tuple[str, str]]:
        """Study and destination of deliveries given up because the node crashed in every attempt.

        Of ``priors``: study and source of searches. Each is returned once and is then cancelled;
        `msnode jobs retry` takes it up again.
        """
        found = DBOS.list_workflows(
            status="MAX_RECOVERY_ATTEMPTS_EXCEEDED",
            workflow_id_prefix=f"{kind}.",
            load_output=False,
        )
        for job in found:
            DBOS.cancel_workflow(job.workflow_id)
        arguments = [job.input["args"] for job in found if job.input is not None]
        return [(study, destination) for study, _, destination, _ in arguments]

    def hasten(self, study_key: str, generation: int, destination: str, delay_s: float) -> None:
        """Bring the next attempt at a destination forward, if there is to be one.

        Args:
            study_key: of the study.
            generation: of its result.
            destination: its name.
            delay_s: seconds from now.
        """
        until = (time.time() + delay_s) * 1000
        for job in _deliveries(study_key, generation, destination, "DELAYED"):
            if (job.delay_until_epoch_ms or 0) > until:
                DBOS.set_workflow_delay(job.workflow_id, delay_seconds=delay_s)

    def beat(self) -> None:
        """Record that this host is alive, and take over the work of hosts that stopped recording.

        Taking over is harmless where that host was merely cut off: steps write the same bytes
        under the same UIDs, and DBOS records each step's end once.
        """
        with self._database.begin() as connection:
            mine = hosts.c.name == self._name
            if not connection.execute(
                hosts.update().where(mine).values(seen_at=unix_now())
            ).rowcount:
                connection.execute(hosts.insert().values(name=self._name, seen_at=unix_now()))
            # the update lets one survivor take over; if it dies too, another one does so later
            silent = hosts.c.seen_at < unix_now() - self._silent_s
            claim = hosts.update().where(silent).values(seen_at=unix_now())
            dead = connection.scalars(claim.returning(hosts.c.name)).all()
            others = hosts.c.seen_at >= unix_now() - self._silent_s
            query = sa.select(sa.func.count()).select_from(hosts).where(~mine, others)
            self.is_alone = not connection.scalar(query)
        for name in dead:
            self._take_over(name)

    def _take_over(self, name: str) -> None:
        """Put the workflows that a dead host had begun back into their queues."""
        begun = DBOS.list_workflows(status="PENDING", executor_id=name, load_input=False)
        for workflow in begun:
            DBOS.resume_workflow(workflow.workflow_id, queue_name=workflow.queue_name)
        if begun:
            log.warning("host=%s fell silent; took over workflows=%d", name, len(begun))

    def unsettled(self) -> set[str]:
        """Keys of the studies with a job that is open, dead or cancelled."""
        found = DBOS.list_workflows(status=UNSETTLED, load_input=False, load_output=False)
        return {study_of(workflow.workflow_id) for workflow in found}

    def stopped(self) -> Counter[str]:
        """How many jobs are dead, and how many cancelled: both wait for an administrator."""
        found = DBOS.list_workflows(status=STOPPED, load_input=False, load_output=False)
        return Counter(STATES[workflow.status] for workflow in found)

    def sweep(self) -> None:
        """Delete the records of workflows that ended well long ago; DBOS never does.

        Dead and cancelled ones stay for the administrator, who retries them or forgets the study.
        """
        before = datetime.fromtimestamp(time.time() - self._keep_s, UTC).isoformat()
        while old := DBOS.list_workflows(
            status="SUCCESS",
            completed_before=before,
            limit=BATCH,
            load_input=False,
            load_output=False,
        ):
            DBOS.delete_workflows([workflow.workflow_id for workflow in old])

    def stop(self) -> None:
        """Take no new work, give running steps a moment, leave the rest for the next start."""
        DBOS.destroy(workflow_completion_timeout_sec=STOP_S, destroy_registry=True)


def _without_retry(names: list[str]) -> list[str]:
    """Of these jobs of studies, those in whose place `msnode jobs retry` has put no other one."""
    if not names:
        return []
    prefixes = [f"{name}." for name in names]
    found = DBOS.list_workflows(workflow_id_prefix=prefixes, load_input=False, load_output=False)
    retried = {job.workflow_id.rsplit(".", 2)[0] for job in found}
    return [name for name in names if name not in retried]


def _deliveries(
    study_key: str, generation: int, destination: str, *statuses: str
) -> list[WorkflowStatus]:
    """The attempts to deliver a result that are in one of these states."""
    return DBOS.list_workflows(
        workflow_id_prefix=f"deliver.{study_key}.{generation}.",
        queue_name=queue(destination),
        status=list(statuses),
        load_input=False,
        load_output=False,
    )
