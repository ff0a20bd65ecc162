"""Why a job does not go on, and what somebody can do about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from msnode.engine.jobs import Job
from msnode.records.receipt import Receipt
from msnode.store.for_reading import for_reading
from msnode.store.receipts import Receipts


@dataclass(frozen=True, slots=True)
class JobReason:
    """What there is to say.

    Attributes:
        phrase: in the section ``admin`` of the pages' phrases: what happened, and what to do.
        detail: in the destination's words, or ours about it.
    """

    phrase: str
    detail: str = ""


def reasons(database: sa.Engine, jobs: Sequence[Job]) -> dict[str, JobReason]:
    """By job ID, of those that do not go on now."""
    keys = {job.study for job in jobs if job.kind == "deliver" and job.state != "done"}
    receipts = Receipts(for_reading(database)).of_studies(keys) if keys else {}
    told = {}
    for job in jobs:
        sent = receipts.get((job.study, job.generation), ())
        mine = [one for one in sent if one.destination == job.destination and not one.delivered]
        if (reason := _reason(job, mine)) is not None:
            told[job.id] = reason
    return told


def _reason(job: Job, undelivered: Sequence[Receipt]) -> JobReason | None:
    detail = "; ".join(dict.fromkeys(one.detail for one in undelivered if one.detail))
    if job.state == "cancelled":
        return JobReason("why_cancelled")
    if job.state == "sent":
        return JobReason("why_sent", detail)
    if job.state == "waiting":
        return JobReason("why_waiting" if job.kind == "deliver" else "why_delayed", detail)
    if job.state != "dead":
        return None
    if job.kind != "deliver":
        return JobReason(f"why_dead_{job.kind}")
    refused = any(not one.retry for one in undelivered)
    return JobReason("why_dead_refused" if refused else "why_dead_silent", detail)
