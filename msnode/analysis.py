"""One study through prepare and classify: a result or a reason, never an exception.

Plain functions over the stages; `flow` runs them as durable steps, `msnode predict` in one go.
"""

import logging
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from msnode import classify, metrics, prepare
from msnode.errors import NotAnalysable, Refused, TryLater
from msnode.records import (
    Finding,
    ModelInfo,
    Predecessor,
    Prepared,
    Report,
    Scores,
    SeriesChoice,
    Study,
)
from msnode.sentences import Sentence, Text

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Analysis:
    """A study on its way: it gains its parts stage by stage, or a reason why it cannot."""

    series: tuple[SeriesChoice, ...] = ()
    prepared: Prepared | None = None
    scores: Scores | None = None
    finding: Finding | None = None
    reason: Text | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def examine(paths: Sequence[Path], runner: classify.Runner) -> Analysis:
    """Prepare and classify in one go, without the engine (`msnode predict`)."""
    analysis = prepared(paths, runner)
    return opinion(analysis, runner) if analysis.reason is None else analysis


def prepared(paths: Sequence[Path], runner: classify.Runner) -> Analysis:
    """Choose the series and turn it into slices; a refusal is a result, never an exception."""
    with timed("prepare") as seconds:
        try:
            ready = prepare.prepare(paths, runner.contract)
            analysis = Analysis(ready.series, ready)
        except NotAnalysable as refusal:
            analysis = Analysis(refusal.series, reason=refusal.reason)
        except Exception as error:  # noqa: BLE001 - a study must never end in silence
            analysis = Analysis(reason=_failed("prepare", error))
    return replace(analysis, seconds=seconds)


def opinion(analysis: Analysis, runner: classify.Runner) -> Analysis:
    """Classify the prepared slices and decide.

    Raises:
        TryLater: the device is not able to do this now.
    """
    assert analysis.prepared is not None  # noqa: S101 - the callers' contract
    with timed("classify") as seconds:
        try:
            scores = runner.score(analysis.prepared.slices)
            finding = runner.decide(scores, analysis.prepared.slices)
            analysis = replace(analysis, scores=scores, finding=finding)
        except TryLater:
            raise
        except Refused as refusal:
            analysis = replace(analysis, reason=refusal.reason)
        except Exception as error:  # noqa: BLE001 - a study must never end in silence
            analysis = replace(analysis, reason=_failed("classify", error))
    return replace(analysis, seconds=analysis.seconds | seconds)


def compose(
    study: Study,
    analysis: Analysis,
    model: ModelInfo,
    created_at: float,
    predecessor: Predecessor | None = None,
) -> Report:
    """Everything the result objects are made of."""
    chosen = analysis.prepared.paths if analysis.prepared is not None else ()
    return Report(
        study_instance_uid=study.study_instance_uid,
        generation=study.generation,
        header=(chosen or study.paths)[0],
        evidence=chosen or study.paths,
        series=analysis.series,
        model=model,
        created_at=created_at,
        finding=analysis.finding,
        slices=analysis.prepared.slices if analysis.prepared is not None else None,
        scores=analysis.scores,
        reason=analysis.reason,
        seconds=analysis.seconds,
        predecessor=predecessor,
    )


@contextmanager
def timed(stage: str) -> Iterator[dict[str, float]]:
    """Measure a stage into the yielded ``{stage: seconds}`` and the metric."""
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    yield seconds
    seconds[stage] = round(time.perf_counter() - start, 3)
    metrics.STAGE_SECONDS.labels(stage).observe(seconds[stage])


def unexpected(error: Exception, doing: str) -> str:
    """Log where an error that nobody foresaw came from; its message may quote patient data.

    Returns:
        File and line.
    """
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    log.error("unexpected error=%s at=%s while=%r", type(error).__name__, where, doing)
    return where


def _failed(stage: str, error: Exception) -> Sentence:
    """The reason that an error which nobody foresaw becomes."""
    where = unexpected(error, stage)
    return Sentence(f"{stage}_failed", error=type(error).__name__, where=where)
