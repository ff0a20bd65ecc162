"""The workflow: received, prepared, classified, reported, delivered.

Plain Python that joins the stages; it knows no engine. Each public method of `Flow` is one durable
step: it reads what earlier steps left in the study's folder, leaves its own files there and
returns plain JSON values. A step that runs twice (after a crash) does the same again.
"""

import json
import logging
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, cast

from msnode import classify, deliver, metrics, prepare, report
from msnode.analysis import Analysis, compose, opinion, prepared, timed, unexpected
from msnode.config import Config, Destination
from msnode.confined import Confined
from msnode.errors import Refused
from msnode.files import replacing
from msnode.receive import Inbox
from msnode.records import Decision, Predecessor, Receipt, Report, Study, key
from msnode.sentences import Sentence, from_json, to_json
from msnode.twin import Entry, Twin

log = logging.getLogger(__name__)

READING = ("msnode.prepare", "msnode.report")
"""The stages that open received files, and therefore run in processes of their own."""

GLANCE_S = 5.0
"""For a look at one header of each series."""

SIGNAL = "signal.json"
"""What webhooks get, beside the folders with the objects of the other destinations."""

SENT = "sent.json"
"""Which of these folders a destination gets: as its settings were when the study was reported."""


class Stage(TypedDict):
    """What a step tells the next: why the study cannot be analysed (or None), and its seconds.

    The reason is plain JSON, see `sentences.to_json`; older jobs hold a plain string.
    """

    reason: Any
    seconds: float


class Attempt(TypedDict):
    """What one attempt at a destination came to, and when the next is due (None: never)."""

    delivered: bool
    pause_s: float | None


class Flow:
    """The steps of a study's way through the node."""

    def __init__(
        self,
        config: Config,
        inbox: Inbox,
        runner: classify.Runner,
        receipts: deliver.Receipts,
        twin: Twin,
    ) -> None:
        self.destinations = {d.name: d for d in config.destinations}
        self._config = config
        self._inbox = inbox
        self._runner = runner
        self._receipts = receipts
        self._twin = twin
        self._reader = Confined(config.decode, READING)
        glance_s = min(GLANCE_S, config.decode.time_s)
        self._glance = Confined(replace(config.decode, time_s=glance_s), READING)

    def warm_up(self) -> None:
        """Wait until studies can be read.

        Raises:
            MsnodeError: this system does not let a process limit itself.
        """
        self._reader.warm_up()

    def stop(self) -> None:
        """End the reading under way; its step is repeated at the next start."""
        self._glance.stop()
        self._reader.stop()

    def has_wanted(self, paths: Sequence[Path]) -> bool:
        """Whether among these files, one a series, is one that the model needs.

        Raises:
            MsnodeError: they could not be read.
        """
        return self._glance.call(bool, prepare.has_wanted, paths, self._runner.contract)

    def prepare(self, study_key: str, generation: int) -> Stage:
        """Choose the series and turn it into slices."""
        study = self._inbox.study(study_key, generation)
        folder = self._folder(study_key, generation)
        analysis = prepared(study.paths, self._runner.contract, self._reader, folder)
        classify.save_info(self._runner.info, folder)
        prepare.save_series(analysis.series, folder)
        if analysis.reason is not None and study.is_partial:
            reason = Sentence("images_deleted", reason=analysis.reason)
            analysis = replace(analysis, reason=reason)
        return _stage(analysis, "prepare")

    def classify(self, study_key: str, generation: int) -> Stage:
        """Classify the prepared slices and decide on the study."""
        folder = self._folder(study_key, generation)
        info = classify.load_info(folder)
        if info is None or info.digest != self._runner.info.digest:
            # the model was changed since: what is reported must be one model's from end to end
            stage = self.prepare(study_key, generation)
            if stage["reason"] is not None:
                return stage
        analysis = opinion(Analysis(prepared=prepare.load(folder)), self._runner)
        if analysis.scores is not None and analysis.finding is not None:
            classify.save_scores(analysis.scores, analysis.finding, folder)
        return _stage(analysis, "classify")

    def report(
        self,
        study_key: str,
        generation: int,
        reason: Any,
        seconds: dict[str, float],
        now: float,
    ) -> str:
        """Write the result objects of every profile in use; returns the study's outcome."""
        study = self._inbox.study(study_key, generation)
        before = self._twin.predecessor(study_key, generation)
        analysis = replace(self._load(study, reason), seconds=seconds)
        info = classify.load_info(self._folder(study_key, generation)) or self._runner.info
        made = compose(study, analysis, info, now, _predecessor(before))
        with timed("report"):
            made = self._write(made)
        outcome = made.finding.decision if made.finding is not None else "not_analysed"
        self._twin.record(self._entry(made, study, outcome))
        metrics.STUDIES.labels(outcome).inc()
        # the reason quotes descriptions, which are free text: it is in the result, not in the log
        log.info("study=%s generation=%d outcome=%s", study_key, generation, outcome)
        return outcome

    def deliver(self, study_key: str, generation: int, name: str, attempt: int) -> Attempt:
        """Send the results to one destination, once (``attempt`` counts from 1)."""
        destination = self.destinations.get(name)
        if destination is None:
            log.error("study=%s destination=%s is not configured any more", study_key, name)
            metrics.DELIVERIES.labels(name, "dead").inc()
            return {"delivered": False, "pause_s": None}
        try:
            return self._attempt(study_key, generation, destination, attempt)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt must come
            unexpected(error, f"delivering to {name}")
        pause = deliver.pause(destination.retry, attempt)
        if pause is None:
            metrics.DELIVERIES.labels(name, "dead").inc()
        return {"delivered": False, "pause_s": pause}

    def fail(self, study_key: str, generation: int) -> None:
        """Alert on a study that ended without a result; its images stay, news begin it again."""
        log.error("study=%s generation=%d outcome=failed", study_key, generation)
        metrics.STUDIES.labels("failed").inc()
        self.finish(study_key, generation)

    def finish(self, study_key: str, generation: int) -> None:
        """Drop the arrays, which can be made again, and close the generation in the inbox."""
        for path in self._folder(study_key, generation).glob("*.safetensors"):
            path.unlink(missing_ok=True)
        self._inbox.finish(study_key, generation)

    def _attempt(
        self, study_key: str, generation: int, destination: Destination, attempt: int
    ) -> Attempt:
        """Send what is missing, keep the receipts, judge them."""
        study = self._inbox.study(study_key, generation)
        paths = self._unsent(study, destination, attempt)
        for receipt in deliver.deliver(paths, destination, self._config.receive.ae_title):
            self._receipts.save(replace(receipt, attempts=attempt), study_key, generation)
        return self._judged(study, destination, attempt)

    def _folder(self, study_key: str, generation: int) -> Path:
        folder = self._config.data / "work" / study_key / str(generation)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _load(self, study: Study, reason: Any) -> Analysis:
        """What the steps before left behind."""
        folder = self._folder(study.key, study.generation)
        series = prepare.load_series(folder)
        if reason is not None:
            return Analysis(series, reason=from_json(reason))
        scores, finding = classify.load_scores(folder)
        return Analysis(series, prepare.load(folder), scores, finding)

    def _write(self, made: Report) -> Report:
        """Write the objects; a result that fails its validation becomes "not analysed"."""
        try:
            return self._written(made)
        except Refused as refusal:
            log.error("study=%s result kept back: %s", key(made.study_instance_uid), refusal)
            failed = refusal
        if made.finding is not None:
            reason = Sentence("kept_back", problems=failed.reason)
            return self._write(replace(made, finding=None, reason=reason))
        for path in _some(made.evidence):  # its header may be whole where others are not
            with suppress(Refused):
                return self._written(replace(made, header=path, evidence=(path,)))
        raise failed

    def _written(self, made: Report) -> Report:
        """Write the objects as they are."""
        folder = self._folder(key(made.study_instance_uid), made.generation)
        written: list[Path] = []
        takers = [d for d in self._config.destinations if d.url is None]
        for name, one in {d.objects: d for d in takers}.items():
            shutil.rmtree(folder / name, ignore_errors=True)
            task = (made, self._config.report, one.profile, folder / name, one.form)
            written += self._reader.call(tuple[Path, ...], report.write, *task)
        with replacing(folder / SENT) as file:
            file.write(json.dumps({d.name: d.objects for d in takers}).encode())
        if len(takers) < len(self._config.destinations):
            report.write_signal(made, written, folder / SIGNAL)
        return made

    def _entry(self, made: Report, study: Study, outcome: str) -> Entry:
        """The result as the longitudinal record keeps it."""
        finding = made.finding
        return Entry(
            study_key=study.key,
            generation=study.generation,
            outcome=outcome,
            probability=finding.probability if finding is not None else None,
            decision=finding.decision if finding is not None else None,
            reason=str(made.reason) if made.reason is not None else None,
            model_digest=made.model.digest,
            created_at=made.created_at,
            folder=str(self._folder(study.key, study.generation).relative_to(self._config.data)),
        )

    def _unsent(self, study: Study, destination: Destination, attempt: int) -> list[Path]:
        """The result objects that this destination does not have yet and did not refuse for good.

        The first attempt, also of a series begun by hand, includes the refused ones.
        """
        settled = {
            receipt.sop_instance_uid
            for receipt in self._of(study, destination)
            if receipt.delivered or (attempt > 1 and not receipt.retry)
        }
        found = self._objects(study, destination)
        return [path for path in found if deliver.identify(path) not in settled]

    def _objects(self, study: Study, destination: Destination) -> list[Path]:
        """All that a destination gets of a result.

        Raises:
            Refused: nothing was made for it; without this it would count as delivered.
        """
        folder = self._folder(study.key, study.generation)
        sent = json.loads((folder / SENT).read_text()) if (folder / SENT).exists() else {}
        name = sent.get(destination.name, destination.objects)
        found = sorted(folder.glob(SIGNAL if destination.url else f"{name}/*.dcm"))
        if not found:
            raise Refused(f"the study was reported before {destination.name} was configured so")
        return found

    def _of(self, study: Study, destination: Destination) -> list[Receipt]:
        """The receipts of a result at one destination."""
        receipts = self._receipts.of(study.key, study.generation)
        return [receipt for receipt in receipts if receipt.destination == destination.name]

    def _judged(self, study: Study, destination: Destination, attempt: int) -> Attempt:
        """Delivered, due again after a pause, or given up."""
        missing = [receipt for receipt in self._of(study, destination) if not receipt.delivered]
        if not missing:
            waited = time.time() - study.last_instance_at
            metrics.RESULT_SECONDS.labels(destination.name).observe(max(waited, 0.0))
            return {"delivered": True, "pause_s": None}
        due = sum(receipt.retry for receipt in missing)
        pause = deliver.pause(destination.retry, attempt) if due else None
        if pause is None:  # those refused for good were counted when they were
            metrics.DELIVERIES.labels(destination.name, "dead").inc(due)
        log.log(
            logging.ERROR if pause is None else logging.WARNING,
            "study=%s destination=%s attempt=%d undelivered=%d %s detail=%r",
            study.key, destination.name, attempt, len(missing),
            "gave up" if pause is None else f"again in {pause:.1f} s", missing[0].detail,
        )  # fmt: skip
        return {"delivered": False, "pause_s": pause}


def _stage(analysis: Analysis, name: str) -> Stage:
    """What a stage's step returns."""
    reason = to_json(analysis.reason) if analysis.reason is not None else None
    return {"reason": reason, "seconds": analysis.seconds[name]}


def _some(paths: Sequence[Path]) -> list[Path]:
    """A few of a study's files: the first, the last and one in between."""
    return sorted({paths[0], paths[len(paths) // 2], paths[-1]})


def _predecessor(before: Entry | None) -> Predecessor | None:
    """The earlier result, as far as the revised one says what changed."""
    if before is None:
        return None
    decision = cast("Decision | None", before.decision)
    return Predecessor(before.generation, before.model_digest, decision, before.probability)
