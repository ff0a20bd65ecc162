"""The workflow: received, prepared, classified, reported, delivered.

Plain Python that joins the stages, independent of the engine. Each public method of `Flow` is one
durable step: it reads what earlier steps left in the study's folder, leaves its own files there and
returns plain JSON values. A step that runs twice (after a crash) does the same again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, cast

import sqlalchemy as sa

from msnode import classify, metrics, prepare
from msnode.audit import Trail
from msnode.config import Config
from msnode.confined import Confined
from msnode.deliver.deliveries import Attempt, Deliveries
from msnode.fetch.way import Taking
from msnode.flow import steps
from msnode.flow.ahead import Ahead
from msnode.flow.analysis import Analysis, compose, count, decided, prepared, scored, timed
from msnode.flow.deliver_step import DeliverStep
from msnode.flow.lesion_analysis import Outlined
from msnode.flow.lesion_analysis import count as count_lesions
from msnode.flow.outline_step import OutlineStep
from msnode.flow.past import awaited, entry, predecessor, prior, timeline
from msnode.flow.prior_step import PriorStep
from msnode.flow.prior_step import Reading as PriorReading
from msnode.flow.prior_visit import PriorVisits
from msnode.flow.priority import suggested
from msnode.flow.result_files import ResultFiles
from msnode.flow.routes import BLOOD_SMEAR, BRAIN_MRI, Reading, Readings
from msnode.flow.study_measures import keep_values
from msnode.lesions import Bundle
from msnode.receive import Studies
from msnode.records.images import Study
from msnode.records.results import Report
from msnode.records.sentences import Sentence, from_json, to_json
from msnode.twin import Twin
from msnode.twin.expect.priors import load_priors
from msnode.twin.expectations import Expectations

log = logging.getLogger(__name__)

READING = ("msnode.prepare", "msnode.report")
"""The stages that open received files, and therefore run in processes of their own."""

GLANCE_S = 5.0
"""Time limit for reading a few headers."""


class Stage(TypedDict):
    """What a step passes on: why the study cannot be analysed (or None), and the seconds it took.

    The reason is plain JSON, see `sentences.to_json`; older jobs hold a plain string.
    """

    reason: Any
    seconds: float


class Outlining(TypedDict):
    """What the outlining passes on: it never keeps a study from being analysed."""

    reason: None
    seconds: dict[str, float]


class Flow:
    """The steps that a study takes through the node.

    Args:
        config: the node's.
        studies: the inbox's.
        runner: the classifier.
        deliveries: to the destinations.
        twin: the patients' record.
        outliner: the network that outlines lesions; None where none does.
        smears: the classifier of blood smears; None where none are read.
    """

    def __init__(
        self,
        config: Config,
        studies: Studies,
        runner: classify.Runner,
        deliveries: Deliveries,
        twin: Twin,
        outliner: Bundle | None = None,
        smears: classify.Runner | None = None,
    ) -> None:
        self.destinations = {d.name: d for d in config.destinations}
        self._config = config
        self._studies = studies
        smear = Reading(BLOOD_SMEAR, smears) if smears is not None else None
        self._readings = Readings(Reading(BRAIN_MRI, runner), smear)
        self.deliveries = deliveries
        self._twin = twin
        self.expectations = Expectations(twin, load_priors(config.expect.priors))
        self._outline = (
            OutlineStep(config.data, outliner, twin, self.expectations) if outliner else None
        )
        self._reader = Confined(config.decode, READING)
        glance_s = min(GLANCE_S, config.decode.time_s)
        self._glance = Confined(replace(config.decode, time_s=glance_s), READING)
        self._files = ResultFiles(config, self._reader, self._glance)
        self._deliver = DeliverStep(config, studies, self._files, deliveries)
        self.ahead = Ahead(self._prepared, self._outlined, self._classified_ahead)

    def warm_up(self) -> None:
        """Wait until studies can be read.

        Raises:
            MsnodeError: this system does not let a process limit itself.
        """
        self._reader.warm_up()

    def stop(self) -> None:
        """End the reading under way; its step is repeated at the next start."""
        self.ahead.stop()
        self._glance.stop()
        self._reader.stop()

    def has_wanted(self, paths: Sequence[Path]) -> bool:
        """Whether these files, one per series, include one that a model needs.

        Raises:
            MsnodeError: they could not be read.
        """
        return any(
            self._glance.call(bool, route.has_wanted, paths, runner.contract)
            for route, runner in self._readings.every
        )

    def priors(self, database: sa.Engine, taking: Taking, trail: Trail) -> PriorStep | None:
        """What fetches earlier studies; None where no lesion is outlined.

        Also where no source is configured any more: its jobs in flight must come to an end.

        Args:
            database: migrated.
            taking: keeps images that come on a connection of ours.
            trail: the audit trail.
        """
        if self._outline is None:
            return None
        route, runner = self._readings.brain
        visits = PriorVisits(
            self._config.data,
            database,
            self._reader,
            self._files,
            route,
            runner.contract,
            self._outline.bundle,
        )
        reading = PriorReading(self._glance, self.has_wanted, runner.contract.sequences)
        return PriorStep(self._config, database, self._studies, reading, visits, taking, trail)

    def prepare(self, study_key: str, generation: int) -> Stage:
        """Choose the series and turn it into slices."""
        study = self._studies.study(study_key, generation)
        folder = self._folder(study_key, generation)
        analysis = self.ahead.prepared(study) or self._prepared(study)
        classify.save_info(self._readings.of(study).runner.info, folder)
        prepare.save_series(analysis.series, folder)
        if analysis.reason is not None and study.is_partial:
            reason = Sentence("images_deleted", reason=analysis.reason)
            analysis = replace(analysis, reason=reason)
        return _stage(analysis, "prepare")

    def outline(self, study_key: str, generation: int) -> Outlining:
        """Outline the lesions and compare them with an earlier visit of the patient."""
        seconds: dict[str, float] = {}
        study = self._studies.study(study_key, generation)
        if steps.OUTLINE not in self._readings.of(study).route.steps:
            return {"reason": None, "seconds": seconds}
        lost = self._repeat(steps.OUTLINE, study_key, generation)
        if self._outline is not None and lost is None:
            date = self._files.study_date(study.paths, study.study_instance_uid)
            folder = self._folder(study_key, generation)
            seconds = self._outline.run(study, date, folder, self.ahead.outlined(study))
        return {"reason": None, "seconds": seconds}

    def classify(self, study_key: str, generation: int) -> Stage:
        """Classify the prepared slices and decide on the study."""
        folder = self._folder(study_key, generation)
        if (stage := self._repeat(steps.CLASSIFY, study_key, generation)) is not None:
            return stage
        study = self._studies.study(study_key, generation)
        analysis = self.ahead.classified(study) or self._classified(study)
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
        study = self._studies.study(study_key, generation)
        before = self._twin.predecessor(study_key, generation)
        analysis = replace(self._load(study, reason, "outline" in seconds), seconds=seconds)
        route, runner = self._readings.of(study)
        info = classify.load_info(self._folder(study_key, generation)) or runner.info
        made = compose(study, analysis, info, now, predecessor(before))
        if self._outline is not None and self._outline.is_awaited(study_key, generation):
            made = awaited(made)
        made = replace(made, words=route.words)
        made, study_date = self._files.dated(made)
        folder = str(self._folder(study_key, generation).relative_to(self._config.data))
        if route is BRAIN_MRI:  # what is on record of a patient's brain
            made = self._amid_the_others(made, study, study_date, folder)
        with timed("report"):
            made = self._files.write(made)
        outcome = made.finding.decision if made.finding is not None else "not_analysed"
        documents = self._files.documents(study)
        kept = entry(made, study, outcome, study_date, folder, documents)
        self._twin.record(kept if route is BRAIN_MRI else replace(kept, route=route.name))
        if route is BRAIN_MRI:
            keep_values(self._twin.engine, made)
        count(outcome, made.reason)
        if made.lesions is not None:
            count_lesions(made.lesions)
        # the reason quotes descriptions, which are free text: it is in the result, not in the log
        log.info("study=%s generation=%d outcome=%s", study_key, generation, outcome)
        return outcome

    def deliver(self, study_key: str, generation: int, name: str, attempt: int) -> Attempt:
        """Send the results to one destination, once (``attempt`` counts from 1)."""
        return self._deliver.run(study_key, generation, name, attempt)

    def fail(self, study_key: str, generation: int) -> None:
        """Alert on a study without a result; its images stay, and new ones start it again."""
        self.finish(study_key, generation)  # first: it may be retried, the alert must not be
        log.error("study=%s generation=%d outcome=failed", study_key, generation)
        metrics.STUDIES.labels("failed").inc()

    def finish(self, study_key: str, generation: int) -> None:
        """Drop the arrays, which can be made again, and close the generation in the inbox."""
        for path in self._folder(study_key, generation).glob(steps.DROPPED):
            path.unlink(missing_ok=True)
        self._studies.finish(study_key, generation)

    def _amid_the_others(self, made: Report, study: Study, study_date: str, folder: str) -> Report:
        """A result with earlier ones of the patient, a suggested priority, and the course."""
        priors = self._twin.priors(study.key, study_date)
        made = replace(made, priors=tuple(map(prior, priors)))
        made = replace(made, priority=suggested(made, self._config.priority.urgent_if))
        course = timeline(self.expectations, entry(made, study, "", study_date, folder))
        return replace(made, timeline=course)

    def _prepared(self, study: Study) -> Analysis:
        """Prepare a study into the folder of its generation."""
        route, runner = self._readings.of(study)
        folder = self._folder(study.key, study.generation)
        task = (study.paths, runner.contract, self._reader, folder)
        return prepared(*task, route.prepare_into)

    def _outlined(self, study: Study) -> Outlined | None:
        """Outline a prepared study; None where no network does."""
        outline = self._outliner(study)
        if outline is None:
            return None
        return outline.outlined(study, self._folder(study.key, study.generation))

    def _outliner(self, study: Study) -> OutlineStep | None:
        """What outlines a study; None where nothing does."""
        return self._outline if self._readings.of(study) is self._readings.brain else None

    def _classified(self, study: Study) -> Analysis:
        """Classify a prepared study, and decide with what was outlined in it."""
        return self._decided(study, self._scored(study))

    def _classified_ahead(self, study: Study) -> Analysis | None:
        """The same ahead, scored while it is outlined.

        Not where outlining failed, as the step that does it again may not.
        """
        made = self._scored(study)
        if self._outliner(study) is not None and self.ahead.outlined(study) is None:
            return None
        return self._decided(study, made)

    def _scored(self, study: Study) -> Analysis:
        """Classify the slices of a prepared study."""
        prepared = prepare.load(self._folder(study.key, study.generation))
        return scored(Analysis(prepared=prepared), self._readings.of(study).runner)

    def _decided(self, study: Study, made: Analysis) -> Analysis:
        """Decide with what was outlined, ahead or by the step before."""
        if (outline := self._outliner(study)) is not None:
            now = self.ahead.outlined(study)
            folder = self._folder(study.key, study.generation)
            lesions = now.finding if now is not None else outline.finding(folder)
            made = replace(made, lesions=lesions)
        return decided(made, self._readings.of(study).runner)

    def _folder(self, study_key: str, generation: int) -> Path:
        return steps.work_folder(self._config.data, study_key, generation)

    def _repeat(self, step: steps.Step, study_key: str, generation: int) -> Stage | None:
        """Repeat the steps whose products are missing; returns the stage that ended in a reason."""
        again: dict[str, Callable[[str, int], Stage | Outlining]] = {
            "prepare": self.prepare, "outline": self.outline, "classify": self.classify,
        }  # fmt: skip
        folder = self._folder(study_key, generation)
        route, runner = self._readings.of(self._studies.study(study_key, generation))
        mine = next((one for one in route.steps if one.name == step.name), step)
        for lost in steps.to_repeat(route.steps, mine, folder, runner.info):
            stage = again[lost.name](study_key, generation)
            if stage["reason"] is not None:
                return cast("Stage", stage)
        return None

    def _load(self, study: Study, reason: Any, outlined: bool) -> Analysis:
        """Load what the earlier steps left in the folder.

        Args:
            study: whose folder.
            reason: why it cannot be analysed, or None.
            outlined: whether outlining is one of its steps: not in a job of ``study.v1``.
        """
        folder = self._folder(study.key, study.generation)
        if reason is None:
            stage = self._repeat(steps.REPORT, study.key, study.generation)
            reason = stage["reason"] if stage is not None else None
        series = prepare.load_series(folder)
        if reason is not None:
            return Analysis(series, reason=from_json(reason))
        scores, finding = classify.load_scores(folder)
        outline = self._outline if outlined else None
        found = outline.load(folder) if outline is not None else (None, None)
        return Analysis(series, prepare.load(folder), scores, finding, *found)


def _stage(analysis: Analysis, name: str) -> Stage:
    """What a stage's step returns."""
    reason = to_json(analysis.reason) if analysis.reason is not None else None
    return {"reason": reason, "seconds": analysis.seconds[name]}
