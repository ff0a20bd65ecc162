"""Forget a study: its files, its rows and its jobs, as if it had never come."""

import logging
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from msnode import audit
from msnode.engine.jobs import Jobs
from msnode.errors import MsnodeError
from msnode.records.uid_hash import study_key
from msnode.retention.expiry import patient_id
from msnode.retention.fetched_expiry import hand_over, only_for
from msnode.store import message_log
from msnode.store.clinical_searches import clinical_searches, forget_searches, pause_searches
from msnode.store.database import (
    StudyState,
    clinical_events,
    commitments,
    expectations,
    instances,
    patient_merges,
    prior_searches,
    prior_studies,
    receipts,
    results,
    senders,
    studies,
)
from msnode.store.evidence_tables import judgements, study_values
from msnode.store.files import fsync
from msnode.store.hl7_tables import hl7_messages, orders
from msnode.store.merges import forget_merges
from msnode.store.message_log import forget_messages
from msnode.store.orders import forget_orders
from msnode.store.page_tables import feedback, study_labels, verdicts
from msnode.store.patients import keys_of
from msnode.store.shadow_tables import shadow_results
from msnode.twin.clinical import event_store
from msnode.twin.expect import prediction_store

log = logging.getLogger(__name__)

TABLES = (
    *(senders, commitments, receipts, expectations, prior_studies, prior_searches, results),
    *(study_labels, feedback, verdicts, judgements, study_values, shadow_results),
    *(instances, studies),
)
"""With rows of a study; the others refer to the last."""
KINDS = ("instances", "work", "quarantine", "visits", "fetched", "shadow")
"""Folders with files of a study."""
PREDICTIONS = (
    "DELETE FROM expectations WHERE study_key IN "
    "(SELECT study_key FROM studies WHERE patient_key = ?)"
)
"""Of a patient, in a copy of the database."""


def forget(database: sa.Engine, folder: Path, uid: str, trail: audit.Trail = audit.SILENT) -> int:
    """Delete what a node keeps of a study, beside a running node or without.

    With it go earlier studies that were fetched for it, unless they serve another one, and all
    predictions of the patient, which were made from it or may have been; with the patient's last
    study go his clinical events and what was told of him by HL7 v2: what nobody finds any more is
    not kept.

    Files go first: rows that a crash leaves are deleted by the next call, while files without rows
    would be taken in again at the node's next start.

    Args:
        database: migrated.
        folder: the data folder.
        uid: StudyInstanceUID (PS3.3 C.7.2.1), or the study's key as in logs and job IDs.
        trail: hears of it.

    Returns:
        Number of instances deleted.

    Raises:
        MsnodeError: there is no such study; it is being analysed or its results are being
            delivered; or a file cannot be deleted.
    """
    study = study_key(uid)
    with database.begin() as connection:
        _check(connection, folder, study)
    if Jobs.exist(database):
        Jobs(database).forget(study)
    with database.begin() as connection:
        _check(connection, folder, study)  # an image may have come since
        whose = _identity(connection, folder, study)
        patient = _keys(connection, study)
        keys = _if_last(connection, study, patient)
        _delete_files(folder, study, keys, patient)
        fetched = only_for(connection, study)
        for prior in fetched:
            _delete_files(folder, prior, (), ())
        hand_over(connection, study)
        of_them = prior_studies.c.prior_key.in_([study, *fetched])
        connection.execute(prior_studies.delete().where(of_them))
        forget_searches(connection, keys)  # first: a search under way must not add some meanwhile
        event_store.delete(connection, keys)
        forget_messages(connection, keys)
        forget_orders(connection, keys, study)
        prediction_store.delete(connection, patient)
        forget_merges(connection, keys)
        counts = [
            connection.execute(table.delete().where(table.c.study_key == study)).rowcount
            for table in TABLES
        ]
    trail.deleted(*whose)
    log.info("study forgotten study=%s instances=%d", study, counts[TABLES.index(instances)])
    return counts[TABLES.index(instances)]


def kept(database: sa.Engine, folder: Path, uid: str) -> dict[str, int]:
    """What `forget` would delete: rows by table, files, and their bytes; nothing is touched.

    Raises:
        MsnodeError: there is no such study, or it cannot be forgotten now.
    """
    study = study_key(uid)
    with database.begin() as connection:
        _check(connection, folder, study)
        rows = {
            table.name: connection.scalar(
                sa.select(sa.func.count()).where(table.c.study_key == study)
            )
            or 0
            for table in TABLES
        }
        keys = _if_last(connection, study, _keys(connection, study))
        rows[clinical_events.name] = event_store.number(connection, keys)
        rows["told"] = message_log.number(connection, keys)
    places = _folders(folder, study)
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    return rows | {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}


def told_of(connection: sa.Connection, patient_key: str) -> tuple[int, int]:
    """How many clinical events of a patient there are, and how many HL7 v2 messages and orders."""
    keys = keys_of(connection, patient_key)
    return event_store.number(connection, keys), message_log.number(connection, keys)


def forget_events(database: sa.Engine, folder: Path, patient_key: str) -> int:
    """Delete a patient's clinical events, also in copies of the database; studies stay.

    Predictions, which were made from them, go as well, and messages and orders by HL7 v2.

    Returns:
        Number of events deleted.

    Raises:
        MsnodeError: there are none, or a copy cannot be changed.
    """
    with database.begin() as connection:
        keys = keys_of(connection, patient_key)
        is_told = forget_messages(connection, keys) + forget_orders(connection, keys)
        if not (is_told or event_store.number(connection, keys)):
            raise MsnodeError("there is no clinical event of this patient here")
        _forget_in_copies(folder, None, keys, keys)
        pause_searches(connection, keys)  # first: a search under way must not add some meanwhile
        count = event_store.delete(connection, keys)
        prediction_store.delete(connection, keys)
        if not connection.scalar(sa.select(sa.exists().where(studies.c.patient_key.in_(keys)))):
            forget_merges(connection, keys)
    log.info("clinical events forgotten events=%d", count)
    return count


def _if_last(connection: sa.Connection, study: str, keys: list[str]) -> list[str]:
    """The patient's keys, if this is the last study of the patient; nothing otherwise."""
    others = sa.select(studies.c.study_key).where(
        studies.c.patient_key.in_(keys), studies.c.study_key != study
    )
    return [] if connection.scalars(others.limit(1)).first() else keys


def _keys(connection: sa.Connection, study: str) -> list[str]:
    """The keys of a study's patient."""
    patient = sa.select(studies.c.patient_key).where(studies.c.study_key == study)
    return keys_of(connection, connection.scalar(patient) or "")


def _folders(folder: Path, study: str) -> list[Path]:
    """Where files of a study are."""
    return [folder / kind / study for kind in KINDS]


def _identity(connection: sa.Connection, folder: Path, study: str) -> tuple[str, str]:
    """StudyInstanceUID and PatientID, as far as they can still be told."""
    uid = sa.select(studies.c.study_instance_uid).where(studies.c.study_key == study)
    image = next((folder / "instances" / study).glob("*"), None)
    return connection.scalar(uid) or "", patient_id(image) if image is not None else ""


def _check(connection: sa.Connection, folder: Path, study: str) -> None:
    """Whether a study can be forgotten now; its row stays locked until the transaction ends."""
    query = sa.select(studies.c.state).where(studies.c.study_key == study).with_for_update()
    state = connection.scalar(query)
    if state is None and not any(path.exists() for path in _folders(folder, study)):
        raise MsnodeError("there is no study of this StudyInstanceUID here")
    if state == StudyState.QUEUED:
        raise MsnodeError(
            f"study {study} is being analysed: wait for `msnode jobs drain`, or stop its job with "
            "`msnode jobs cancel` and try again"
        )


def _delete_files(
    folder: Path, study: str, keys: Collection[str], patient: Collection[str]
) -> None:
    """Delete the study's folders, and its rows in copies of the database, durably."""
    _forget_in_copies(folder, study, keys, patient)
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


def _forget_in_copies(
    folder: Path, study: str | None, keys: Collection[str], patient: Collection[str]
) -> None:
    """Delete a study's rows, events and predictions in all copies of the database.

    Args:
        folder: the data folder.
        study: key of the study; None for no study.
        keys: of the patient whose events go.
        patient: keys of the patient whose predictions go.
    """
    what = f"study {study} is" if study else "the events are"
    try:
        for copy in folder.glob("*.bak"):
            _forget_in_copy(copy, study, keys, patient)
    except sqlite3.Error as error:
        raise MsnodeError(
            f"{what} not deleted from a copy of the database (*.bak): {error}; delete "
            "the copy and try again"
        ) from error


def _forget_in_copy(
    path: Path, study: str | None, keys: Collection[str], patient: Collection[str]
) -> None:
    """Delete rows in a SQLite database of an earlier version, whatever its tables."""
    with closing(sqlite3.connect(path)) as copy:
        copy.execute("PRAGMA secure_delete = ON")
        tables = copy.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        if (expectations.name,) in tables:  # before the rows that tell whose they are
            mine = ((key,) for key in patient)
            copy.executemany(PREDICTIONS, mine)
        for (table,) in tables:
            columns = {row[1] for row in copy.execute(f"PRAGMA table_info({table})")}
            if table in (clinical_events.name, clinical_searches.name):
                mine = ((key,) for key in keys)
                copy.executemany(f"DELETE FROM {table} WHERE patient_key = ?", mine)  # noqa: S608
            elif table == hl7_messages.name:
                mine = ((key,) for key in keys)
                copy.executemany(f"DELETE FROM {table} WHERE ? IN (patient_key, other_key)", mine)  # noqa: S608
            elif table == orders.name:
                mine = ((key,) for key in keys)
                copy.executemany(f"DELETE FROM {table} WHERE patient_key = ?", mine)  # noqa: S608
            elif table == patient_merges.name:
                mine = ((key,) for key in keys)
                copy.executemany(f"DELETE FROM {table} WHERE ? IN (old_key, into_key)", mine)  # noqa: S608
            elif study is None:
                continue
            elif "study_key" in columns:
                copy.execute(f"DELETE FROM {table} WHERE study_key = ?", (study,))  # noqa: S608
                if "prior_key" in columns:
                    copy.execute(f"DELETE FROM {table} WHERE prior_key = ?", (study,))  # noqa: S608
            elif "workflow_uuid" in columns:  # of the engine; its IDs hold the study's key
                like = f"%.{study}.%"
                copy.execute(f"DELETE FROM {table} WHERE workflow_uuid LIKE ?", (like,))  # noqa: S608
        copy.commit()
