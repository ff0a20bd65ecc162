"""What running the workflows and looking at them have in common."""

import sqlite3

import sqlalchemy as sa
from dbos import DBOSPortableJSONSerializer

STUDIES = "studies"
"""The queue of studies."""
VERSION = "v1"
"""Of the workflows, not of the program: jobs of an older program go on after an upgrade."""
SERIALIZER = DBOSPortableJSONSerializer()
"""JSON; the default one would unpickle what the database holds."""

STATES = {
    "DELAYED": "waiting", "ENQUEUED": "queued", "PENDING": "running", "SUCCESS": "done",
    "ERROR": "dead", "CANCELLED": "cancelled", "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "dead",
}  # fmt: skip
"""What an administrator calls the states of a workflow."""


UNSETTLED = [status for status, state in STATES.items() if state != "done"]
"""Of a workflow whose study somebody may still want."""


def study_of(workflow_id: str) -> str:
    """The key of the study that a workflow is about."""
    return workflow_id.split(".")[1]


def queue(destination: str) -> str:
    """A queue for each destination, so that a slow or dead one holds nobody else up."""
    return f"deliver.{destination}"


def connections(database: sa.Engine) -> sa.Engine:
    """The same database as DBOS wants it: on SQLite it begins transactions by itself."""
    if database.dialect.name != "sqlite":
        return database
    engine = sa.create_engine(database.url)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout = 30000", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
