"""The workflow: received, prepared, classified, reported, delivered.

Plain Python that joins the stages; it knows no engine. Each public method of `Flow` is one durable
step: it reads what earlier steps left in the study's folder, leaves its own files there and
returns plain JSON values. A step that runs twice (after a crash) does the same again.
"""

import json
import logging
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, cast

from msnode import classify, deliver, metrics, prepare, report
from msnode.analysis import Analysis, compose, count, opinion, prepared, timed, unexpected
from msnode.config import Config, Destination, ObjectDestination
from msnode.confined import Confined
from msnode.deliver import Attempt
from msnode.errors import Refused, Unforeseen
from msnode.receive import Inbox
from msnode.records import Decision, Predecessor, Prior, Report, Study, key
from msnode.records.sentences import Sentence, from_json, to_json
from msnode.store.files import replacing
from msnode.twin import Entry, Twin

log = logging.getLogger(__name__)

NOT_SO = (Refused, Unforeseen)
"""What writing a result raises where another try, of less or from another header, may succeed."""

READING = ("msnode.prepare", "msnode.report")
"""The stages that open received files, and therefore run in processes of their own."""

GLANCE_S = 5.0
"""For a look at a few headers."""

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


class Flow:
    """The steps of a study's way through the node."""

    def __init__(
        self,
        config: Config,
        inbox: Inbox,
        runner: classify.Runner,
        deliveries: deliver.Deliveries,
        twin: Twin,
    ) -> None:
        self.destinations = {d.name: d for d in config.destinations}
        self._config = config
        self._inbox = inbox
        self._runner = runner
        self.deliveries = deliveries
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
        is_ours = info is not None and info.digest == self._runner.info.digest
        if not is_ours or not prepare.is_saved(folder):
            # the model was changed since: what is reported must be one model's from end to end;
            # or `finish` has dropped the slices, and then the database was set back to a copy
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
        made, study_date = self._dated(made)
        priors = self._twin.priors(study_key, study_date)
        made = replace(made, priors=tuple(map(_prior, priors)))
        with timed("report"):
            made = self._write(made)
        outcome = made.finding.decision if made.finding is not None else "not_analysed"
        self._twin.record(self._entry(made, study, outcome, study_date))
        count(outcome, made.reason)
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
        self.finish(
            study_key, generation
        )  # may have to wait for the database; then it is told once
        log.error("study=%s generation=%d outcome=failed", study_key, generation)
        metrics.STUDIES.labels("failed").inc()

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
        files = {deliver.identify(path): path for path in self._objects(study, destination)}
        delivery = deliver.Delivery(
            destination,
            study_key,
            generation,
            files,
            self._config.receive.ae_title,
            study.last_instance_at,
        )
        return self.deliveries.attempt(delivery, attempt)

    def _folder(self, study_key: str, generation: int) -> Path:
        folder = self._config.data / "work" / study_key / str(generation)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _load(self, study: Study, reason: Any) -> Analysis:
        """What the steps before left behind."""
        folder = self._folder(study.key, study.generation)
        if reason is None and not prepare.is_saved(folder):  # as in `classify`
            reason = self.classify(study.key, study.generation)["reason"]
        series = prepare.load_series(folder)
        if reason is not None:
            return Analysis(series, reason=from_json(reason))
        scores, finding = classify.load_scores(folder)
        return Analysis(series, prepare.load(folder), scores, finding)

    def _dated(self, made: Report) -> tuple[Report, str]:
        """The report with a header that can be read, if there is one, and the study's date."""
        uid = made.study_instance_uid
        for path in dict.fromkeys((made.header, *_some(made.evidence))):
            with suppress(*NOT_SO):
                date = self._glance.call(str, report.study_date, path, uid)
                return replace(made, header=path), date
        return made, ""

    def _write(self, made: Report) -> Report:
        """Write the objects; a result that fails its validation becomes "not analysed"."""
        try:
            return self._written(made)
        except NOT_SO as refusal:
            log.error("study=%s result kept back: %s", key(made.study_instance_uid), refusal)
            failed = refusal
        if made.finding is not None:
            problems = failed.reason if isinstance(failed, Refused) else str(failed)
            reason = Sentence("kept_back", problems=problems)
            return self._write(replace(made, finding=None, reason=reason))
        for path in _some(made.evidence):  # its header may be whole where others are not
            with suppress(*NOT_SO):
                return self._written(replace(made, header=path, evidence=(path,)))
        raise failed

    def _written(self, made: Report) -> Report:
        """Write the objects as they are."""
        folder = self._folder(key(made.study_instance_uid), made.generation)
        written: list[Path] = []
        takers = [d for d in self._config.destinations if isinstance(d, ObjectDestination)]
        for name, one in {d.objects: d for d in takers}.items():
            shutil.rmtree(folder / name, ignore_errors=True)
            known = self._knowing(made, [d.name for d in takers if d.objects == name])
            task = (known, self._config.report, one.profile, folder / name, one.form)
            written += self._reader.call(tuple[Path, ...], report.write, *task)
        with replacing(folder / SENT) as file:
            file.write(json.dumps({d.name: d.objects for d in takers}).encode())
        if len(takers) < len(self._config.destinations):
            report.write_signal(made, written, folder / SIGNAL)
        return made

    def _knowing(self, made: Report, takers: Sequence[str]) -> Report:
        """The report with what these destinations got of the result before, while that is here."""
        before = made.predecessor
        if before is None:
            return made
        this = self._folder(key(made.study_instance_uid), made.generation)
        folder = this.with_name(str(before.generation))
        sent = _sent(folder)
        folders = sorted({folder / sent[name] for name in takers if name in sent})
        if not sent or not all(one.is_dir() for one in folders):
            return made
        return replace(made, predecessor=replace(before, folders=tuple(folders)))

    def _entry(self, made: Report, study: Study, outcome: str, study_date: str) -> Entry:
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
            study_date=study_date or None,
            model=f"{made.model.name} {made.model.version}",
            threshold=made.model.threshold,
        )

    def _objects(self, study: Study, destination: Destination) -> list[Path]:
        """All that a destination gets of a result.

        Raises:
            Refused: nothing was made for it; without this it would count as delivered.
        """
        folder = self._folder(study.key, study.generation)
        if isinstance(destination, ObjectDestination):
            name = _sent(folder).get(destination.name, destination.objects)
            found = sorted(folder.glob(f"{name}/*.dcm"))
        else:
            found = sorted(folder.glob(SIGNAL))
        if not found:
            raise Refused(f"no result of the study is there for {destination.name}")
        return found


def _sent(folder: Path) -> dict[str, str]:
    """Which objects each destination got of a generation; empty where that is not known."""
    path = folder / SENT
    return json.loads(path.read_text()) if path.exists() else {}


def _stage(analysis: Analysis, name: str) -> Stage:
    """What a stage's step returns."""
    reason = to_json(analysis.reason) if analysis.reason is not None else None
    return {"reason": reason, "seconds": analysis.seconds[name]}


def _some(paths: Sequence[Path]) -> list[Path]:
    """A few of a study's files; the first one last, as it is the one that was tried."""
    return list(dict.fromkeys((paths[-1], paths[len(paths) // 2], paths[0])))


def _predecessor(before: Entry | None) -> Predecessor | None:
    """The earlier result, as far as the revised one says what changed."""
    if before is None:
        return None
    decision = cast("Decision | None", before.decision)
    return Predecessor(before.generation, before.model_digest, decision, before.probability)


def _prior(entry: Entry) -> Prior:
    """A patient's earlier study, as far as the trend shows it."""
    return Prior(
        study_date=datetime.strptime(entry.study_date or "", "%Y%m%d").date(),
        decision=cast("Decision | None", entry.decision),
        probability=entry.probability,
        threshold=entry.threshold,
        model=entry.model or "",
        digest=entry.model_digest,
    )
