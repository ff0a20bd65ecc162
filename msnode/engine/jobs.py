"""Workflows as jobs: what an administrator sees and may do, whether nodes run or not."""

import builtins
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from dbos import DBOSClient, EnqueueOptions, WorkflowStatus

from msnode.engine.common import (
    SERIALIZER,
    STATES,
    STUDIES,
    UNSETTLED,
    VERSION,
    WORKFLOWS,
    connections,
    queue,
    queue_of,
    study_of,
)
from msnode.errors import MsnodeError
from msnode.records.uid_hash import uid_hash
from msnode.store.for_reading import for_reading

OPEN = ("queued", "running", "waiting")
"""States of a job that will go on by itself."""


@dataclass(frozen=True, slots=True)
class Job:
    """A workflow as an administrator sees it.

    Attributes:
        kind: ``study`` (prepare, classify, report), ``deliver``, or ``priors`` (fetch them).
        study: the study's key, as in logs and file names.
        destination: of a delivery, or the source of earlier studies; else None.
        attempt: likewise, counted from 1; else None.
        state: waiting (for its next attempt), queued, running, done, dead or cancelled.
        due_at: when a waiting job's attempt is due, unix time in seconds; else None.
        updated_at: unix time in seconds.
        host: the one that ran it last, or None.
        created_at: unix time in seconds; 0 where it is not on record.
    """

    id: str
    kind: str
    study: str
    generation: int
    destination: str | None
    attempt: int | None
    state: str
    due_at: float | None
    updated_at: float
    host: str | None
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs there are.

    Attributes:
        by_state: number by state; states without a job are left out.
        next_at: when the first of the waiting ones is tried again, unix time in seconds.
    """

    by_state: dict[str, int]
    next_at: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a job that has ended.

    Attributes:
        name: as in `workflows`.
        began_at: unix time in seconds; ``ended_at`` likewise. None where it is not on record.
    """

    name: str
    began_at: float | None
    ended_at: float | None


class Jobs:
    """Lists, retries and cancels jobs, whether nodes run or not.

    Raises:
        MsnodeError: no node has ever run on this database.
    """

    def __init__(self, database: sa.Engine) -> None:
        if not self.exist(database):
            raise MsnodeError("no node has run on this database yet: there are no jobs")
        self._reading = for_reading(database)
        self._client = DBOSClient(
            system_database_engine=connections(database),
            system_database_url=database.url.render_as_string(hide_password=False),
            serializer=SERIALIZER,
            application_name="msnode",
        )

    @staticmethod
    def exist(database: sa.Engine) -> bool:
        """Whether a node has ever worked on this database."""
        schema = None if database.dialect.name == "sqlite" else "dbos"
        return sa.inspect(database).has_table("workflow_status", schema=schema)

    def list(self, states: Collection[str], newest: int | None = None) -> "list[Job]":
        """Jobs in these states, oldest first; the newest so many alone, if a number is given."""
        wanted = [status for status, state in STATES.items() if state in states]
        found = self._client.list_workflows(
            status=wanted, limit=newest, sort_desc=newest is not None, load_output=False
        )
        return [_job(workflow) for workflow in (found if newest is None else reversed(found))]

    def counts(self) -> Counts:
        """How many there are in which state, done ones aside."""
        schema = None if self._reading.dialect.name == "sqlite" else "dbos"
        status, delay = sa.column("status", sa.Text), sa.column("delay_until_epoch_ms", sa.Integer)
        table = sa.table("workflow_status", status, delay, schema=schema)
        query = (
            sa.select(status, sa.func.count(), sa.func.min(delay))
            .select_from(table)
            .where(status.in_(UNSETTLED))
            .group_by(status)
        )
        with self._reading.connect() as connection:
            rows = connection.execute(query).all()
        by_state: Counter[str] = Counter()
        for name, count, _ in rows:
            by_state[STATES[name]] += count
        due = [at / 1000 for name, _, at in rows if name == "DELAYED" and at]
        return Counts(dict(by_state), min(due, default=None))

    def of_study(self, study: str) -> "builtins.list[Job]":
        """All jobs of a study that are still on record, in the order in which they began."""
        prefixes = [f"{kind}.{study}." for kind in WORKFLOWS]
        found = self._client.list_workflows(workflow_id_prefix=prefixes, load_output=False)
        return [_job(workflow) for workflow in found]

    def steps(self, job_id: str) -> "builtins.list[Step]":
        """The steps of a job that have ended, in their order."""
        found = self._client.list_workflow_steps(job_id, load_output=False)
        return [
            Step(
                one["function_name"],
                _seconds(one["started_at_epoch_ms"]),
                _seconds(one["completed_at_epoch_ms"]),
            )
            for one in found
        ]

    def close(self) -> None:
        """Give its connections back."""
        self._client.destroy()

    def unsettled(self) -> set[str]:
        """Keys of the studies with a job that is open, dead or cancelled."""
        found = self._client.list_workflows(status=UNSETTLED, load_input=False, load_output=False)
        return {study_of(workflow.workflow_id) for workflow in found}

    def get(self, job_id: str) -> Job:
        """One job.

        Raises:
            MsnodeError: there is no job with this ID.
        """
        found = self._client.list_workflows(workflow_ids=[job_id])
        if not found:
            raise MsnodeError(f"no job {job_id}; see `msnode jobs list --state all`")
        return _job(found[0])

    def retry(self, job_id: str) -> None:
        """Do a dead or cancelled job again, or a waiting one now.

        Raises:
            MsnodeError: it is queued, running or done.
        """
        job = self.get(job_id)
        place = STUDIES if job.destination is None else queue_of(job.kind, job.destination)
        if job.state == "waiting":
            self._client.set_workflow_delay(job_id, delay_seconds=0)
        elif job.state == "cancelled":
            self._client.resume_workflow(job_id, queue_name=place)
        elif job.state == "dead":
            self._again(job, place)
        else:
            raise MsnodeError(f"job {job_id} is {job.state}: nothing to retry")

    def _again(self, job: Job, place: str) -> None:
        """A new job in place of a dead one; its ID follows from that one's and its begin.

        So two people who retry it at once, or one who clicks twice, get one job and not two.
        """
        delivery = () if job.destination is None else (job.destination, 1)
        name = ".".join(map(str, (job.kind, job.study, job.generation, *delivery[:1])))
        options = _options(job.kind, place, f"{name}.{_series([job])}.1")
        self._client.enqueue(options, job.study, job.generation, *delivery)
        self._client.delete_workflow(job.id)

    def next_series(self, study: str, generation: int, destination: str) -> str:
        """A series of attempts for `deliver`; two who ask at once get the same one.

        Raises:
            MsnodeError: a delivery of the result is under way.
        """
        prefix = f"deliver.{study}.{generation}.{destination}."
        # another destination's name may begin with this one's and a dot
        found = self._client.list_workflows(
            workflow_id_prefix=prefix, queue_name=queue(destination), load_output=False
        )
        for job in found:
            if STATES[job.status] in OPEN:
                why = f"is under way; `msnode jobs retry {job.workflow_id}` hurries it"
                raise MsnodeError(f"{job.workflow_id} {why}")
        return _series(map(_job, found))

    def deliver(self, study: str, generation: int, destination: str, series: str) -> str:
        """Queue a delivery of a result, as if it were the first; returns the job's ID.

        Args:
            study: its key.
            generation: of the result.
            destination: its name.
            series: of attempts; the same again does nothing.
        """
        job_id = f"deliver.{study}.{generation}.{destination}.{series}.1"
        options = _options("deliver", queue(destination), job_id)
        self._client.enqueue(options, study, generation, destination, 1)
        return job_id

    def cancel(self, job_id: str) -> None:
        """Stop a job before its next step; `retry` takes it up again.

        Raises:
            MsnodeError: it has ended already.
        """
        job = self.get(job_id)
        if job.state in ("done", "dead", "cancelled"):
            raise MsnodeError(f"job {job_id} is {job.state}: nothing to cancel")
        self._client.cancel_workflow(job_id)

    def forget(self, study: str) -> None:
        """Delete the records of a study's jobs: if it comes again, its jobs get the same IDs.

        Raises:
            MsnodeError: one is not done.
        """
        prefixes = [f"{kind}.{study}." for kind in WORKFLOWS]
        found = self._client.list_workflows(workflow_id_prefix=prefixes, load_output=False)
        left = [job.workflow_id for job in found if STATES[job.status] in OPEN]
        if left:
            raise MsnodeError(
                f"study {study} has jobs that are not done: {', '.join(left)}; wait for them, or "
                "stop them with `msnode jobs cancel`"
            )
        self._client.delete_workflows([job.workflow_id for job in found])


def _series(before: Iterable[Job]) -> str:
    """What comes after these jobs, by their IDs and when each was made: an ID may come again."""
    return f"r{uid_hash(' '.join(sorted(f'{job.id} {job.created_at:.3f}' for job in before)))}"


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _options(kind: str, place: str, job_id: str) -> EnqueueOptions:
    """For a job of a kind in a queue."""
    return {
        "workflow_name": WORKFLOWS[kind],
        "queue_name": place,
        "workflow_id": job_id,
        "app_version": VERSION,
    }


def _job(workflow: WorkflowStatus) -> Job:
    """A workflow as a job; its arguments are those of the functions in `workflows.register`."""
    assert workflow.input is not None  # noqa: S101 - it is loaded
    study, generation, *delivery = workflow.input["args"]
    delay = workflow.delay_until_epoch_ms if workflow.status == "DELAYED" else None
    return Job(
        id=workflow.workflow_id,
        kind=workflow.name.split(".")[0],
        study=study,
        generation=generation,
        destination=delivery[0] if delivery else None,
        attempt=delivery[1] if delivery else None,
        state=STATES[workflow.status],
        due_at=delay / 1000 if delay is not None else None,
        updated_at=(workflow.updated_at or 0) / 1000,
        host=workflow.executor_id,
        created_at=(workflow.created_at or 0) / 1000,
    )
