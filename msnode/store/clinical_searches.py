"""Which patients a FHIR source is asked for next; a search that is killed is due again."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from msnode.errors import MsnodeError
from msnode.store.database import instances, metadata, studies

clinical_searches = sa.Table(
    "clinical_searches",
    metadata,
    # for which patients a FHIR source was asked, and when it is asked again
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("patient_key", sa.String(48), primary_key=True),  # see store.patients
    sa.Column("asked_at", sa.Float, nullable=False),  # unix s
    sa.Column("due_at", sa.Float, nullable=False),  # unix s
    sa.Column("since", sa.Float),  # when the last search that ended well began, unix s
    sa.Column("failures", sa.Integer, nullable=False),  # since then
    sa.Column("detail", sa.Text, nullable=False),  # why the last one failed; names no patient
    # hash of what the last search that ended well asked for; "" where it found nothing
    sa.Column("scope", sa.String(32)),
)

NEVER = 1e12
"""Unix s, in the far future."""
LEASE_S = 900.0
"""Whoever begins a search has so long; then it is somebody else's."""


@dataclass(frozen=True, slots=True)
class Due:
    """A patient for whom a source is to be asked.

    Attributes:
        patient_key: see `store.patients`.
        path: of an image of his newest study, relative to the data folder: it has his ID.
        since: unix s at which the last search that ended well began; None for none.
        scope: what that one asked for; "" where it found nothing, None where that is not known.
        failures: attempts since then.
        asked_at: unix s, now.
        due_at: unix s at which somebody else may begin it: with `asked_at` the lease.
    """

    patient_key: str
    path: str
    since: float | None
    scope: str | None
    failures: int
    asked_at: float
    due_at: float


class LeaseLost(MsnodeError):
    """A search that took too long, or whose patient was forgotten meanwhile: it counts no more."""


class ClinicalSearches:
    """The searches of one source.

    Args:
        database: migrated.
        source: its name.
    """

    def __init__(self, database: sa.Engine, source: str) -> None:
        self._database = database
        self._source = source

    def asked(self, since: float) -> list[float]:
        """When the source was asked after a time, unix s, oldest first."""
        columns = clinical_searches.c
        query = (
            sa.select(columns.asked_at)
            .where(columns.source == self._source, columns.asked_at > since)
            .order_by(columns.asked_at)
        )
        with self._database.connect() as connection:
            return list(connection.scalars(query))

    def begin(self, now: float) -> Due | None:
        """Take the patient who is due the longest, new ones first; None where nobody is.

        Args:
            now: unix s.
        """
        columns = clinical_searches.c
        newest = sa.func.max(studies.c.first_at)
        mine = sa.and_(columns.patient_key == studies.c.patient_key, columns.source == self._source)
        query = (
            sa.select(
                studies.c.patient_key, columns.asked_at, columns.due_at, columns.since,
                columns.scope, columns.failures, newest.label("newest"),
            )
            .join(clinical_searches, mine, isouter=True)
            .where(studies.c.patient_key != "", studies.c.images_deleted_at.is_(None))
            .group_by(studies.c.patient_key, columns.asked_at, columns.due_at, columns.since,
                      columns.scope, columns.failures)
            .having(sa.or_(
                columns.due_at.is_(None), columns.due_at <= now,
                sa.and_(newest > columns.asked_at, sa.or_(
                    columns.due_at == NEVER,
                    sa.and_(columns.failures == 0, columns.since.is_not(None)),
                )),
            ))
            .order_by(sa.func.coalesce(columns.due_at, 0.0), newest)
            .limit(1)
        )  # fmt: skip
        with self._database.begin() as connection:
            row = connection.execute(query).one_or_none()
            if row is None or not self._claimed(connection, row, now):
                return None
            path = connection.scalar(_image(row.patient_key))
        if path is None:  # its images are not on record yet, or not any more
            return None
        return Due(row.patient_key, path, row.since, row.scope, row.failures or 0, now,
                   now + LEASE_S)  # fmt: skip

    def _claimed(self, connection: sa.Connection, row: Any, now: float) -> bool:
        """Take it, unless another host has just done so."""
        columns, key = clinical_searches.c, row.patient_key
        if row.due_at is None:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            first = dialect.insert(clinical_searches).on_conflict_do_nothing()
            values = {
                "source": self._source, "patient_key": key, "asked_at": now,
                "due_at": now + LEASE_S, "failures": 0, "detail": "",
            }  # fmt: skip
            kept = {"preserve_rowcount": True}  # psycopg counts when it is asked to
            return connection.execute(first, values, execution_options=kept).rowcount == 1
        same = sa.and_(
            columns.source == self._source, columns.patient_key == key,
            columns.due_at == row.due_at, columns.asked_at == row.asked_at,
        )  # fmt: skip
        taken = clinical_searches.update().where(same)
        values = {"asked_at": now, "due_at": now + LEASE_S}
        return connection.execute(taken, values).rowcount == 1

    def hold(self, connection: sa.Connection, due: Due) -> None:
        """Keep a search from being paused or begun by others until the transaction ends.

        Raises:
            LeaseLost: that has happened.
        """
        # an update, as it locks in SQLite, too
        held = clinical_searches.update().where(self._leased(due)).values(due_at=due.due_at)
        if connection.execute(held).rowcount != 1:
            raise LeaseLost("somebody else has this search, or its patient was forgotten")

    def end(
        self, due: Due, due_at: float, *, began: float | None = None, scope: str | None = None
    ) -> None:
        """Say that a search was answered; it changes nothing where the lease was lost.

        Args:
            due: as begun.
            due_at: when it is to be repeated, unix s.
            began: unix s; the next one asks for what has changed since. None where something of the
                answer was refused: the next one asks for what this one asked for.
            scope: what it asked for.
        """
        values: dict[str, object] = {"due_at": due_at, "detail": "", "failures": 0}
        if began is not None:
            values |= {"since": began, "scope": scope}
        self._end(due, values)

    def fail(self, due: Due, due_at: float, detail: str) -> None:
        """Say that a search has failed; likewise.

        Args:
            due: as begun.
            due_at: when it is to be repeated, unix s.
            detail: why; names no patient.
        """
        self._end(due, {"due_at": due_at, "detail": detail, "failures": due.failures + 1})

    def _end(self, due: Due, values: dict[str, object]) -> None:
        with self._database.begin() as connection:
            connection.execute(clinical_searches.update().where(self._leased(due)), values)

    def _leased(self, due: Due) -> sa.ColumnElement[bool]:
        columns = clinical_searches.c
        return sa.and_(
            columns.source == self._source, columns.patient_key == due.patient_key,
            columns.asked_at == due.asked_at, columns.due_at == due.due_at,
        )  # fmt: skip


def _image(patient_key: str) -> sa.Select[str]:
    """Path of an image of the patient's newest study."""
    return (
        sa.select(instances.c.path)
        .join(studies, studies.c.study_key == instances.c.study_key)
        .where(studies.c.patient_key == patient_key, studies.c.images_deleted_at.is_(None))
        .order_by(studies.c.last_at.desc(), instances.c.id)
        .limit(1)
    )


def pause_searches(connection: sa.Connection, keys: Collection[str]) -> None:
    """Ask for these patients no more, until a new study of theirs comes.

    Else what was deleted would come back. A search that is under way has lost its lease; the next
    one asks for what has changed since the last.
    """
    columns = clinical_searches.c
    since = sa.func.coalesce(columns.since, columns.asked_at)
    values = {"due_at": NEVER, "failures": 0, "since": since, "scope": None}
    connection.execute(
        clinical_searches.update().where(columns.patient_key.in_(keys)).values(values)
    )


def forget_searches(connection: sa.Connection, keys: Collection[str]) -> None:
    """Delete all searches for these patients."""
    mine = clinical_searches.c.patient_key.in_(keys)
    connection.execute(clinical_searches.delete().where(mine))
