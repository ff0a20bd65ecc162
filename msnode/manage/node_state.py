"""The state of a node by its database and its disk, whether it runs or not."""

import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from msnode.engine.jobs import Counts
from msnode.receive.inbox.redo import PRIORS, REDO
from msnode.store.database import StudyState, instances, receipts, results, studies
from msnode.store.disk_space import DiskSpace, Level
from msnode.store.for_reading import for_reading
from msnode.store.hl7_tables import hl7_messages
from msnode.store.message_log import Outcome

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Times of several studies, s; None where there is none."""

    number: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Disk:
    """Room for what the node keeps, bytes."""

    free: int
    total: int
    level: Level


@dataclass(frozen=True, slots=True)
class NodeState:
    """What there is to do, and what was done.

    Attributes:
        receiving: studies that images come of.
        images_today: images that came since midnight; of studies that are complete, those of the
            days on which they became so.
        queued: studies that are being analysed or wait for that.
        delivered_today: results by destination, delivered since midnight.
        quarantined: files and messages that wait for a person.
        to_result: from a study's last image to its result, last day.
        to_delivery: to the last destination that has all of it.
    """

    at: float
    receiving: int
    images_today: int
    queued: int
    delivered_today: dict[str, int]
    quarantined: int
    disk: Disk
    to_result: Spread
    to_delivery: Spread


class StateReader:
    """Reads it.

    Args:
        database: migrated.
        data: the data folder.
        room: its limits.
    """

    def __init__(self, database: sa.Engine, data: Path, room: DiskSpace) -> None:
        self._database = for_reading(database)
        self._data = data
        self._room = room

    def read(self) -> NodeState:
        """The state now."""
        now = time.time()
        midnight = time.mktime((*time.localtime(now)[:3], 0, 0, 0, 0, 0, -1))
        with self._database.connect() as connection:
            count = sa.select(studies.c.state, sa.func.count()).group_by(studies.c.state)
            states: dict[str, int] = {row[0]: row[1] for row in connection.execute(count)}
            return NodeState(
                at=now,
                receiving=states.get(StudyState.RECEIVING, 0),
                images_today=_images(connection, midnight),
                queued=states.get(StudyState.QUEUED, 0),
                delivered_today=_delivered(connection, midnight),
                quarantined=_refused(connection) + _files(self._data / "quarantine"),
                disk=self._disk(),
                to_result=_to_result(connection, now - DAY_S),
                to_delivery=_to_delivery(connection, now - DAY_S),
            )

    def _disk(self) -> Disk:
        level = self._room.level()
        return Disk(self._room.free_bytes(), shutil.disk_usage(self._data).total, level)


def stopped(counts: Counts) -> int:
    """Jobs that go on only when somebody wants it."""
    return counts.by_state.get("dead", 0) + counts.by_state.get("cancelled", 0)


def _images(connection: sa.Connection, since: float) -> int:
    """Those that came of studies with news; the index leads from a study to its images."""
    fresh = sa.select(studies.c.study_key).where(
        sa.or_(studies.c.last_at >= since, studies.c.state == StudyState.RECEIVING)
    )
    query = sa.select(sa.func.count()).where(
        instances.c.study_key.in_(fresh), instances.c.received_at >= since
    )
    return connection.scalar(query) or 0


def _delivered(connection: sa.Connection, since: float) -> dict[str, int]:
    columns = receipts.c
    one = sa.select(columns.destination, columns.study_key, columns.generation).where(
        columns.delivered, columns.updated_at >= since
    )
    each = one.distinct().subquery()
    query = sa.select(each.c.destination, sa.func.count()).group_by(each.c.destination)
    return {row[0]: row[1] for row in connection.execute(query)}


def _refused(connection: sa.Connection) -> int:
    wanted = hl7_messages.c.outcome == Outcome.REFUSED
    query = sa.select(sa.func.count()).select_from(hl7_messages).where(wanted)
    return connection.scalar(query) or 0


def _files(folder: Path) -> int:
    return sum(1 for path in folder.glob("*/*") if path.is_file())


_ITS_STUDY = sa.and_(
    studies.c.study_key == results.c.study_key, studies.c.generation == results.c.generation
)
_FOR_IMAGES = sa.or_(studies.c.completion.is_(None), studies.c.completion.not_in((REDO, PRIORS)))
"""A result that was made again for another reason says nothing about how fast the node is."""


def _to_result(connection: sa.Connection, since: float) -> Spread:
    seconds = results.c.created_at - studies.c.last_at
    query = sa.select(seconds).join(studies, _ITS_STUDY)
    return _spread(
        connection.scalars(query.where(results.c.created_at >= since, _FOR_IMAGES)).all()
    )


def _to_delivery(connection: sa.Connection, since: float) -> Spread:
    this = sa.and_(
        receipts.c.study_key == results.c.study_key, receipts.c.generation == results.c.generation
    )
    query = (
        sa.select(sa.func.max(receipts.c.updated_at) - studies.c.last_at)
        .select_from(results)
        .join(studies, _ITS_STUDY)
        .join(receipts, sa.and_(this, receipts.c.delivered))
        .where(results.c.created_at >= since, _FOR_IMAGES)
        .group_by(results.c.study_key, results.c.generation, studies.c.last_at)
    )
    return _spread(connection.scalars(query).all())


def _spread(seconds: Sequence[float]) -> Spread:
    """Median and 95th centile, each a time that was measured."""
    if not seconds:
        return Spread(0, None, None)
    known = sorted(max(0.0, one) for one in seconds)
    p95 = known[min(len(known) - 1, round(0.95 * (len(known) - 1)))]
    return Spread(len(known), statistics.median_low(known), p95)
