"""What each study measured, in the database: for drift, and to tell evidence apart by."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from msnode.store.database import results, studies
from msnode.store.evidence_tables import study_values
from msnode.store.patients import ID_DIGITS


@dataclass(frozen=True, slots=True)
class StudyValues:
    """What a study measured, and what came of it.

    Attributes:
        recorded_at: unix s, when the study first had some.
        scanner: manufacturer, model, field and station; "" unknown, likewise the next.
        sequence: how its slices were acquired: 2D, 3D.
        age: years; None unknown.
        told: numbers by name; empty where it could not be prepared.
        outcome: of its newest result.
        model_digest: of the model that made it.
        person: the same for studies of one PatientID.
    """

    study_key: str
    recorded_at: float
    scanner: str
    sequence: str
    age: float | None
    sex: str
    told: Mapping[str, float]
    outcome: str
    model_digest: str
    person: str


def record(connection: sa.Connection, study_key: str, row: Mapping[str, object], at: float) -> None:
    """Keep a study's values in place of those of an earlier result of it.

    Args:
        connection: in a transaction.
        study_key: of the study.
        row: the columns but for key and time; ``told`` as numbers by name.
        at: unix s, of a study that has none yet.
    """
    values = dict(row) | {"told": json.dumps(row["told"])}
    mine = study_values.c.study_key == study_key
    if not connection.execute(study_values.update().where(mine).values(values)).rowcount:
        new = values | {"study_key": study_key, "recorded_at": at}
        connection.execute(study_values.insert(), new)


def listed(
    connection: sa.Connection,
    since: float = 0.0,
    *,
    model_digest: str | None = None,
    after: bool = False,
) -> list[StudyValues]:
    """Of all studies that came since a moment, in the order in which they did.

    Args:
        connection: of the database.
        since: unix s.
        model_digest: of one model alone; None for all.
        after: not those of just that moment.
    """
    of = study_values.c
    columns = (of.study_key, of.recorded_at, of.scanner, of.sequence, of.age, of.sex, of.told,
               results.c.outcome, results.c.model_digest, studies.c.patient_key)  # fmt: skip
    same = sa.and_(results.c.study_key == of.study_key, results.c.generation == of.generation)
    query = (
        sa.select(*columns)
        .join(results, same)
        .join(studies, studies.c.study_key == of.study_key)
        .where(of.recorded_at > since if after else of.recorded_at >= since)
        .order_by(of.recorded_at, of.study_key)
    )
    if model_digest is not None:
        query = query.where(results.c.model_digest == model_digest)
    return [_values(dict(row)) for row in connection.execute(query).mappings()]


def _values(row: dict[str, Any]) -> StudyValues:
    person = row.pop("patient_key")[:ID_DIGITS] or row["study_key"]
    return StudyValues(**row | {"told": json.loads(row["told"]), "person": person})


def came(connection: sa.Connection, since: float) -> tuple[int, float]:
    """How many studies came since a moment, and when the first of them did, unix s."""
    at = study_values.c.recorded_at
    number, first = connection.execute(
        sa.select(sa.func.count(), sa.func.min(at)).where(at >= since)
    ).one()
    return number, first or 0.0


def newest_model(connection: sa.Connection) -> str:
    """Digest of the model that made the newest result; "" where there is none."""
    query = sa.select(results.c.model_digest).order_by(results.c.created_at.desc()).limit(1)
    return connection.scalar(query) or ""
