"""The table of what is said of results from outside: rows are only added."""

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from msnode.records.judgement import Judgement
from msnode.store.database import instances, receipts
from msnode.store.evidence_tables import judgements

SOME = 500
"""Identities of one query."""


def add(connection: sa.Connection, rows: Iterable[Judgement]) -> int:
    """Add what is not on record yet; returns how many were not. The same again does nothing."""
    wanted = {one.identity: one for one in rows}
    fresh = [one for key, one in wanted.items() if key not in known(connection, wanted)]
    if fresh:
        told = [asdict(one) | {"replaces": json.dumps(one.replaces)} for one in fresh]
        connection.execute(judgements.insert(), told)
    return len(fresh)


def known(connection: sa.Connection, identities: Collection[str]) -> set[str]:
    """Which of these are on record."""
    wanted, found = sorted(identities), set[str]()
    for begin in range(0, len(wanted), SOME):
        some = judgements.c.identity.in_(wanted[begin : begin + SOME])
        found |= set(connection.scalars(sa.select(judgements.c.identity).where(some)))
    return found


def every(connection: sa.Connection) -> list[Judgement]:
    """All that were told, the oldest first; not what is about no result of ours."""
    ours = judgements.c.state != "unrelated"
    order = judgements.c.given_at, judgements.c.identity
    query = sa.select(judgements).where(ours).order_by(*order)
    return [_judgement(row) for row in connection.execute(query).mappings()]


def states(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """How many documents there are of each state and reason."""
    columns = judgements.c.state, judgements.c.why
    query = sa.select(*columns, sa.func.count()).where(judgements.c.source == "sr")
    return {(state, why): n for state, why, n in connection.execute(query.group_by(*columns))}


def unread(
    connection: sa.Connection, classes: Collection[str], after: int, most: int
) -> list[sa.Row[Any]]:
    """Documents that were received and not looked at yet, the oldest first.

    Of several contents under one SOPInstanceUID the first counts.

    Args:
        connection: of the database.
        classes: SOP Class UIDs of documents.
        after: number of a row; what came before has been looked at.
        most: so many at most.
    """
    of = instances.c
    query = (
        sa.select(of.study_key, of.sop_instance_uid, of.path, of.received_at)
        .outerjoin(judgements, judgements.c.identity == of.sop_instance_uid)
        .where(of.id > after, of.sop_class_uid.in_(classes), ~of.conflict)
        .where(judgements.c.identity.is_(None))
        .order_by(of.id)
        .limit(most)
    )
    return list(connection.execute(query))


def results_of(connection: sa.Connection, uids: Collection[str]) -> dict[str, int]:
    """The newest generation of each study of whose results some of these objects are.

    Args:
        connection: of the database.
        uids: SOPInstanceUIDs that a document refers to.

    Returns:
        By study key.
    """
    found: dict[str, int] = {}
    wanted = sorted(uids)
    for begin in range(0, len(wanted), SOME):
        some = receipts.c.sop_instance_uid.in_(wanted[begin : begin + SOME])
        for key, generation in connection.execute(
            sa.select(receipts.c.study_key, receipts.c.generation).where(some)
        ):
            found[key] = max(generation, found.get(key, 0))
    return found


def _judgement(row: sa.RowMapping) -> Judgement:
    return Judgement(**{**row, "replaces": tuple(json.loads(row["replaces"]))})
