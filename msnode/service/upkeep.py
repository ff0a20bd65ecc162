"""The periodic tasks of a node that analyses and delivers."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa

from msnode import metrics
from msnode.config import Config
from msnode.deliver.image_counts import ImageCounts
from msnode.engine.durable import Engine
from msnode.flow import Flow
from msnode.receive import Inbox
from msnode.receive.inbox.redo import PRIORS, REDO, revise
from msnode.records.images import Study
from msnode.retention.expiry import Retention
from msnode.service import freed_memory
from msnode.service.drift_watch import DriftWatch
from msnode.service.periodic import Periodic, Task
from msnode.service.returned_documents import ReturnedDocuments
from msnode.service.shadow_count import ShadowCount
from msnode.service.verdict_delivery import VerdictDelivery
from msnode.store.orders import find_news, is_stat, settle_news
from msnode.store.prior_searches import PriorSearches, State

log = logging.getLogger(__name__)

ROUND_S = 0.5  # between looks at what is due
BEAT_S = 5.0  # between heartbeats; a host silent for engine.SILENT_S counts as dead
DOCUMENTS_S = 10.0  # between looks at reports that came
COUNT_S = 60.0  # between counts of the jobs that wait for an administrator
CLEAN_S = 3600.0  # between deletions of what is old
HURRY_S = 5.0  # longest time for one such task; the rest follows in the next round
PAGE = 500  # queued studies that are checked in one round
ORPHAN_S = 60.0  # a file without a row for so long has lost the receiver that would write it


class Upkeep:
    """Hands complete studies from the inbox to the engine, and keeps the node in order.

    Attributes:
        periodic: the thread that runs the tasks.
    """

    def __init__(
        self,
        config: Config,
        inbox: Inbox,
        engine: Engine,
        flow: Flow,
        retention: Retention,
        searches: PriorSearches | None = None,
        documents: ReturnedDocuments | None = None,
    ) -> None:
        self._config = config
        self._inbox = inbox
        self._engine = engine
        self._flow = flow
        self._retention = retention
        self._searches = searches if config.priors else None
        self._documents = documents
        self._drift = DriftWatch(config.drift, inbox.engine, config.classify.bundle)
        self._waits = {one.name: one.wait_s for one in config.priors}
        source, title = config.source, config.receive.ae_title
        self._has_all = ImageCounts(source, title).has_all if source else None
        self._next_beat = 0.0
        self._looked_at = ""  # the queue was checked up to this study
        self.periodic = Periodic(self._tasks(), ROUND_S)

    def _tasks(self) -> tuple[Task, ...]:
        """All tasks; one with interval 0 runs in every round."""
        return (
            Task("take_complete", 0.0, self._take_complete),
            Task("pace", 0.0, self._pace),
            Task("heartbeat", BEAT_S, self._beat),
            Task("submit_queued", BEAT_S, self._submit_queued),
            Task("bury_lost", BEAT_S, self._bury_lost),
            Task("settle_reports", 0.0, self._settle_reports),
            *self._for_priors(),
            *self._for_orders(),
            *self._for_readers(),
            *self._for_shadows(),
            Task("count_stopped", COUNT_S, self._count_stopped),
            Task("delete_old", CLEAN_S, self._delete_old),
            Task("measure_twins", CLEAN_S, self._measure_twins),
            Task("measure_drift", CLEAN_S, self._drift.measure),
        )

    def _for_priors(self) -> tuple[Task, ...]:
        """Tasks of a node that fetches earlier studies."""
        if self._searches is None:
            return ()
        return (
            Task("release_waiting", 0.0, self._release_waiting),
            Task("revise_compared", BEAT_S, self._revise_compared),
        )

    def _for_orders(self) -> tuple[Task, ...]:
        """A task of a node that is told of orders."""
        if self._config.receive.hl7 is None:
            return ()
        return (Task("hurry_ordered", BEAT_S, self._hurry_ordered),)

    def _for_readers(self) -> tuple[Task, ...]:
        """What readers say: reports that came are read, and what the pages were told is sent."""
        documents, pages = self._documents, self._config.pages
        tasks = [Task("read_documents", DOCUMENTS_S, documents.read)] if documents else []
        if pages is not None and pages.feedback == "send":
            verdicts = VerdictDelivery(self._config, self._inbox.engine)
            tasks.append(Task("send_verdicts", BEAT_S, verdicts.hand_over))
        return tuple(tasks)

    def _for_shadows(self) -> tuple[Task, ...]:
        """A task of a node that compares other bundles with the one in force."""
        if not self._config.classify.shadow:
            return ()
        shadows = ShadowCount(self._inbox.engine, self._config.name)
        return (Task("count_shadows", BEAT_S, shadows.count),)

    def _hurry_ordered(self) -> None:
        """Let waiting studies go first for which an urgent order came after their images."""
        with self._inbox.engine.begin() as connection:
            wanted = find_news(connection)
        for key, generation in wanted.studies:
            since = self._inbox.studies.study(key, generation).last_instance_at
            self._engine.hurry(key, generation, since)
            log.info("study=%s generation=%d wanted at once by an order", key, generation)
        with self._inbox.engine.begin() as connection:
            settle_news(connection, wanted)

    def _release_waiting(self) -> None:
        """Let studies be analysed that need not wait for earlier ones any longer."""
        waiting = self._engine.waiting()
        assert self._searches is not None  # noqa: S101 - else it is no task
        held = self._searches.holds(waiting.keys()) if waiting else {}
        for key in waiting.keys() - held.keys():
            self._engine.release(waiting[key])

    def _revise_compared(self) -> None:
        """Begin a new generation of studies for which earlier ones came too late."""
        for key, generation in revise(self._inbox.engine):
            metrics.COMPLETIONS.labels(PRIORS).inc()
            log.info("study=%s generation=%d earlier studies came", key, generation)
            self._submit(self._inbox.studies.study(key, generation))

    def _take_complete(self) -> None:
        """Give complete studies their place in the engine's queue."""
        rule = self._config.complete
        ask = self._has_wanted, HURRY_S, self._has_all
        for study in self._inbox.complete(time.time(), rule, *ask):
            self._submit(study)
            self.periodic.sign()
        if self._engine.is_alone:  # else each host would do what one of them has a use for
            resting = self._inbox.studies.resting(self._has_wanted)
            if resting is not None:
                self._flow.ahead.begin(resting)

    def _pace(self) -> None:
        """Let the engine look for work as often as there may be some."""
        if self._engine.pace(self._inbox.studies.are_under_way):
            freed_memory.give_back()

    def _submit_queued(self) -> bool:
        """Submit studies that a crash or a fault held back; close those whose job has stopped.

        One page of the queue at a time, with two queries, as a backlog may be long.
        """
        page = self._inbox.studies.queued(self._looked_at, PAGE)
        absent, stopped = self._engine.unworked(page)
        for key, generation in absent:
            self._submit(self._inbox.studies.study(key, generation))
            self.periodic.sign()
        for key, generation in stopped:
            self._flow.fail(key, generation)
        self._looked_at = page[-1][0] if len(page) == PAGE else ""
        return len(page) == PAGE

    def _bury_lost(self) -> None:
        """Log and count jobs given up because the node crashed in every attempt."""
        for key, destination in self._engine.lost():
            log.error("study=%s destination=%s given up: no attempt survived", key, destination)
            metrics.DELIVERIES.labels(destination, "dead").inc()
        if self._searches is None:
            return
        for key, source in self._engine.lost("priors"):
            log.error("study=%s source=%s given up: no attempt survived", key, source)
            self._searches.told(key, source, state=State.GIVEN_UP, detail="no attempt survived")
            metrics.PRIOR_SEARCHES.labels(source, State.GIVEN_UP).inc()

    def _beat(self) -> None:
        """Say that this host is alive."""
        self._engine.beat()

    def _settle_reports(self) -> None:
        """Continue deliveries whose storage commitment the peer has reported on."""
        deliveries = self._flow.deliveries
        for request in deliveries.reported():
            place = request.study_key, request.generation, request.destination
            if not self._engine.is_delivering(*place):  # a running attempt sees the report itself
                destination = self._flow.destinations.get(request.destination)
                self._engine.hasten(*place, deliveries.settle(request, destination))

    def _count_stopped(self) -> None:
        """Show how many jobs wait for an administrator."""
        stopped = self._engine.stopped()
        for state in ("dead", "cancelled"):
            metrics.STOPPED_JOBS.labels(state).set(stopped[state])

    def _delete_old(self) -> bool:
        """Delete what is old, for a few seconds at most; returns whether there may be more.

        When nothing old is left, adopt images whose receiver died before it wrote their rows.
        """
        end = time.monotonic() + HURRY_S
        self._engine.sweep()
        deleted = len(list(self._retention.apply(HURRY_S)))
        is_more = bool(deleted) and time.monotonic() >= end
        if not is_more:
            self._inbox.rebuild(ORPHAN_S)
        return is_more

    def _measure_twins(self) -> None:
        """Count what is on record of patients, and how right the newest predictions were."""
        self._flow.expectations.measure()

    def _submit(self, study: Study) -> None:
        """Give a study its place in the engine's queue, behind the search for earlier ones."""
        since, wait_s = study.last_instance_at, 0.0
        with self._inbox.engine.connect() as connection:
            stat = study.stat or is_stat(connection, study.key)
        if self._searches is not None and study.completion != PRIORS:
            anew = study.completion == REDO
            waits = dict.fromkeys(self._waits, 0.0) if stat else self._waits  # urgent: at once
            self._searches.begin(study.key, study.generation, waits, anew=anew)
            for source, generation in self._searches.open_of(study.key).items():
                self._engine.search(study.key, generation, source)
            wait_s = self._searches.holds([study.key]).get(study.key, 0.0)
        self._engine.submit(study.key, study.generation, since=since, stat=stat, wait_s=wait_s)

    def _has_wanted(self, paths: Sequence[Path]) -> bool:
        """Whether the wanted series is there; a slow file does not count as a standstill."""
        self.periodic.sign()
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + BEAT_S
            with suppress(sa.exc.SQLAlchemyError):  # the heartbeat task will report it
                self._engine.beat()
        return self._flow.has_wanted(paths)
