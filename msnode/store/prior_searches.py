"""The searches for earlier studies in the database: who is asked for what, and what came of it.

A search is one source that is asked for earlier studies of one study's patient. What it finds is in
``prior_studies``, chosen or not, with the reason. Whether a result was made without what comes
later is decided by one row on which both sides write: the comparison notes which searches are open
(`looked`), the search what came (`came`).
"""

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

import sqlalchemy as sa

from msnode.records.uid_hash import uid_hash
from msnode.store.database import prior_searches, prior_studies, studies

Found = TypeVar("Found")

OPEN_S = 21600.0
"""So long after it was asked for, what a source sends in our name is an answer: six hours."""


class State(StrEnum):
    """Where a search stands."""

    OPEN = "open"
    DONE = "done"
    GIVEN_UP = "given_up"


class Fate(StrEnum):
    """What becomes of a study that a source has."""

    REJECTED = "rejected"
    """It is not comparable, or others are newer."""
    HERE = "here"
    """It need not be fetched."""
    CHOSEN = "chosen"
    ASKED = "asked"
    """The source was asked to send it."""
    KEPT = "kept"
    """It came, and its visit can be compared with."""
    UNUSABLE = "unusable"
    """It came, and nothing can be made of it."""
    DELETED = "deleted"
    """Its visit was kept, until retention deleted it."""


ENDS = (Fate.KEPT, Fate.UNUSABLE)


@dataclass(frozen=True, slots=True)
class PriorStudy:
    """A study that a source has of the patient.

    Attributes:
        study_date: DA.
        reason: why it was chosen or not.
        series: of those that are wanted the number of images, by SeriesInstanceUID; 0 where the
            source does not say.
    """

    study_instance_uid: str
    study_date: str
    fate: Fate
    reason: str
    series: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Of the study."""
        return uid_hash(self.study_instance_uid)


class PriorSearches:
    """Reads and writes them; the same statements on SQLite and PostgreSQL.

    Args:
        engine: the database, migrated.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def begin(
        self, study_key: str, generation: int, waits: Mapping[str, float], *, anew: bool = False
    ) -> None:
        """Begin the searches for a study; those that have begun before stay as they are.

        Args:
            study_key: of the study.
            generation: of it.
            waits: seconds that the result waits at most, by source.
            anew: those that have ended begin again.
        """
        now = time.time()
        with self._engine.begin() as connection:
            self._lock(connection, study_key)
            known = {row.source: row for row in connection.execute(_ROWS.where(_of(study_key)))}
            gone = [
                name
                for name, row in known.items()
                if anew and row.state != State.OPEN and row.generation < generation
            ]
            mine = sa.and_(_of(study_key), prior_searches.c.source.in_(gone))
            connection.execute(prior_searches.delete().where(mine))
            rows = [
                {"study_key": study_key, "source": name, "generation": generation,
                 "began_at": now, "wait_until": now + wait_s, "state": State.OPEN,
                 "failures": 0, "missed": 0, "news": False, "ready": False, "detail": ""}
                for name, wait_s in waits.items()
                if name in gone or name not in known
            ]  # fmt: skip
            if rows:
                connection.execute(prior_searches.insert(), rows)

    def _lock(self, connection: sa.Connection, study_key: str) -> None:
        """Nobody else begins searches for a study, or revises it, until the transaction ends."""
        this = sa.select(studies.c.study_key).where(studies.c.study_key == study_key)
        connection.execute(this.with_for_update())

    def open_of(self, study_key: str) -> dict[str, int]:
        """The generation with which each open search of a study began, by source."""
        columns = prior_searches.c
        query = sa.select(columns.source, columns.generation).where(_of(study_key), _IS_OPEN)
        with self._engine.connect() as connection:
            return {row.source: row.generation for row in connection.execute(query)}

    def states(self, study_key: str) -> list[tuple[str, str, str]]:
        """The searches for a study: source, state, what went wrong the last time."""
        columns = prior_searches.c
        query = sa.select(columns.source, columns.state, columns.detail).where(_of(study_key))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(columns.source)).all()
        return [(row.source, row.state, row.detail) for row in rows]

    def holds(self, study_keys: Collection[str]) -> dict[str, float]:
        """Seconds for which the results of these studies still have to wait, of those that do."""
        columns = prior_searches.c
        until = sa.func.max(columns.wait_until)
        query = sa.select(columns.study_key, until).where(columns.study_key.in_(study_keys))
        query = query.where(_IS_OPEN).group_by(columns.study_key)
        with self._engine.connect() as connection:
            found = connection.execute(query).all()
        now = time.time()
        return {key: end - now for key, end in found if end > now}

    def found(self, study_key: str, source: str, listed: Sequence[PriorStudy]) -> None:
        """Put on record what a source has; what has come already stays as it is."""
        columns = prior_studies.c
        mine = sa.and_(columns.study_key == study_key, columns.source == source)
        with self._engine.begin() as connection:
            asked = {
                row.prior_key: row
                for row in connection.execute(sa.select(prior_studies).where(mine))
            }
            ended = {key for key, row in asked.items() if row.state in ENDS}
            connection.execute(prior_studies.delete().where(mine, columns.state.not_in(ENDS)))
            rows = [
                {"study_key": study_key, "prior_key": one.key, "source": source,
                 "study_instance_uid": one.study_instance_uid, "study_date": one.study_date,
                 "state": one.fate, "reason": one.reason,
                 "series": json.dumps(dict(one.series)),
                 "asked_at": asked[one.key].asked_at if one.key in asked else None,
                 "kept_at": None,
                 "patient_key": asked[one.key].patient_key if one.key in asked else ""}
                for one in {one.key: one for one in listed}.values()
                if one.key not in ended
            ]  # fmt: skip
            if rows:
                connection.execute(prior_studies.insert(), rows)

    def priors(self, study_key: str, source: str | None = None) -> list[PriorStudy]:
        """What is on record of the earlier studies that a source has, or all have; newest first."""
        columns = prior_studies.c
        query = sa.select(prior_studies).where(columns.study_key == study_key)
        if source is not None:
            query = query.where(columns.source == source)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(columns.study_date.desc())).all()
        return [
            PriorStudy(
                row.study_instance_uid, row.study_date, Fate(row.state), row.reason,
                json.loads(row.series),
            )
            for row in rows
        ]  # fmt: skip

    def asks(self, study_key: str, source: str, prior_key: str) -> None:
        """A source is about to be asked to send a study; from now on what it sends is an answer."""
        self._update(study_key, source, prior_key, state=Fate.ASKED, asked_at=time.time())

    def came(self, study_key: str, source: str, prior_key: str, reason: str | None) -> None:
        """A study came; its visit is kept, or there is a reason why it is of no use."""
        if reason is not None:
            self._update(study_key, source, prior_key, state=Fate.UNUSABLE, reason=reason)
            return
        search = prior_searches.c
        mine = sa.and_(_of(study_key), search.source == source)
        is_news = sa.or_(search.news, search.missed > 0)
        with self._engine.begin() as connection:  # the search first, as `looked` does
            connection.execute(prior_searches.update().where(mine).values(news=is_news))
            values = {"state": Fate.KEPT, "kept_at": time.time()}
            connection.execute(_prior(study_key, source, prior_key).values(values))

    def _update(self, study_key: str, source: str, prior_key: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(_prior(study_key, source, prior_key).values(**values))

    def whose(self, study_instance_uid: str) -> tuple[set[str], set[str]]:
        """Whose a study is that was asked for of late.

        Returns:
            Keys of the patients for whom it was asked for, mostly none, or one; and keys of the
            patients that its images named so far.
        """
        columns = prior_studies.c
        query = (
            sa.select(studies.c.patient_key.label("asking"), columns.patient_key)
            .join_from(prior_studies, studies, studies.c.study_key == columns.study_key)
            .where(
                columns.study_instance_uid == study_instance_uid,
                columns.asked_at > time.time() - OPEN_S,
            )
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return {row.asking for row in rows}, {row.patient_key for row in rows} - {""}

    def identify(self, study_instance_uid: str, patient_key: str) -> None:
        """The images of a study that was asked for name their patient; with the issuer counts more.

        Args:
            study_instance_uid: of the study.
            patient_key: of the patient that an image names.
        """
        columns = prior_studies.c
        mine = columns.study_instance_uid == study_instance_uid
        less = sa.func.length(columns.patient_key) < len(patient_key)
        with self._engine.begin() as connection:
            named = prior_studies.update().where(mine, less)
            connection.execute(named.values(patient_key=patient_key))

    def asked_since(self, source: str, since: float) -> list[float]:
        """When a source was asked to send a study, unix s, oldest first."""
        columns = prior_studies.c
        query = sa.select(columns.asked_at).where(
            columns.source == source, columns.asked_at > since
        )
        with self._engine.connect() as connection:
            return sorted(connection.scalars(query))

    def told(
        self,
        study_key: str,
        source: str,
        *,
        state: State,
        due_at: float = 0.0,
        failed: bool = False,
        detail: str = "",
        elsewhere: bool = False,
    ) -> None:
        """An attempt has ended; what it brought is now ready to make one revised result.

        Args:
            study_key: for which.
            source: that was asked.
            state: of the search now.
            due_at: of an open one when it is asked again, unix s; where that is after the result
                has waited enough, it need not wait at all.
            failed: whether the attempt counts as a failure.
            detail: what went wrong.
            elsewhere: there is an earlier visit that came by another search, and that the result
                was not compared with.
        """
        columns = prior_searches.c
        news = sa.or_(columns.news, sa.and_(columns.missed > 0, sa.literal(elsewhere)))
        mine = sa.and_(_of(study_key), columns.source == source)
        in_vain = sa.case((columns.wait_until < due_at, 0.0), else_=columns.wait_until)
        values = {
            "state": state,
            "wait_until": in_vain if state == State.OPEN else 0.0,
            "failures": columns.failures + int(failed),
            "detail": detail,
            "news": news,
            "ready": news,
        }
        with self._engine.begin() as connection:
            connection.execute(prior_searches.update().where(mine).values(values))

    def failures(self, study_key: str, source: str) -> int:
        """How many attempts of a search have failed."""
        query = sa.select(prior_searches.c.failures).where(
            _of(study_key), prior_searches.c.source == source
        )
        with self._engine.connect() as connection:
            return connection.scalar(query) or 0

    def looked(
        self, study_key: str, generation: int, read: Callable[[sa.Connection], Found]
    ) -> Found:
        """Read what a generation of a study is compared with, and note which searches are open.

        What comes afterwards is news, for which the study gets a revised result.

        Args:
            study_key: of the study.
            generation: of it.
            read: reads it, within the same transaction.
        """
        missed = sa.case((_IS_OPEN, generation), else_=0)
        values = {"missed": missed, "news": sa.false(), "ready": sa.false()}
        with self._engine.begin() as connection:
            connection.execute(prior_searches.update().where(_of(study_key)).values(values))
            return read(connection)

    def is_awaited(self, study_key: str, generation: int) -> bool:
        """Whether this generation was compared while a search was open."""
        query = sa.select(sa.exists().where(_of(study_key), prior_searches.c.missed == generation))
        with self._engine.connect() as connection:
            return bool(connection.scalar(query))

    def abandon(self, configured: Collection[str]) -> None:
        """Give up the searches at sources that are not configured any more."""
        others = sa.and_(_IS_OPEN, prior_searches.c.source.not_in(list(configured)))
        values = {"state": State.GIVEN_UP, "detail": "the source is not configured any more"}
        with self._engine.begin() as connection:
            connection.execute(prior_searches.update().where(others).values(values))


_ROWS = sa.select(prior_searches)
_IS_OPEN = prior_searches.c.state == State.OPEN


def _prior(study_key: str, source: str, prior_key: str) -> sa.Update:
    """An update of one study that a source has."""
    columns = prior_studies.c
    return prior_studies.update().where(
        columns.study_key == study_key, columns.source == source, columns.prior_key == prior_key
    )


def _of(study_key: str) -> sa.ColumnElement[bool]:
    return prior_searches.c.study_key == study_key
