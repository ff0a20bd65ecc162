"""Takes one study through prepare and classify: gives a result or a reason, never an exception.

Plain functions that call the stages. `flow` runs them as durable steps, `msnode predict` runs them
in one go.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from msnode import classify, metrics, prepare
from msnode.confined import Confined
from msnode.errors import Refused, TryLater, origin
from msnode.records.images import InputContract, Prepared, SeriesChoice, Slices, SourceVolume, Study
from msnode.records.lesions import LesionFinding, LesionMaps
from msnode.records.results import Finding, ModelInfo, Predecessor, Report, Scores
from msnode.records.sentences import Sentence, Text

log = logging.getLogger(__name__)

FAULTS = frozenset(
    {
        "prepare_failed",
        "classify_failed",
        "outline_failed",
        "outline_missing",
        "compare_failed",
        "step_failed",
        "decoder_died",
        "slices_shape",
        "no_finite_score",
        "kept_back",
    }
)
"""Reasons that are faults of the node or its machine; all others are due to the images."""

Outline = Callable[[Prepared, SourceVolume], tuple[LesionFinding, LesionMaps | None]]
"""Outlines a prepared study."""

PrepareInto = Callable[[Path, Sequence[Path], InputContract], prepare.Outcome]
"""Turns a study's files into slices in a folder, by the contract; runs in its own process."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The state of a study: each stage adds its part, or the reason why it cannot."""

    series: tuple[SeriesChoice, ...] = ()
    prepared: Prepared | None = None
    scores: Scores | None = None
    finding: Finding | None = None
    lesions: LesionFinding | None = None
    maps: LesionMaps | None = None
    reason: Text | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def examine(
    paths: Sequence[Path],
    runner: classify.Runner,
    reader: Confined,
    outline: Outline,
    prepare_into: PrepareInto = prepare.prepare_into,
) -> Analysis:
    """Prepare, outline and classify in one go, without the engine (`msnode predict`).

    Where there is no volume, as of a blood smear, nothing is outlined.
    """
    with TemporaryDirectory(prefix="msnode-") as name:
        analysis = prepared(paths, runner.contract, reader, Path(name), prepare_into)
        if analysis.reason is not None:
            return analysis
        study = prepare.load(Path(name))
        if not prepare.has_volume(Path(name)):
            return opinion(replace(analysis, prepared=study), runner)
        with timed("outline") as seconds:
            lesions, maps = outline(study, prepare.load_volume(Path(name)))
        found = replace(analysis, prepared=study, lesions=lesions, maps=maps)
        return opinion(replace(found, seconds=found.seconds | seconds), runner)


def prepared(
    paths: Sequence[Path],
    contract: InputContract,
    reader: Confined,
    folder: Path,
    prepare_into: PrepareInto = prepare.prepare_into,
) -> Analysis:
    """Choose the series and write its slices to a folder; a refusal becomes the reason.

    Args:
        paths: the study's files.
        contract: the classifier's.
        reader: runs the preparation in another process.
        folder: gets the slices.
        prepare_into: the preparation of the study's route.

    Raises:
        TryLater: the node is stopping.
        OSError: the folder cannot be written.
    """
    with timed("prepare") as seconds:
        try:
            outcome = reader.call(prepare.Outcome, prepare_into, folder, paths, contract)
            analysis = Analysis(outcome.series, reason=outcome.reason)
        except (TryLater, OSError):
            raise
        except Refused as refusal:
            analysis = Analysis(reason=refusal.reason)
        except Exception as error:  # noqa: BLE001 - a study must never end in silence
            analysis = Analysis(reason=failed("prepare", error))
    return replace(analysis, seconds=seconds)


def opinion(analysis: Analysis, runner: classify.Runner) -> Analysis:
    """Classify the prepared slices and decide, with what was outlined.

    Raises:
        TryLater: the device cannot do this now.
    """
    return decided(scored(analysis, runner), runner)


def scored(analysis: Analysis, runner: classify.Runner) -> Analysis:
    """Classify the prepared slices, whatever is outlined in them; see `opinion`."""
    assert analysis.prepared is not None  # noqa: S101 - the callers' contract
    slices = analysis.prepared.slices
    with timed("classify") as seconds:
        made = _or_reason(analysis, lambda: replace(analysis, scores=runner.score(slices)))
    return replace(made, seconds=made.seconds | seconds)


def decided(analysis: Analysis, runner: classify.Runner) -> Analysis:
    """Decide on a study that is scored; one that could not be is left as it is."""
    if analysis.scores is None or analysis.prepared is None:
        return analysis
    found = analysis.scores, analysis.prepared.slices, analysis.lesions
    unscored = replace(analysis, scores=None)
    return _or_reason(unscored, lambda: replace(analysis, finding=runner.decide(*found)))


def _or_reason(analysis: Analysis, do: Callable[[], Analysis]) -> Analysis:
    """What the classifier makes of an analysis, or the analysis with the reason why it cannot."""
    try:
        return do()
    except TryLater:
        raise
    except Refused as refusal:
        return replace(analysis, reason=refusal.reason)
    except Exception as error:  # noqa: BLE001 - a study must never end in silence
        return replace(analysis, reason=failed("classify", error))


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
        slices=_warned(analysis.prepared.slices, study) if analysis.prepared else None,
        scores=analysis.scores,
        reason=analysis.reason,
        seconds=analysis.seconds,
        predecessor=predecessor,
        is_redone=study.completion == "redo",
        is_compared_anew=study.completion == "priors",
        lesions=analysis.lesions,
        maps=analysis.maps,
    )


def _warned(slices: Slices, study: Study) -> Slices:
    """The slices, with warnings of what their transfer may have done to them."""
    return replace(slices, warnings=(*slices.warnings, *_of_transfer(study)))


def _of_transfer(study: Study) -> Iterator[Text]:
    """What the reader must know of how the images came."""
    if study.conflicts:
        yield Sentence("conflicts", count=study.conflicts)
    if study.completion in ("interrupted", "fewer"):
        yield Sentence(study.completion)


def count(outcome: str, reason: Text | None) -> None:
    """Count a finished study, and the fault of the node, if any, that prevented its analysis.

    Args:
        outcome: of the study.
        reason: why it was not analysed, else None.
    """
    metrics.STUDIES.labels(outcome).inc()
    if isinstance(reason, Sentence) and reason.code == "images_deleted":
        reason = cast("Text", reason.values["reason"])  # the original reason, which it wraps
    if isinstance(reason, Sentence) and reason.code in FAULTS:
        metrics.FAULTS.labels(reason.code).inc()


@contextmanager
def timed(stage: str) -> Iterator[dict[str, float]]:
    """Measure a stage into the yielded ``{stage: seconds}`` and the metric."""
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    yield seconds
    seconds[stage] = round(time.perf_counter() - start, 3)
    metrics.STAGE_SECONDS.labels(stage).observe(seconds[stage])


def unexpected(error: Exception, doing: str) -> str:
    """Log where an unforeseen error came from, without its message, which may quote patient data.

    Returns:
        File and line.
    """
    kind, where = origin(error)
    log.error("unexpected error=%s at=%s while=%r", kind, where, doing)
    return where


def failed(stage: str, error: Exception) -> Sentence:
    """The reason that the result gives for an unforeseen error."""
    kind, _ = origin(error)
    return Sentence(f"{stage}_failed", error=kind, where=unexpected(error, stage))
