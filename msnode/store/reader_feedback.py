"""The tables of what readers say of results: rows are only added."""

import json
import time
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from msnode.records.feedback import AddedPlace, Feedback, Verdict, standing
from msnode.store.files import structure
from msnode.store.page_tables import feedback, verdicts


def add(connection: sa.Connection, one: Feedback) -> int:
    """Add what a reader said; returns its number."""
    row = asdict(one) | {"place": json.dumps(asdict(one.place)) if one.place is not None else None}
    del row["number"]
    number: int = connection.execute(
        feedback.insert().returning(feedback.c.number), row
    ).scalar_one()
    return number


def of_study(connection: sa.Connection, study_key: str) -> list[Feedback]:
    """All that was said of a study's results, in order."""
    return of_studies(connection, [study_key])


def of_studies(connection: sa.Connection, study_keys: Collection[str]) -> list[Feedback]:
    """All that was said of some studies' results, in order."""
    mine = feedback.c.study_key.in_(study_keys)
    query = sa.select(feedback).where(mine).order_by(feedback.c.number)
    return [_feedback(row) for row in connection.execute(query).mappings()]


def every(connection: sa.Connection) -> list[Feedback]:
    """All that was said of any study, in order."""
    query = sa.select(feedback).order_by(feedback.c.number)
    return [_feedback(row) for row in connection.execute(query).mappings()]


def finish(
    connection: sa.Connection, study_key: str, generation: int, account: str, *, sends: bool = False
) -> Verdict:
    """A reader has finished with a result: what stands now is kept as it is now.

    Args:
        connection: in a transaction.
        study_key: of the study.
        generation: of the result.
        account: of the reader.
        sends: whether it is to be sent to the destinations (`waiting`).
    """
    said = [one for one in of_study(connection, study_key) if one.generation == generation]
    stands = standing(said)
    now = time.time()
    row = {
        "study_key": study_key, "generation": generation, "given_at": now, "given_by": account,
        "told": json.dumps([asdict(one) for one in stands]), "waiting": sends,
    }  # fmt: skip
    number = connection.execute(verdicts.insert().returning(verdicts.c.number), row).scalar_one()
    return Verdict(number, study_key, generation, now, account, tuple(stands))


def verdicts_of(connection: sa.Connection, study_keys: Collection[str]) -> list[Verdict]:
    """The verdicts on some studies' results, in order."""
    mine = verdicts.c.study_key.in_(study_keys)
    query = sa.select(verdicts).where(mine).order_by(verdicts.c.number)
    return [_verdict(row) for row in connection.execute(query).mappings()]


def every_verdict(connection: sa.Connection) -> list[Verdict]:
    """All verdicts of the pages, in order."""
    query = sa.select(verdicts).order_by(verdicts.c.number)
    return [_verdict(row) for row in connection.execute(query).mappings()]


def waiting(connection: sa.Connection, most: int) -> list[Verdict]:
    """Verdicts that are to be sent and were not handed over yet, the oldest first."""
    query = sa.select(verdicts).where(verdicts.c.waiting).order_by(verdicts.c.number).limit(most)
    return [_verdict(row) for row in connection.execute(query).mappings()]


def settle(connection: sa.Connection, number: int) -> None:
    """A verdict waits no more."""
    this = verdicts.c.number == number
    connection.execute(verdicts.update().where(this).values(waiting=False))


def _feedback(row: sa.RowMapping) -> Feedback:
    place = structure(json.loads(row["place"]), AddedPlace) if row["place"] else None
    return Feedback(**{**row, "place": place})


def _verdict(row: sa.RowMapping) -> Verdict:
    content: dict[str, Any] = dict(row)
    told = json.loads(content.pop("told"))
    del content["waiting"]
    return Verdict(**content, stood=tuple(structure(one, Feedback) for one in told))
