"""Decides when a study is complete and tracks its state: receiving, queued, done."""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from msnode import config, metrics
from msnode.receive.dicom.sop_classes import Analysed
from msnode.receive.inbox.news import number_of_conflicts, with_news
from msnode.records.images import Study
from msnode.store.database import (
    SenderState,
    StudyState,
    instances,
    results,
    senders,
    studies,
)
from msnode.store.for_reading import for_reading

log = logging.getLogger(__name__)

SKEW_S = 10.0  # the clocks of hosts that share a database may differ by this
ASKED_S = 15.0  # for so long beyond idle_s the answer of a source that was just asked is awaited

HasAll = Callable[[str, Mapping[str, int]], bool | None]
"""By StudyInstanceUID and the number of images of each series that came: whether its source has no
more of them, or cannot tell; None as long as it is not known."""


class Studies:
    """The studies of the inbox.

    Args:
        engine: the database, migrated.
        folder: the data folder.
        conflicts: ``config.Receive.conflicts``.
        analysed: images that make a study worth analysing.

    Attributes:
        are_under_way: whether any came in or was queued at the last `complete`.
    """

    def __init__(
        self,
        engine: sa.Engine,
        folder: Path,
        conflicts: config.Conflicts = "keep",
        analysed: Analysed = Analysed(),  # noqa: B008 - frozen
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._conflicts = conflicts
        self._analysed = analysed
        self._reading = for_reading(engine)  # a long queue takes a while; no receiver waits for it
        self._evidence: dict[str, tuple[int, bool]] = {}  # study -> (its latest image, wanted?)
        self._resting: list[sa.Row[Any]] = []
        self._queued = 0
        self.are_under_way = False

    def complete(
        self,
        now: float,
        rule: config.Complete,
        has_wanted: Callable[[Sequence[Path]], bool],
        limit_s: float = math.inf,
        has_all: HasAll | None = None,
    ) -> list[Study]:
        """Take the studies that are complete, each once, with one transaction per study.

        Args:
            now: unix time in seconds.
            rule: how long to wait for what.
            has_wanted: whether these files, one per series, include what the model needs; asked
                only when a study is quiet and has new images.
            limit_s: after so many seconds no further study is checked; the next call does that.
            has_all: whether their source has no more images of a study; None: it is not asked.
        """
        end = time.monotonic() + limit_s
        self._resting = []
        receiving = self._with_news(studies.c.state == StudyState.RECEIVING)
        with self._reading.connect() as connection:
            # after a start thousands of headers may be read: who comes now is not behind them
            waiting = connection.execute(receiving.order_by(sa.desc("newest"))).all()
        keys = {study.study_key for study in waiting}
        self._evidence = {key: seen for key, seen in self._evidence.items() if key in keys}
        taken = []
        for study in waiting:
            if time.monotonic() > end:
                break
            reason = self._reason(study, now, rule, has_wanted, has_all)
            if reason and not study.surely and not self._has_evidence(study, has_wanted):
                self._lay_to_rest(study)  # photographs of something else, say
            elif reason and (queued := self._queue_study(study, reason)):
                taken.append(queued)
        self._watch()
        return sorted(taken, key=lambda study: study.last_instance_at)

    def resting(self, has_wanted: Callable[[Sequence[Path]], bool]) -> Study | None:
        """A study that will be complete by evidence if no image comes any more, as it would be.

        Of those that `complete` last left in their quiet time; None as long as any is queued.

        Args:
            has_wanted: as of `complete`.
        """
        for seen in () if self._queued else reversed(self._resting):
            if self._has_evidence(seen, has_wanted):
                files = self._files(seen.study_key, math.inf)
                paths = tuple(self._folder / file.path for file in files)
                classes = tuple(sorted({file.sop_class_uid for file in files}))
                return Study(
                    seen.study_instance_uid, seen.generation + 1, "", paths, seen.newest,
                    sop_classes=classes,
                )  # fmt: skip
        return None

    def _with_news(self, which: sa.ColumnElement[bool]) -> sa.Select[Any]:
        """See `news.with_news`."""
        return with_news(self._analysed, which)

    def _reason(
        self,
        study: sa.Row[Any],
        now: float,
        rule: config.Complete,
        has_wanted: Callable[[Sequence[Path]], bool],
        has_all: HasAll | None,
    ) -> str | None:
        """Why it is complete: cap, idle, interrupted, fewer or evidence; None if it is not.

        As long as somebody who sent images of it has not released the association, or the source
        has more images of a series, what is there proves nothing: more may come, or should have.
        """
        # if the clock was set back, the newest image is in the future: take the study as it is
        quiet = now - study.newest if study.newest < now + SKEW_S else math.inf
        if now - study.first_at >= rule.cap_s:
            return "cap"
        if quiet >= rule.idle_s:
            if study.unreleased == SenderState.BROKEN:
                return "interrupted"
            whole = self._is_whole(study, has_all)
            if whole is None and quiet < rule.idle_s + ASKED_S:
                return None  # its source may only just have been asked for the first time
            return "fewer" if whole is False else "idle"
        if study.unreleased is not None:
            return None
        if quiet < rule.quiet_s:
            self._resting.append(study)
            return None
        if not self._has_evidence(study, has_wanted):
            return None
        return "evidence" if self._is_whole(study, has_all) else None

    def _is_whole(self, study: sa.Row[Any], has_all: HasAll | None) -> bool | None:
        """What ``has_all`` says of the images that came; True where nobody is to be asked."""
        if has_all is None:
            return True
        held = Counter(file.series_instance_uid for file in self._files(study.study_key, math.inf))
        return has_all(study.study_instance_uid, held)

    def _has_evidence(
        self, seen: sa.Row[Any], has_wanted: Callable[[Sequence[Path]], bool]
    ) -> bool:
        """Ask ``has_wanted``, unless it was asked about the very same images before."""
        key = seen.study_key
        latest, wanted = self._evidence.get(key, (-1, False))
        if latest != seen.latest:  # told without a query, as thousands of studies may wait
            firsts = self.firsts(key, math.inf)
            try:
                wanted = has_wanted(firsts)
            except Exception as error:  # noqa: BLE001 - one file must not hold up all studies
                log.warning("evidence unreadable study=%s error=%s", key, type(error).__name__)
                wanted = False
            self._evidence[key] = seen.latest, wanted
        return wanted

    def _files(self, key: str, generation: float) -> list[Any]:
        """Instances of a study up to a generation; instances in none yet count as later.

        Of conflicting contents under one SOPInstanceUID only one counts; see ``_take_newer``.
        """
        columns = instances.c
        query = sa.select(
            columns.id,
            columns.path,
            columns.sop_class_uid,
            columns.series_instance_uid,
            columns.received_at,
            columns.generation,
        )
        query = query.where(columns.study_key == key, ~columns.conflict).order_by(columns.id)
        if generation < math.inf:
            query = query.where(columns.generation <= generation)
        with self._reading.connect() as connection:
            return list(connection.execute(query))

    def _queue_study(self, seen: sa.Row[Any], reason: str) -> Study | None:
        """Begin the next generation, unless another host was faster or an image came."""
        key, generation = seen.study_key, seen.generation + 1
        values = {
            "state": StudyState.QUEUED,
            "generation": generation,
            "completion": reason,
            "last_at": seen.newest,
        }
        this = studies.c.study_key == key
        mine = sa.and_(instances.c.study_key == key, instances.c.generation.is_(None))
        with self._engine.begin() as connection:
            connection.execute(sa.select(studies.c.study_key).where(this).with_for_update())
            if connection.execute(self._with_news(this)).one_or_none() != seen:
                return None
            connection.execute(studies.update().where(this).values(values))
            connection.execute(instances.update().where(mine).values(generation=generation))
            connection.execute(senders.delete().where(senders.c.study_key == key))
        self._evidence.pop(key, None)
        metrics.COMPLETIONS.labels(reason).inc()
        study = self.study(key, generation)
        log.info(
            "study complete study=%s generation=%d reason=%s files=%d",
            key, generation, reason, len(study.paths),
        )  # fmt: skip
        return study

    def _lay_to_rest(self, seen: sa.Row[Any]) -> None:
        """A study in which nothing is to be analysed is done, unless an image has just come."""
        this = studies.c.study_key == seen.study_key
        with self._engine.begin() as connection:
            connection.execute(sa.select(studies.c.study_key).where(this).with_for_update())
            if connection.execute(self._with_news(this)).one_or_none() == seen:
                connection.execute(studies.update().where(this).values(state=StudyState.DONE))

    def study(self, study_key: str, generation: int) -> Study:
        """A generation of a study, with all files up to it.

        Raises:
            LookupError: there is no such study or generation.
        """
        query = studies.select().where(studies.c.study_key == study_key)
        # a generation still exists when newer contents have replaced all its files, and one that
        # somebody asked for has none of its own
        mine = sa.and_(instances.c.study_key == study_key, instances.c.generation <= generation)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
            newest = connection.scalar(sa.select(sa.func.max(instances.c.received_at)).where(mine))
            conflicts = connection.scalar(number_of_conflicts(study_key, generation))
        files = self._files(study_key, generation)
        if row is None or newest is None or not 0 < generation <= row.generation:
            raise LookupError(f"no generation {generation} of study {study_key}")
        return Study(
            study_instance_uid=row.study_instance_uid,
            generation=generation,
            completion=row.completion,
            paths=tuple(self._folder / file.path for file in files),
            last_instance_at=newest,
            stat=row.stat,
            is_partial=row.images_deleted_at is not None,
            conflicts=conflicts or 0,
            sop_classes=tuple(sorted({file.sop_class_uid for file in files})),
        )

    def firsts(self, study_key: str, generation: float) -> list[Path]:
        """One file of each series of a generation."""
        files = self._files(study_key, generation)
        firsts = {row.series_instance_uid: row.path for row in reversed(files)}
        return [self._folder / path for path in firsts.values()]

    def queued(self, after: str = "", limit: int | None = None) -> list[tuple[str, int]]:
        """Key and generation of studies handed out but not finished, by key.

        Args:
            after: only keys after this one.
            limit: at most so many.
        """
        query = (
            sa.select(studies.c.study_key, studies.c.generation)
            .where(studies.c.state == StudyState.QUEUED, studies.c.study_key > after)
            .order_by(studies.c.study_key)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [(row.study_key, row.generation) for row in connection.execute(query)]

    def finish(self, study_key: str, generation: int) -> None:
        """Mark a generation as finished; images that came meanwhile start the next one.

        Finishing twice, or a generation that is not the current one, changes nothing.
        """
        this = studies.c.study_key == study_key
        current = sa.and_(
            this, studies.c.state == StudyState.QUEUED, studies.c.generation == generation
        )
        with self._engine.begin() as connection:
            # locks the study's row before its images are looked at, as the receiver does
            if not connection.execute(
                studies.update().where(current).values(state=StudyState.DONE)
            ).rowcount:
                return
            self.reconsider(connection, study_key)

    def reconsider(self, connection: sa.Connection, key: str) -> None:
        """Begin to receive the next generation of a study that is done, if it has new images.

        The caller has locked the study's row. While a study is queued, its files stay unchanged.
        """
        this = studies.c.study_key == key
        study = connection.execute(studies.select().where(this)).one()
        if study.state == StudyState.QUEUED:
            return
        self._take_newer(connection, key, study.generation)
        news = connection.execute(self._with_news(this)).one_or_none()
        if news and study.state == StudyState.DONE:
            again = {"state": StudyState.RECEIVING, "first_at": news.oldest, "last_at": news.newest}
            connection.execute(studies.update().where(this).values(again))

    def _take_newer(self, connection: sa.Connection, key: str, generation: int) -> None:
        """Choose which of several contents of one UID counts: the first, or the last by policy.

        The last also counts if the study was not analysed, for example because an image was cut
        off on its way in, and was then sent again whole.
        """
        columns = instances.c
        outcome = sa.select(results.c.outcome).where(
            results.c.study_key == key, results.c.generation == generation
        )
        if self._conflicts != "replace" and connection.scalar(outcome) != "not_analysed":
            return
        ours = sa.and_(columns.study_key == key, columns.sop_class_uid.in_(self._analysed.every))
        newest = sa.select(sa.func.max(columns.id)).where(ours).group_by(columns.sop_instance_uid)
        winners = instances.update().where(ours, columns.conflict, columns.id.in_(newest))
        losers = instances.update().where(ours, ~columns.conflict, columns.id.not_in(newest))
        connection.execute(winners.values(conflict=False, generation=None))
        connection.execute(losers.values(conflict=True))

    def _watch(self) -> None:
        """Set the gauge of studies by state."""
        query = sa.select(studies.c.state, sa.func.count()).group_by(studies.c.state)
        with self._reading.connect() as connection:
            counts = {row[0]: row[1] for row in connection.execute(query)}
        self._queued = counts.get(StudyState.QUEUED, 0)
        self.are_under_way = bool(self._queued or counts.get(StudyState.RECEIVING))
        for state in (StudyState.RECEIVING, StudyState.QUEUED):
            metrics.QUEUE_DEPTH.labels(state).set(counts.get(state, 0))
