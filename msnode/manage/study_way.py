"""The way of one study through the node: what happened when, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from msnode.config import Destination
from msnode.deliver.result_places import files_for
from msnode.engine.jobs import OPEN, Job, Jobs
from msnode.manage.header_words import SERIES, header_of
from msnode.manage.listed_studies import fate
from msnode.manage.outcomes import kinds_of
from msnode.manage.work_list import as_sent
from msnode.records.receipt import Receipt
from msnode.store.database import (
    StudyState,
    instances,
    prior_searches,
    receipts,
    results,
    studies,
)
from msnode.store.for_reading import for_reading
from msnode.store.page_tables import study_labels
from msnode.store.prior_searches import PriorSearches, PriorStudy
from msnode.store.receipts import FIELDS, Receipts

STEPS = ("prepare", "outline", "classify", "report", "finish", "fail")
"""Steps of a study's job that are told."""
DONE_NOTHING_S = 0.1
"""A node without a bundle for lesions has the step, too, and outlines nothing."""
HEADERS = 100
"""Series of which the description is read."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened.

    Attributes:
        at: unix time in seconds.
        code: what, as in the section ``admin`` of the pages' phrases, after ``way_``.
        detail: in others' words; names no patient.
    """

    at: float
    code: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)
    detail: str = ""


@dataclass(frozen=True, slots=True)
class KeptSeries:
    """A series as far as it is here.

    Attributes:
        words: of its newest image: Modality, SeriesDescription; empty where it is not to be read.
        classes: SOP Class UIDs.
    """

    uid: str
    images: int
    first_at: float
    last_at: float
    callers: tuple[str, ...]
    classes: tuple[str, ...]
    words: dict[str, str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one object at one destination.

    Attributes:
        kind: of the object (sr, montage, …); "" where its file is gone.
        at: of the last attempt, unix time in seconds.
    """

    generation: int
    kind: str
    receipt: Receipt
    at: float


@dataclass(frozen=True, slots=True)
class StudyWay:
    """All that is told of a study.

    Attributes:
        study: row of ``studies``.
        label: row of ``study_labels``, if there is one.
        results: rows of ``results``, the newest first.
    """

    study: sa.RowMapping
    label: sa.RowMapping | None
    series: list[KeptSeries]
    results: list[sa.RowMapping]
    deliveries: list[Delivery]
    priors: list[PriorStudy]
    jobs: list[Job]
    moments: list[Moment]


def way_of(
    database: sa.Engine, data: Path, jobs: Jobs | None, key: str, *, patients: bool
) -> StudyWay | None:
    """The way of a study; None where there is no such study.

    Args:
        database: migrated.
        data: the data folder.
        jobs: on the database; None where no node has worked yet.
        key: of the study.
        patients: read also what images say.
    """
    reading = for_reading(database)
    with reading.connect() as connection:
        study = _one(connection, studies, key)
        if study is None:
            return None
        label = _one(connection, study_labels, key) if patients else None
        series = list(_series(connection, data, key, patients=patients))
        mine = sa.select(results).where(results.c.study_key == key)
        made = connection.execute(mine.order_by(results.c.generation.desc())).mappings().all()
        sent = _deliveries(connection, data, key)
        searches = list(_searches(connection, key))
    awaiting = Receipts(reading).awaiting()
    of_study = jobs.of_study(key) if jobs is not None else []
    known = [as_sent(job, awaiting) for job in of_study]
    moments = [
        *_arrival(study, series),
        *searches,
        *(one for job in known if jobs is not None for one in _steps(jobs, job)),
        *_results(made, patients=patients),
        *_sent(sent),
    ]
    return StudyWay(
        study, label, series, list(made), sent, PriorSearches(reading).priors(key), known,
        sorted(moments, key=lambda one: one.at),
    )  # fmt: skip


def why_no_redo(way: StudyWay) -> str:
    """Why it cannot be analysed again, as a phrase; "" where it can."""
    if way.study["state"] != StudyState.DONE:
        return "redo_under_way"
    if way.study["images_deleted_at"] is not None or not way.series:
        return "redo_no_images"
    return "" if way.study["generation"] else "redo_nothing"


def why_no_resend(way: StudyWay, data: Path, destination: Destination) -> str:
    """Why its result cannot be sent to a destination again, as a phrase; "" where it can."""
    if not way.results:
        return "resend_no_result"
    generation = way.results[0]["generation"]
    folder = data / "work" / way.study["study_key"] / str(generation)
    if not any(folder.rglob("*.dcm")):
        return "resend_no_files"
    if not files_for(folder, destination):
        return "resend_not_made"
    under_way = any(
        job.kind == "deliver"
        and job.destination == destination.name
        and job.generation == generation
        for job in way.jobs
        if job.state in (*OPEN, "sent")
    )
    return "resend_under_way" if under_way else ""


def _one(connection: sa.Connection, table: sa.Table, key: str) -> sa.RowMapping | None:
    query = sa.select(table).where(table.c.study_key == key)
    return connection.execute(query).mappings().one_or_none()


def _series(
    connection: sa.Connection, data: Path, key: str, *, patients: bool
) -> Iterator[KeptSeries]:
    """By the time of their first image."""
    query = sa.select(instances).where(instances.c.study_key == key).order_by(instances.c.id)
    by_uid: dict[str, list[sa.RowMapping]] = {}
    for row in connection.execute(query).mappings():
        by_uid.setdefault(row["series_instance_uid"], []).append(row)
    for number, (uid, rows) in enumerate(by_uid.items()):
        read = patients and number < HEADERS
        times = [row["received_at"] for row in rows]
        yield KeptSeries(
            uid,
            len(rows),
            min(times),
            max(times),
            _distinct(row["calling_ae_title"] for row in rows),
            _distinct(row["sop_class_uid"] for row in rows),
            (header_of(data / rows[-1]["path"], SERIES) or {}) if read else {},
        )


def _distinct(values: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _deliveries(connection: sa.Connection, data: Path, key: str) -> list[Delivery]:
    """The newest generation first."""
    columns = receipts.c
    query = sa.select(columns.generation, columns.updated_at, *FIELDS)
    ordered = query.where(columns.study_key == key).order_by(
        columns.generation.desc(), columns.destination, columns.sop_instance_uid
    )
    rows = connection.execute(ordered).all()
    generations = {row.generation for row in rows}
    kinds = {uid: kind for one in generations for uid, kind in kinds_of(data, key, one).items()}
    made = [(generation, at, Receipt(*fields)) for generation, at, *fields in rows]
    return [
        Delivery(generation, kinds.get(one.sop_instance_uid, ""), one, at)
        for generation, at, one in made
    ]


def _searches(connection: sa.Connection, key: str) -> Iterator[Moment]:
    query = sa.select(prior_searches).where(prior_searches.c.study_key == key)
    for row in connection.execute(query).mappings():
        values = {"source": row["source"], "state": row["state"]}
        yield Moment(row["began_at"], "priors", values, row["detail"])


def _arrival(study: sa.RowMapping, series: Sequence[KeptSeries]) -> Iterator[Moment]:
    if not series:
        yield Moment(study["first_at"], "first_image_gone")
    else:
        first = min(series, key=lambda one: one.first_at)
        number = sum(one.images for one in series)
        yield Moment(first.first_at, "first_image", {"caller": first.callers[0]})
        yield Moment(max(one.last_at for one in series), "last_image", {"number": number})


def _steps(jobs: Jobs, job: Job) -> Iterator[Moment]:
    if job.kind != "study":
        return
    yield Moment(job.created_at, "queued", {"generation": job.generation})
    for step in jobs.steps(job.id):
        if step.name in STEPS and step.ended_at is not None:
            seconds = step.ended_at - (step.began_at or step.ended_at)
            if step.name == "outline" and seconds < DONE_NOTHING_S:
                continue
            values = {"generation": job.generation, "seconds": seconds}
            yield Moment(step.ended_at, f"step_{step.name}", values)


def _results(made: Sequence[sa.RowMapping], *, patients: bool) -> Iterator[Moment]:
    """Why there is none may quote descriptions."""
    for row in made:
        values = {"generation": row["generation"], "outcome": row["outcome"]}
        yield Moment(row["created_at"], "result", values, (row["reason"] or "") if patients else "")


def _sent(deliveries: Sequence[Delivery]) -> Iterator[Moment]:
    """A line for each result at each destination, with the last attempt's time."""
    places: dict[tuple[int, str], list[Delivery]] = {}
    for one in deliveries:
        places.setdefault((one.generation, one.receipt.destination), []).append(one)
    for (generation, name), mine in places.items():
        state = fate([one.receipt for one in mine])
        values: dict[str, Any] = {
            "destination": name,
            "generation": generation,
            "attempts": max(one.receipt.attempts for one in mine),
        }
        detail = next((one.receipt.detail for one in mine if one.receipt.detail), "")
        yield Moment(max(one.at for one in mine), f"sent_{state}", values, detail)
