"""The worklist of those who read results: the newest of each study, what is urgent first."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from msnode.manage.study_labels import typed
from msnode.records.sentences import Text, from_json
from msnode.store.database import results
from msnode.store.page_tables import study_labels, verdicts
from msnode.store.reader_feedback import verdicts_of

Shown = Literal["unread", "urgent", "all"]
PAGE = 50
"""Results of a page."""
_LATER, _EARLIER = results.alias(), verdicts.alias()


@dataclass(frozen=True, slots=True)
class ReadingItem:
    """A result that waits to be read, or was.

    Attributes:
        created_at: unix s.
        why: of the priority; None where nothing is suggested.
        patient_id: "" while the study's images have not been looked at for it, as the next three.
        study_date: DA; None where the study has none.
        read_by: who finished reading this result; "" where nobody did.
        read_at: unix s.
        read_before: whether somebody finished reading an earlier result of the study.
    """

    study_key: str
    generation: int
    created_at: float
    outcome: str
    urgent: bool
    why: Text | None
    patient_id: str
    patient_name: str
    accession_number: str
    description: str
    study_date: str | None
    comparison: str | None
    lesion_count: int | None
    lesion_ml: float | None
    new_lesions: int | None
    enlarging_lesions: int | None
    read_by: str = ""
    read_at: float = 0.0
    read_before: bool = False


@dataclass(frozen=True, slots=True)
class ReadingPage:
    """A page of the worklist.

    Attributes:
        items: of this page.
        total: number of results that fit.
        number: of the page, from 1.
    """

    items: tuple[ReadingItem, ...]
    total: int
    number: int

    @property
    def pages(self) -> int:
        """How many there are, at least one."""
        return max(-(-self.total // PAGE), 1)


def reading_page(
    connection: sa.Connection, shown: Shown, number: int = 1, search: str = ""
) -> ReadingPage:
    """A page of the worklist.

    Args:
        connection: in a transaction.
        shown: which results.
        number: of the page, from 1; the last where there are not so many.
        search: PatientID, AccessionNumber or part of PatientName; "" for all.
    """
    fits = [_is_newest(), *_fits(shown, search)]
    joined = results.outerjoin(study_labels, study_labels.c.study_key == results.c.study_key)
    count = sa.select(sa.func.count()).select_from(joined).where(*fits)
    total = connection.scalar(count) or 0
    number = min(number, max(-(-total // PAGE), 1))
    query = (
        sa.select(results, *_labels())
        .select_from(joined)
        .where(*fits)
        .order_by(
            sa.case((results.c.urgent & ~_is_read(), 0), else_=1), results.c.created_at.desc()
        )
        .limit(PAGE)
        .offset(PAGE * (number - 1))
    )
    rows = connection.execute(query).mappings().all()
    return ReadingPage(tuple(_items(connection, rows)), total, number)


def newest_at(connection: sa.Connection) -> float:
    """When the newest result came, unix s; 0 where there is none."""
    return connection.scalar(sa.select(sa.func.max(results.c.created_at))) or 0.0


def words_of(text: str) -> list[str]:
    """What somebody typed of a name, as names are kept for searching."""
    return typed(text).split()


def _labels() -> Sequence[sa.ColumnElement[str]]:
    names = ("patient_id", "patient_name", "accession_number", "description")
    return [sa.func.coalesce(study_labels.c[name], "").label(name) for name in names]


def _is_newest() -> sa.ColumnElement[bool]:
    """No later result of the same study is there."""
    same = _LATER.c.study_key == results.c.study_key
    return ~sa.exists().where(same, _LATER.c.generation > results.c.generation)


def _is_read() -> sa.ColumnElement[bool]:
    """Somebody has finished reading it: urgent it is no more."""
    mine = _EARLIER.c.study_key == results.c.study_key
    return sa.exists().where(mine, _EARLIER.c.generation == results.c.generation)


def _fits(shown: Shown, search: str) -> list[sa.ColumnElement[bool]]:
    columns = study_labels.c
    wanted: list[sa.ColumnElement[bool]] = []
    if shown == "unread":
        wanted.append(~_is_read())
    elif shown == "urgent":
        wanted.append(results.c.urgent)
    if search := search.strip():
        words = [columns.name_folded.contains(one, autoescape=True) for one in words_of(search)]
        by_name = [sa.and_(*words)] if words else []
        wanted.append(
            sa.or_(columns.patient_id == search, columns.accession_number == search, *by_name)
        )
    return wanted


def _items(connection: sa.Connection, rows: Sequence[sa.RowMapping]) -> list[ReadingItem]:
    given = verdicts_of(connection, [row["study_key"] for row in rows])
    read = {(one.study_key, one.generation): one for one in given}
    studies_read = {one.study_key for one in given}
    names = [name for name in ReadingItem.__dataclass_fields__ if name in results.c]
    items = []
    for row in rows:
        verdict = read.get((row["study_key"], row["generation"]))
        content = {name: row[name] for name in names if name != "urgent"}
        items.append(
            ReadingItem(
                **content,
                urgent=bool(row["urgent"]),
                why=from_json(json.loads(row["priority_why"])) if row["priority_why"] else None,
                patient_id=row["patient_id"],
                patient_name=row["patient_name"],
                accession_number=row["accession_number"],
                description=row["description"],
                read_by=verdict.given_by if verdict is not None else "",
                read_at=verdict.given_at if verdict is not None else 0.0,
                read_before=verdict is None and row["study_key"] in studies_read,
            )
        )
    return items
