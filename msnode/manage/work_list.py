"""The jobs as people are told of them, and how one is hurried."""

from collections.abc import Collection
from dataclasses import replace

import sqlalchemy as sa

from msnode.engine.jobs import OPEN, Job, Jobs
from msnode.store.commitments import Commitments
from msnode.store.receipts import Receipts

SENT = "sent"
"""State of a delivery of which everything was sent, and the peer's proof is outstanding."""

UNDONE = (*OPEN, SENT, "dead", "cancelled")
"""States of all jobs that are not done."""


def told(
    jobs: Jobs, database: sa.Engine, states: Collection[str], newest: int | None = None
) -> list[Job]:
    """Jobs in these states, where what was sent and is not proven has a state of its own.

    Args:
        jobs: of the node.
        database: that they are on.
        states: as of `Job`, and ``sent``.
        newest: only so many.
    """
    engine_states = {"waiting" if state == SENT else state for state in states}
    awaiting = Receipts(database).awaiting()
    found = [as_sent(job, awaiting) for job in jobs.list(engine_states, newest)]
    return [job for job in found if job.state in states]


def as_sent(job: Job, awaiting: Collection[tuple[str, int, str]]) -> Job:
    """A job that only waits for its peer's proof is told as sent."""
    place = job.study, job.generation, job.destination
    return replace(job, state=SENT) if job.state == "waiting" and place in awaiting else job


def retry(jobs: Jobs, database: sa.Engine, job_id: str) -> None:
    """Do a dead or cancelled job again, or a waiting one now; a peer that is silent is asked again.

    Raises:
        MsnodeError: it is queued, running or done.
    """
    job = jobs.get(job_id)
    if job.state == "waiting" and job.kind == "deliver" and job.destination is not None:
        commitments = Commitments(database)
        asked = commitments.of(job.destination, job.study, job.generation)
        commitments.expire(request.transaction_uid for request in asked)
    jobs.retry(job_id)
