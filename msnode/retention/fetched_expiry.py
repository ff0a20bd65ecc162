"""What is deleted of earlier studies that were fetched: images nobody needs, and old visits."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from msnode.store.database import prior_studies, studies
from msnode.store.files import fsync
from msnode.store.prior_searches import Fate

DAY_S = 86400.0
IMAGES, VISITS = "fetched", "visits"
"""Folders in the data folder."""
USED = (Fate.HERE, Fate.ASKED, Fate.KEPT, Fate.UNUSABLE)
"""What of a search may have left files."""

_SENT = sa.exists().where(studies.c.study_key == prior_studies.c.prior_key)
"""Of a study that was sent here as well: its visit goes by the rule for studies."""


def idle_images(folder: Path) -> Iterator[tuple[str, float]]:
    """Studies whose images nobody took within a day, with the time of the last one, unix s.

    They go once their visit is kept; what is left came late, or not whole.
    """
    for place in sorted((folder / IMAGES).glob("*")):
        newest = max((path.stat().st_ctime for path in (place, *place.iterdir())), default=0.0)
        if newest < time.time() - DAY_S:
            yield place.name, newest


def old_visits(connection: sa.Connection, days: float) -> list[tuple[str, float]]:
    """Studies that were fetched, and since when their visits are kept, unix s."""
    columns = prior_studies.c
    since = sa.func.max(columns.kept_at)
    query = (
        sa.select(columns.prior_key, since)
        .where(columns.state == Fate.KEPT, ~_SENT)
        .group_by(columns.prior_key)
        .having(since < time.time() - days * DAY_S)
        .order_by(since)
    )
    return [(key, at) for key, at in connection.execute(query)]


def delete_visit(connection: sa.Connection, folder: Path, prior_key: str) -> None:
    """The visit of a study that was fetched; the row says that there was one."""
    mine = sa.and_(prior_studies.c.prior_key == prior_key, prior_studies.c.state == Fate.KEPT)
    connection.execute(prior_studies.update().where(mine).values(state=Fate.DELETED))
    remove(folder / VISITS / prior_key)


def only_for(connection: sa.Connection, study_key: str) -> list[str]:
    """Keys of studies that were fetched for this one, and serve no other."""
    columns, other = prior_studies.c, prior_studies.alias()
    serves = sa.exists().where(
        other.c.prior_key == columns.prior_key,
        other.c.study_key != study_key,
        other.c.state.in_(USED),
    )
    query = sa.select(columns.prior_key).where(
        columns.study_key == study_key, columns.state.in_(USED), ~_SENT, ~serves
    )
    return sorted(set(connection.scalars(query)))


def hand_over(connection: sa.Connection, study_key: str) -> None:
    """Visits that were fetched for a study and serve others are theirs from now on."""
    columns = prior_studies.c
    kept = sa.select(columns.prior_key, columns.kept_at, columns.patient_key).where(
        columns.study_key == study_key, columns.state == Fate.KEPT
    )
    for row in connection.execute(kept).all():
        others = (
            columns.prior_key == row.prior_key,
            columns.study_key != study_key,
            columns.state == Fate.HERE,
        )
        values = {"state": Fate.KEPT, "kept_at": row.kept_at, "patient_key": row.patient_key}
        connection.execute(prior_studies.update().where(*others).values(values))


def remove(place: Path) -> None:
    """Delete a folder, durably, if it is there."""
    if place.exists():
        shutil.rmtree(place)
        fsync(place.parent)
