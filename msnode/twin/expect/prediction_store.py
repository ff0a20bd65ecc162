"""The table of predictions: a row for each study, written once and never changed."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from msnode.store.database import expectations, studies
from msnode.store.files import decode, encode
from msnode.store.patients import keys_of
from msnode.twin.expect.prediction import Prediction


def add(connection: sa.Connection, made: Prediction) -> bool:
    """Keep a prediction; of a study that has one, that one stays.

    Returns:
        Whether it is new.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"study_key": made.study_key, "made_at": made.made_at, "told": encode(made).decode()}
    statement = dialect.insert(expectations).values(row).on_conflict_do_nothing()
    # psycopg tells of an insert's rows only when it is asked to
    told = connection.execute(statement, execution_options={"preserve_rowcount": True})
    return told.rowcount > 0


def of_patient(connection: sa.Connection, patient_key: str) -> list[Prediction]:
    """A patient's predictions, oldest study first."""
    query = sa.select(expectations.c.told).where(_of(keys_of(connection, patient_key)))
    found = [decode(told.encode(), Prediction) for told in connection.scalars(query)]
    return sorted(found, key=lambda one: (one.day, one.study_key))


def patients(connection: sa.Connection, newest: int | None = None) -> tuple[list[str], float]:
    """Keys of the patients of whom there are predictions.

    Args:
        connection: to the database.
        newest: only of so many newest ones; None for all.

    Returns:
        The keys, and since when (unix s) the predictions were made.
    """
    query = (
        sa.select(studies.c.patient_key, expectations.c.made_at)
        .join(expectations, expectations.c.study_key == studies.c.study_key)
        .order_by(expectations.c.made_at.desc())
        .limit(newest)
    )
    keys, since = set(), float("inf")
    for key, made_at in connection.execute(query):
        keys.add(key)
        since = min(since, made_at)
    return sorted(keys), since


def delete(connection: sa.Connection, keys: Collection[str]) -> int:
    """Delete the predictions of a patient's studies; returns how many they were."""
    return connection.execute(expectations.delete().where(_of(keys))).rowcount


def _of(keys: Collection[str]) -> sa.ColumnElement[bool]:
    """Of studies under these keys."""
    mine = sa.select(studies.c.study_key).where(studies.c.patient_key.in_(keys))
    return expectations.c.study_key.in_(mine)
