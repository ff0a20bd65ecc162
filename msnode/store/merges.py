"""Merges of patients: a person says that two IDs are of one patient, and may take it back."""

import time
from collections.abc import Collection

import sqlalchemy as sa

from msnode.errors import MsnodeError
from msnode.store.database import patient_merges
from msnode.store.patients import are_one, merged_pairs


def merge(connection: sa.Connection, old_key: str, into_key: str, account: str) -> None:
    """Make the patients of two keys one, whatever of them is on record already.

    Args:
        connection: to the database.
        old_key: that is given up.
        into_key: that goes on.
        account: who says so.

    Raises:
        MsnodeError: they are one patient already, so that no circle comes about.
    """
    if are_one(connection, old_key, into_key):
        raise MsnodeError("these are one patient already")
    _record(connection, old_key, into_key, account, undone=False)


def undo(connection: sa.Connection, old_key: str, into_key: str, account: str) -> None:
    """Take a merge back; both patients have what came under their own IDs.

    Raises:
        MsnodeError: these two were not merged.
    """
    if {old_key, into_key} not in map(set, merged_pairs(connection)):
        raise MsnodeError("these two were not merged with each other")
    _record(connection, old_key, into_key, account, undone=True)


def was_undone(connection: sa.Connection, one: str, other: str) -> bool:
    """Whether the last that somebody said of these two keys is that they are not one patient."""
    columns = patient_merges.c
    pair = sa.and_(columns.old_key.in_((one, other)), columns.into_key.in_((one, other)))
    query = sa.select(columns.undone).where(pair).order_by(columns.number.desc()).limit(1)
    return bool(connection.scalar(query))


def _record(
    connection: sa.Connection, old_key: str, into_key: str, account: str, *, undone: bool
) -> None:
    connection.execute(
        patient_merges.insert().values(
            old_key=old_key,
            into_key=into_key,
            undone=undone,
            recorded_at=time.time(),
            recorded_by=account,
        )
    )


def forget_merges(connection: sa.Connection, keys: Collection[str]) -> None:
    """Delete all merges of these keys."""
    columns = patient_merges.c
    mine = sa.or_(columns.old_key.in_(keys), columns.into_key.in_(keys))
    connection.execute(patient_merges.delete().where(mine))
