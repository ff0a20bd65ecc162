"""The workflows: the order of the flow's steps, each recorded as it ends.

The names ``study.v2`` and ``deliver.v1`` stand for the order of the steps, their names and what
they return. DBOS replays an interrupted workflow from the records of its steps, so this version of
the program finishes jobs that the previous one began. The rule: a step may change what it does, but
must accept what the old one left behind. A change of the order, or of a step's name, arguments or
result, needs a new workflow name (``study.v3``), with the old one kept beside it, as ``study.v1``
is, until its workflows have finished. tests/integration/test_upgrade.py checks this with old jobs.
"""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import sqlalchemy as sa
from dbos import DBOS, SetEnqueueOptions, SetWorkflowID, StepOptions

from msnode.engine.common import WORKFLOWS, queue
from msnode.errors import Refused, TryLater, origin
from msnode.records.sentences import Sentence, to_json
from msnode.store.database import is_away
from msnode.store.disk_space import is_full

if TYPE_CHECKING:  # the flow imports torch, which is not needed to look at jobs
    from msnode.flow import Flow, Stage

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

RECOVERIES = 10
"""How often a workflow is restarted after a crash; then it counts as the cause and is dead."""

PAUSE_S = 2.0
"""Before a step's second attempt, doubled for each further one: in all some eight minutes."""

ROOM_S = 5.0
"""Between attempts of a step that finds the disk full or the database away."""

TRANSIENT = (TryLater, OSError, sa.exc.OperationalError, sa.exc.InterfaceError)
"""Faults of disk, network, device and database that may pass."""


def register(flow: "Flow") -> Callable[[str, int], str]:
    """Make the flow's workflows known to DBOS, which wants plain functions, not methods."""
    finish = _finishing(flow, _delivering(flow))

    @DBOS.workflow(name=WORKFLOWS["study"], max_recovery_attempts=RECOVERIES)
    def study(study_key: str, generation: int) -> str:
        """Prepare, outline, classify, report, hand over to the destinations."""
        stage = _stage("prepare", flow.prepare, study_key, generation)
        seconds = {"prepare": stage["seconds"]}
        if stage["reason"] is None:
            seconds |= _outlining(flow, study_key, generation)
        return finish(study_key, generation, stage, seconds)

    @DBOS.workflow(name="study.v1", max_recovery_attempts=RECOVERIES)
    def study_v1(study_key: str, generation: int) -> str:
        """What older versions began: without outlining."""
        stage = _stage("prepare", flow.prepare, study_key, generation)
        return finish(study_key, generation, stage, {"prepare": stage["seconds"]})

    return study


Enqueue = Callable[[str, str, int, str, int, float], None]


def _delivering(flow: "Flow") -> Enqueue:
    """The workflow of deliveries; returns what enqueues an attempt."""

    @DBOS.workflow(name=WORKFLOWS["deliver"], max_recovery_attempts=RECOVERIES)
    def deliver(study_key: str, generation: int, name: str, attempt: int) -> bool:
        """Make one attempt; if it fails, enqueue the next with a delay, so that no thread waits."""
        result = durable_step("deliver", flow.deliver, study_key, generation, name, attempt)
        if result["pause_s"] is not None:
            series = str(DBOS.workflow_id).rpartition(".")[0]  # a manual retry has its own
            enqueue(series, study_key, generation, name, attempt + 1, result["pause_s"])
        elif not result["delivered"]:
            raise Refused(f"given up after {attempt} attempt(s); see the receipts")
        return result["delivered"]

    def enqueue(
        series: str, study_key: str, generation: int, name: str, attempt: int, delay_s: float
    ) -> None:
        options = SetEnqueueOptions(delay_seconds=delay_s or None)
        with SetWorkflowID(f"{series}.{attempt}"), options:
            DBOS.enqueue_workflow(queue(name), deliver, study_key, generation, name, attempt)

    return enqueue


def _finishing(
    flow: "Flow", enqueue: Enqueue
) -> Callable[[str, int, "Stage", dict[str, float]], str]:
    """The end that both workflows of a study have."""

    def finish(study_key: str, generation: int, stage: "Stage", seconds: dict[str, float]) -> str:
        """Classify, report, hand over to the destinations."""
        if stage["reason"] is None:
            stage = _stage("classify", flow.classify, study_key, generation)
            seconds["classify"] = stage["seconds"]
        now = durable_step("now", time.time)
        reason = stage["reason"]
        try:
            outcome = durable_step(
                "report", flow.report, study_key, generation, reason, seconds, now
            )
        except Exception:
            durable_step("fail", flow.fail, study_key, generation)
            raise
        # recorded, so that a changed configuration cannot change a workflow that has begun
        for name in durable_step("destinations", lambda: sorted(flow.destinations)):
            series = f"deliver.{study_key}.{generation}.{name}"
            enqueue(series, study_key, generation, name, 1, 0.0)
        durable_step("finish", flow.finish, study_key, generation)
        return outcome

    return finish


def _outlining(flow: "Flow", study_key: str, generation: int) -> dict[str, float]:
    """Run the step that outlines; if it fails for good, the result says so."""
    try:
        return durable_step("outline", flow.outline, study_key, generation)["seconds"]
    except Exception as error:  # noqa: BLE001 - recorded by DBOS; the result must come
        log.error("job=%s outlining given up error=%s", DBOS.workflow_id, type(error).__name__)
        return {"outline": 0.0}  # by which the report knows that there should have been one


def _stage(name: str, function: Callable[[str, int], "Stage"], study_key: str, n: int) -> "Stage":
    """Run a step; if it fails for good, that becomes the reason in a "not analysed" result."""
    try:
        return durable_step(name, function, study_key, n)
    except Exception as error:  # noqa: BLE001 - recorded by DBOS; a study must never end in silence
        reason = Sentence("step_failed", step=Sentence(name), error=type(error).__name__)
        return {"reason": to_json(reason), "seconds": 0.0}


def durable_step(name: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run one durable step; a transient fault is retried for some minutes before it fails."""
    options: StepOptions = {
        "name": name,
        "retries_allowed": True,
        "interval_seconds": PAUSE_S,
        "backoff_rate": 2.0,
        "max_attempts": 9,
        "should_retry": lambda error: _passes(name, error),
    }
    return DBOS.run_step(options, _patient(function), *args, **kwargs)


def _passes(name: str, error: BaseException) -> bool:
    """Whether a step's error is transient; logs each error without its message."""
    passes = isinstance(error, TRANSIENT)
    log.log(
        logging.WARNING if passes else logging.ERROR,
        "job=%s step=%s failed error=%s at=%s", DBOS.workflow_id, name, *origin(error),
    )  # fmt: skip
    return passes


def _patient(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function so that it is repeated while the disk is full or the database is away.

    That is not the study's fault, and every later step would meet the same problem.
    """

    @wraps(function)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> R:
        while True:
            try:
                return function(*args, **kwargs)
            except (OSError, sa.exc.SQLAlchemyError) as error:
                if not (is_full(error) or is_away(error)):
                    raise
                what = "a disk is full" if is_full(error) else "the database is away"
                log.error("%s: work waits error=%s", what, type(error).__name__)
            time.sleep(ROOM_S)

    return waiting
