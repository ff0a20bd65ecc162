"""The workflow that fetches earlier studies from one source: one attempt after the other.

``priors.v1`` stands for the order of its steps, as the names in `workflows` do, and under the same
rule. It never fails: whatever goes wrong, the search ends with a word on record, and the study's
result waits for it for a limited time only (`Engine.release`).
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from msnode.engine.common import WORKFLOWS, queue_of
from msnode.engine.workflows import RECOVERIES, durable_step

if TYPE_CHECKING:  # as in workflows.py
    from msnode.flow.prior_step import Fetching, PriorStep

log = logging.getLogger(__name__)

Search = Callable[[str, int, str], None]
"""Begins the search for a study and its generation at a source; doing it twice does nothing."""


def register_priors(priors: "PriorStep") -> Search:
    """Make the workflow known to DBOS; returns what begins it."""

    @DBOS.workflow(name=WORKFLOWS["priors"], max_recovery_attempts=RECOVERIES)
    def search(study_key: str, generation: int, name: str, attempt: int) -> str:
        """Make one attempt; if there is to be another, enqueue it with a delay."""
        made = _fetched(priors, study_key, generation, name)
        for prior in made["arrived"]:
            _outlined(priors, study_key, generation, name, prior)
        durable_step("settle", priors.settle, study_key, name, made)
        if made["pause_s"] is not None:
            series = str(DBOS.workflow_id).rpartition(".")[0]
            enqueue(series, study_key, generation, name, attempt + 1, made["pause_s"])
        return made["state"]

    def enqueue(
        series: str, study_key: str, generation: int, name: str, attempt: int, delay_s: float
    ) -> None:
        options = SetEnqueueOptions(delay_seconds=delay_s or None)
        with SetWorkflowID(f"{series}.{attempt}"), options:
            place = queue_of("priors", name)
            DBOS.enqueue_workflow(place, search, study_key, generation, name, attempt)

    def begin(study_key: str, generation: int, name: str) -> None:
        enqueue(f"priors.{study_key}.{generation}.{name}", study_key, generation, name, 1, 0.0)

    return begin


def _fetched(priors: "PriorStep", study_key: str, generation: int, name: str) -> "Fetching":
    """Make one attempt; if that fails for good, there is no other."""
    try:
        return durable_step("fetch", priors.fetch, study_key, generation, name)
    except Exception as error:  # noqa: BLE001 - recorded by DBOS; the search must have an end
        kind = type(error).__name__
        log.error("job=%s search given up error=%s", DBOS.workflow_id, kind)
        detail = f"asking failed: {kind}"
        return {"arrived": [], "pause_s": None, "state": "given_up", "failed": True,
                "detail": detail}  # fmt: skip


def _outlined(priors: "PriorStep", study_key: str, generation: int, name: str, prior: str) -> None:
    """Outline one study that came; if that fails for good, it is of no use."""
    try:
        durable_step("outline_prior", priors.outline, study_key, generation, name, prior)
    except Exception as error:  # noqa: BLE001 - recorded by DBOS; the others must have their turn
        log.error("job=%s prior given up error=%s", DBOS.workflow_id, type(error).__name__)
        durable_step("spoil", priors.spoil, study_key, name, prior)
