"""Names, states and database settings that running and inspecting workflows share."""

import logging
import sqlite3

import sqlalchemy as sa
from dbos import DBOSPortableJSONSerializer

log = logging.getLogger(__name__)

STUDIES = "studies"
"""The queue of studies."""
VERSION = "v1"
"""Version of the workflows, not of the program, so that jobs go on after an upgrade."""
WORKFLOWS = {"study": "study.v2", "deliver": "deliver.v1", "priors": "priors.v1"}
"""By kind of job the name of the workflow that a new one runs; older ones finish under theirs."""
SERIALIZER = DBOSPortableJSONSerializer()
"""JSON; the default one would unpickle what the database holds."""

STATES = {
    "DELAYED": "waiting", "ENQUEUED": "queued", "PENDING": "running", "SUCCESS": "done",
    "ERROR": "dead", "CANCELLED": "cancelled", "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "dead",
}  # fmt: skip
"""What an administrator calls the states of a workflow."""


STOPPED = [status for status, state in STATES.items() if state in ("dead", "cancelled")]
"""States of a workflow that goes on only when an administrator resumes it."""

UNSETTLED = [status for status, state in STATES.items() if state != "done"]
"""States of a workflow whose study may still be needed."""


def study_of(workflow_id: str) -> str:
    """The key of the study that a workflow is about."""
    return workflow_id.split(".")[1]


def queue(destination: str) -> str:
    """The queue of a destination; each has its own, so that a slow one delays no other."""
    return queue_of("deliver", destination)


def queue_of(kind: str, name: str) -> str:
    """The queue of a kind of job at a destination, or at a source of earlier studies."""
    return f"{kind}.{name}"


def connections(database: sa.Engine) -> sa.Engine:
    """The same database with the settings DBOS needs; on SQLite it begins transactions itself."""
    if database.dialect.name != "sqlite":
        return database
    engine = sa.create_engine(database.url)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout = 30000", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")

    sa.event.listen(engine, "handle_error", _as_locked)
    return engine


def _as_locked(context: sa.engine.ExceptionContext) -> None:
    """Show DBOS a full or faulty disk as a locked database, so that it waits as long as needed.

    Otherwise it would blame the step, whose work is done, and report the study as failed.
    """
    code = getattr(context.original_exception, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        log.error("the database cannot be written: work waits error=%s", context.original_exception)
        fault = sqlite3.OperationalError(f"database is locked: {context.original_exception}")
        raise sa.exc.OperationalError(context.statement, None, fault)
