"""Studies found by their labels, a page at a time; without labels by key and UID alone."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from msnode.manage.listed_studies import went
from msnode.manage.study_labels import name_begins
from msnode.records.uid_hash import study_key
from msnode.store.database import StudyState, instances, results, studies
from msnode.store.for_reading import for_reading
from msnode.store.page_tables import study_labels
from msnode.store.receipts import Receipts

PAGE = 50


@dataclass(frozen=True, slots=True)
class Sought:
    """What somebody looks for; empty for all.

    Attributes:
        words: how PatientID or PatientName begin, or AccessionNumber, StudyInstanceUID or key.
        date: StudyDate, YYYYMMDD.
        offset: so many that fit are passed over.
    """

    words: str = ""
    date: str = ""
    state: StudyState | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study in a list.

    Attributes:
        label: row of ``study_labels``; None where it has none, or none is to be shown.
        outcome: of the newest result; None where there is none.
        destinations: what became of it, in a word, by destination.
    """

    key: str
    state: str
    generation: int
    images: int
    last_at: float
    label: sa.RowMapping | None
    outcome: str | None
    destinations: dict[str, str]


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page of them, the newest first; and whether there are more."""

    studies: list[FoundStudy]
    is_more: bool


def search(database: sa.Engine, sought: Sought, *, patients: bool) -> FoundPage:
    """A page of the studies that fit.

    Args:
        database: migrated.
        sought: which.
        patients: look at labels, and tell them.
    """
    query = sa.select(studies.c.study_key).order_by(studies.c.last_at.desc(), studies.c.study_key)
    if patients:
        label = study_labels.c.study_key == studies.c.study_key
        query = query.outerjoin(study_labels, label)
    if sought.words:
        query = query.where(_named(sought.words, patients=patients))
    if sought.date and patients:
        query = query.where(study_labels.c.study_date == sought.date)
    if sought.state is not None:
        query = query.where(studies.c.state == sought.state)
    reading = for_reading(database)
    with reading.connect() as connection:
        keys = connection.scalars(query.offset(sought.offset).limit(PAGE + 1)).all()
        found = _told(connection, list(keys[:PAGE]), patients=patients)
    return FoundPage(found, len(keys) > PAGE)


def _named(words: str, *, patients: bool) -> sa.ColumnElement[bool]:
    """Studies to which words may refer."""
    words = words.strip()
    by_key = studies.c.study_key == study_key(words.lower())
    if not patients:
        return by_key
    columns = study_labels.c
    begins = sa.func.lower(columns.patient_id).startswith(words.lower(), autoescape=True)
    return sa.or_(by_key, begins, columns.accession_number == words, name_begins(words))


def _told(connection: sa.Connection, keys: list[str], *, patients: bool) -> list[FoundStudy]:
    """What there is to say of them, with a query for each kind of thing."""
    rows = _by_key(connection, sa.select(studies).where(studies.c.study_key.in_(keys)))
    mine = study_labels.c.study_key.in_(keys)
    labels = _by_key(connection, sa.select(study_labels).where(mine)) if patients else {}
    count = sa.select(instances.c.study_key, sa.func.count().label("number"))
    counted = count.where(instances.c.study_key.in_(keys)).group_by(instances.c.study_key)
    images = _by_key(connection, counted)
    made = sa.select(results.c.study_key, results.c.generation, results.c.outcome)
    ordered = made.where(results.c.study_key.in_(keys)).order_by(results.c.generation)
    newest = _by_key(connection, ordered)  # the last one of each stays
    receipts = Receipts(connection.engine).of_studies(keys)
    return [
        FoundStudy(
            key,
            rows[key]["state"],
            rows[key]["generation"],
            images[key]["number"] if key in images else 0,
            rows[key]["last_at"],
            labels.get(key),
            newest[key]["outcome"] if key in newest else None,
            dict(went(receipts.get((key, newest[key]["generation"]), ())))
            if key in newest else {},
        )
        for key in keys
    ]  # fmt: skip


def _by_key(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, sa.RowMapping]:
    return {row["study_key"]: row for row in connection.execute(query).mappings()}
