"""What shadow bundles say of studies, in the database: who waits, whose turn it is, what came.

The table is the queue. A row is entered once a result is on record, so nothing that leads to a
result knows of it; its key (study, generation, shadow, digest) makes it impossible that a study is
compared twice. A row that is taken names its host, which gives it back when it starts again.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from msnode.store.database import StudyState, instances, results, studies
from msnode.store.shadow_tables import shadow_results

BATCH = 500
"""Rows that are entered at once: others may wait to write."""
MOST_ATTEMPTS = 3
"""Attempts that may end without a word, as the host lost its power, say."""
LOST_S = 86400.0
"""A host that has worked so long on one study will not come back to it."""

_HERE = sa.and_(
    instances.c.study_key == results.c.study_key, instances.c.generation <= results.c.generation
)


class State(StrEnum):
    """Where the comparison of one study stands."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPARED = "compared"
    FAILED = "failed"
    """The shadow crashed, took too much memory or time, or met an error."""
    GONE = "gone"
    """Retention had deleted the images before its turn came."""
    DROPPED = "dropped"
    """More studies waited than may."""


OPEN = (State.WAITING, State.RUNNING)
ENDS = (State.COMPARED, State.FAILED, State.GONE, State.DROPPED)


@dataclass(frozen=True, slots=True)
class ShadowModel:
    """A shadow bundle.

    Attributes:
        name: as in the configuration.
        version: name and version of the bundle.
        digest: of the bundle.
    """

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A study whose turn it is."""

    study_key: str
    generation: int
    shadow: str
    digest: str
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class ShadowRow:
    """One comparison, as the table has it."""

    study_key: str
    generation: int
    shadow: str
    shadow_digest: str
    shadow_version: str
    digest_in_force: str
    outcome_in_force: str
    probability_in_force: float | None
    state: State
    outcome: str | None
    probability: float | None
    detail: str
    seconds: float | None
    result_at: float


def enter(connection: sa.Connection, model: ShadowModel, since: float) -> int:
    """Enter results of brain MRI whose images are still here, the newest first; returns how many.

    Args:
        connection: in a transaction.
        model: the shadow.
        since: only results that were made since then, unix s.
    """
    mine = sa.and_(
        shadow_results.c.study_key == results.c.study_key,
        shadow_results.c.generation == results.c.generation,
        shadow_results.c.shadow == model.name,
        shadow_results.c.shadow_digest == model.digest,
    )
    values = {
        "study_key": results.c.study_key, "generation": results.c.generation,
        "shadow": sa.literal(model.name), "shadow_digest": sa.literal(model.digest),
        "shadow_version": sa.literal(model.version), "digest_in_force": results.c.model_digest,
        "outcome_in_force": results.c.outcome, "probability_in_force": results.c.probability,
        "state": sa.literal(State.WAITING.value), "attempts": sa.literal(0),
        "detail": sa.literal(""), "result_at": results.c.created_at,
        "updated_at": sa.literal(time.time()),
    }  # fmt: skip
    found = (
        sa.select(*values.values())
        .where(results.c.created_at >= since, results.c.route.is_(None))
        .where(sa.exists().where(_HERE), ~sa.exists().where(mine))
        .order_by(results.c.created_at.desc())
        .limit(BATCH)
    )
    return connection.execute(shadow_results.insert().from_select(list(values), found)).rowcount


def drop_beyond(connection: sa.Connection, model: ShadowModel, most: int, host: str) -> int:
    """Of a shadow's waiting studies, end the oldest beyond a number; returns how many."""
    waiting = _of(model.name, model.digest, State.WAITING)
    newest = sa.select(shadow_results.c.result_at).where(waiting)
    newest = newest.order_by(shadow_results.c.result_at.desc()).offset(most).limit(1)
    before = connection.scalar(newest)
    if before is None:
        return 0
    ended = shadow_results.update().where(waiting, shadow_results.c.result_at <= before)
    why = f"more than {most} studies waited"
    return connection.execute(ended.values(_ended(State.DROPPED, why) | {"host": host})).rowcount


def is_busy(connection: sa.Connection, quiet_s: float) -> bool:
    """Whether a study waits or is worked on, or has just come and may be worked on ahead."""
    queued = sa.select(studies.c.study_key).where(studies.c.state == StudyState.QUEUED).limit(1)
    fresh = (
        sa.select(studies.c.study_key)
        .join_from(studies, instances, instances.c.study_key == studies.c.study_key)
        .where(studies.c.state == StudyState.RECEIVING)
        .where(instances.c.generation.is_(None), instances.c.received_at > time.time() - quiet_s)
        .limit(1)
    )
    return any(connection.scalar(query) is not None for query in (queued, fresh))


def take(connection: sa.Connection, models: Sequence[ShadowModel], host: str) -> Turn | None:
    """The study that has waited longest, for this host; None where none waits.

    Args:
        connection: in a transaction.
        models: the shadows that can be asked.
        host: that works on it from now on.
    """
    mine = [_of(one.name, one.digest, State.WAITING) for one in models]
    query = (
        sa.select(shadow_results)
        .where(sa.or_(*mine) if mine else sa.false())
        .order_by(shadow_results.c.result_at, shadow_results.c.study_key, shadow_results.c.shadow)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    turn = Turn(row.study_key, row.generation, row.shadow, row.shadow_digest, row.attempts)
    values = {"state": State.RUNNING, "host": host, "updated_at": time.time()}
    taken = shadow_results.update().where(_this(turn, State.WAITING)).values(values)
    return turn if connection.execute(taken).rowcount else None


def give_back(connection: sa.Connection, turn: Turn) -> None:
    """A study waits again, as if its turn had not come."""
    values = {"state": State.WAITING, "host": None, "updated_at": time.time()}
    connection.execute(shadow_results.update().where(_this(turn, State.RUNNING)).values(values))


def settle(
    connection: sa.Connection,
    turn: Turn,
    state: State,
    *,
    outcome: str | None = None,
    probability: float | None = None,
    detail: str = "",
    seconds: float | None = None,
) -> bool:
    """Put on record what came of it; False where the study was forgotten meanwhile."""
    said = {"outcome": outcome, "probability": probability, "seconds": seconds}
    values = _ended(state, detail) | said
    ended = shadow_results.update().where(_this(turn, State.RUNNING)).values(values)
    return bool(connection.execute(ended).rowcount)


def recover(connection: sa.Connection, host: str) -> int:
    """Give back what this host had begun when it ended, or another one long ago.

    A study that was begun too often without a word counts as the cause. Returns how many there are.
    """
    columns = shadow_results.c
    lost = sa.or_(columns.host == host, columns.updated_at < time.time() - LOST_S)
    begun = sa.and_(columns.state == State.RUNNING, lost)
    why = f"{MOST_ATTEMPTS} attempts ended without a word"
    given_up = shadow_results.update().where(begun, columns.attempts >= MOST_ATTEMPTS - 1)
    ended = connection.execute(given_up.values(_ended(State.FAILED, why))).rowcount
    again = {"state": State.WAITING, "host": None, "attempts": columns.attempts + 1}
    return ended + connection.execute(shadow_results.update().where(begun).values(again)).rowcount


def counts(connection: sa.Connection) -> dict[State, int]:
    """How many rows are in each state."""
    columns = shadow_results.c
    query = sa.select(columns.state, sa.func.count()).group_by(columns.state)
    return {State(row[0]): row[1] for row in connection.execute(query)}


def ended_since(
    connection: sa.Connection, host: str, since: float
) -> list[tuple[State, float | None, float]]:
    """What a host has ended after a moment (unix s): how, in how many seconds, and when."""
    columns = shadow_results.c
    query = (
        sa.select(columns.state, columns.seconds, columns.updated_at)
        .where(columns.state.in_(ENDS), columns.host == host, columns.updated_at > since)
        .order_by(columns.updated_at)
    )
    return [(State(row[0]), row[1], row[2]) for row in connection.execute(query)]


def every(connection: sa.Connection, since: float = 0.0) -> list[ShadowRow]:
    """All rows of results that were made since a moment (unix s), the oldest first."""
    columns = shadow_results.c
    names = ShadowRow.__dataclass_fields__
    query = sa.select(*(columns[name] for name in names)).where(columns.result_at >= since)
    query = query.order_by(columns.result_at, columns.study_key, columns.generation, columns.shadow)
    rows = connection.execute(query).mappings()
    return [ShadowRow(**{**row, "state": State(row["state"])}) for row in rows]


def _of(name: str, digest: str, state: State) -> sa.ColumnElement[bool]:
    columns = shadow_results.c
    return sa.and_(columns.state == state, columns.shadow == name, columns.shadow_digest == digest)


def _this(turn: Turn, state: State) -> sa.ColumnElement[bool]:
    columns = shadow_results.c
    return sa.and_(
        columns.study_key == turn.study_key,
        columns.generation == turn.generation,
        _of(turn.shadow, turn.digest, state),
    )


def _ended(state: State, detail: str) -> dict[str, Any]:
    return {"state": state, "detail": detail, "updated_at": time.time()}
