"""Forget a study: its files, its rows and its jobs, as if it had never come."""

import logging
import shutil
from pathlib import Path

import sqlalchemy as sa

from msnode.database import instances, receipts, results, studies
from msnode.engine import Jobs
from msnode.errors import MsnodeError
from msnode.files import fsync
from msnode.records import key

log = logging.getLogger(__name__)

TABLES = (receipts, results, instances, studies)
"""With rows of a study; the others refer to the last."""


def forget(database: sa.Engine, folder: Path, study_instance_uid: str) -> int:
    """Delete what a node keeps of a study, beside a running node or without.

    Files go first: rows that a crash leaves are deleted by the next call, while files without rows
    would be taken in again at the node's next start.

    Args:
        database: migrated.
        folder: the data folder.
        study_instance_uid: PS3.3 C.7.2.1.

    Returns:
        Number of instances deleted.

    Raises:
        MsnodeError: there is no such study; it is being analysed or its results are being
            delivered; or a file cannot be deleted.
    """
    study = key(study_instance_uid)
    with database.begin() as connection:
        _check(connection, folder, study)
    if Jobs.exist(database):
        Jobs(database).forget(study)
    with database.begin() as connection:
        _check(connection, folder, study)  # an image may have come since
        _delete_files(folder, study)
        counts = [
            connection.execute(table.delete().where(table.c.study_key == study)).rowcount
            for table in TABLES
        ]
    log.info("study forgotten study=%s instances=%d", study, counts[TABLES.index(instances)])
    return counts[TABLES.index(instances)]


def _folders(folder: Path, study: str) -> list[Path]:
    """Where files of a study are."""
    return [folder / kind / study for kind in ("instances", "work")]


def _check(connection: sa.Connection, folder: Path, study: str) -> None:
    """Whether a study can be forgotten now; its row stays locked until the transaction ends."""
    query = sa.select(studies.c.state).where(studies.c.study_key == study).with_for_update()
    state = connection.scalar(query)
    if state is None and not any(path.exists() for path in _folders(folder, study)):
        raise MsnodeError("there is no study of this StudyInstanceUID here")
    if state == "queued":
        raise MsnodeError(
            f"study {study} is being analysed: wait for `msnode jobs drain`, or stop its job with "
            "`msnode jobs cancel` and try again"
        )


def _delete_files(folder: Path, study: str) -> None:
    """Delete the study's folders, durably."""
    try:
        for path in _folders(folder, study):
            if path.exists():
                shutil.rmtree(path)
                fsync(path.parent)
    except OSError as error:
        raise MsnodeError(
            f"study {study} is not deleted: {error.strerror}: {error.filename}; remove the cause "
            "and try again"
        ) from error
