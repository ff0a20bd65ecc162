"""What each study measured, in the database: for drift, and to tell evidence apart by."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from msnode.store.database import results
from msnode.store.evidence_tables import study_values


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


def listed(connection: sa.Connection, since: float = 0.0) -> list[StudyValues]:
    """Of all studies that came since a moment, in the order in which they did."""
    of = study_values.c
    query = (
        sa.select(
            of.study_key, of.recorded_at, of.scanner, of.sequence, of.age, of.sex, of.told,
            results.c.outcome, results.c.model_digest,
        )
        .join(results, sa.and_(results.c.study_key == of.study_key,
                               results.c.generation == of.generation))
        .where(of.recorded_at >= since)
        .order_by(of.recorded_at, of.study_key)
    )  # fmt: skip
    found = connection.execute(query).mappings()
    return [StudyValues(**{**row, "told": json.loads(row["told"])}) for row in found]
