"""The one database: its tables and how it is opened.

SQLite (default) and PostgreSQL get the same statements, so nothing here may be peculiar to one.
"""

import logging
import sqlite3
import time
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, String, Text

from msnode.store.private import make_private_file

log = logging.getLogger(__name__)

SQLITE_PATIENCE_S = 30
"""So long a connection waits for another writer."""
PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=15s",
}
"""With PostgreSQL, both sides notice within 15 s that the other one is gone (libpq 34.1.2): else a
host that lost its power in a transaction would hold its locks for hours."""

NEWEST = max(
    path.name[:4] for path in Path(__file__).with_name("migrations").glob("versions/[0-9]*.py")
)
"""The schema that this program wants; told without Alembic, which takes a while to import."""


class StudyState(StrEnum):
    """Where a study stands in the inbox."""

    RECEIVING = "receiving"
    """Has images that belong to no generation yet."""
    QUEUED = "queued"
    """A generation is handed out, and not finished."""
    DONE = "done"
    """Nothing to do until an image comes."""


class SenderState(StrEnum):
    """What is known of an association that sent images of a study and did not release."""

    OPEN = "open"
    """It may send more."""
    BROKEN = "broken"
    """It was aborted or cut off: the rest of the study may be missing."""


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

studies = sa.Table(
    "studies",
    metadata,
    Column("study_key", String(16), primary_key=True),  # records.key(StudyInstanceUID)
    Column("study_instance_uid", String(64), nullable=False),
    Column("patient_key", String(48), nullable=False, index=True),  # see store.patients
    Column("generation", Integer, nullable=False),  # 0: nothing was handed out yet
    Column("state", String(16), nullable=False, index=True),  # StudyState
    Column("first_at", Float, nullable=False),  # first image of the coming generation, unix s
    Column("last_at", Float, nullable=False),  # its last image, unix s
    Column("completion", Text),  # why the current generation was taken as complete
    Column("stat", Boolean, nullable=False, server_default=sa.false()),  # goes before routine
    Column("images_deleted_at", Float),  # by retention, unix s; null while nothing was
    Column("results_deleted_at", Float),
    Column("visits_deleted_at", Float),  # what comparisons need
    # keyed hash of its AccessionNumber (store.orders); "" while no image has one
    Column("accession_key", String(32), nullable=False, index=True, server_default=""),
)

instances = sa.Table(
    "instances",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_key", ForeignKey("studies.study_key"), nullable=False),
    Column("series_instance_uid", String(64), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("path", Text, nullable=False),  # relative to the data folder
    Column("size", sa.BigInteger, nullable=False),  # of the file, bytes
    Column("sha256", String(64), nullable=False),  # of the encoded dataset
    Column("calling_ae_title", String(16), nullable=False),
    Column("received_at", Float, nullable=False),  # unix s
    Column("generation", Integer),  # null while not yet in one
    Column("conflict", Boolean, nullable=False),  # same UID as an earlier one, other content
    sa.UniqueConstraint("study_key", "sop_instance_uid", "sha256"),
)

senders = sa.Table(
    "senders",
    metadata,
    # of studies that are receiving; no row: whoever sent it has released its association
    Column("study_key", String(16), primary_key=True),
    Column("process", Text, primary_key=True),  # its folder in incoming/
    Column("association", Integer, primary_key=True, autoincrement=False),  # counted by the process
    Column("calling_ae_title", String(16), nullable=False),
    Column("state", String(16), nullable=False),  # SenderState
)

results = sa.Table(
    "results",
    metadata,
    Column("study_key", ForeignKey("studies.study_key"), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("outcome", String(16), nullable=False),  # as in metrics.STUDIES
    Column("probability", Float),
    Column("decision", String(16)),
    Column("reason", Text),  # why it was not analysed
    Column("model_digest", String(64), nullable=False),
    Column("created_at", Float, nullable=False),  # unix s
    Column("folder", Text, nullable=False),  # of the result objects, relative to the data folder
    Column("study_date", String(8)),  # DA; null where the study has none
    Column("model", Text),  # name and version
    Column("threshold", Float),  # of the decision
    Column("lesion_count", Integer),  # null where none were looked for
    Column("lesion_ml", Float),
    Column("lesion_digest", String(64)),  # of the network that outlined them
    Column("comparison", String(16)),  # as in records.lesions.Comparison.status
    Column("new_lesions", Integer),  # since an earlier visit; null where nothing was compared
    Column("enlarging_lesions", Integer),
    Column("lesion_regions", Text),  # JSON, ml by region; null in results of older versions
    Column("prior_date", String(8)),  # DA of the scan it was compared with; null where unknown
    Column("documents", Text),  # JSON, UIDs of its measurement SRs; null in older versions' results
    Column("urgent", Boolean),  # to be read before others; null in older versions' results
    Column("priority_why", Text),  # a sentence as JSON; null where nothing is suggested
    Column("route", String(16)),  # kind of study, as in flow.routes; null: a brain MRI
)

clinical_events = sa.Table(
    "clinical_events",
    metadata,
    # rows are only added; a correction is a row that names another (twin.clinical)
    Column("patient_key", String(48), primary_key=True),  # see store.patients
    Column(
        "identity", String(32), primary_key=True
    ),  # hash of the seven that follow and `replaces`
    Column("event_date", String(8)),  # YYYY, YYYYMM or YYYYMMDD; null where the kind needs none
    Column("kind", String(32), nullable=False),  # as in twin.clinical.event_kinds
    Column("value", Text, nullable=False),  # in one spelling; "" where the kind has none
    Column("unit", String(16), nullable=False),
    Column("detail", Text, nullable=False),  # functional systems; the hand
    Column("note", Text, nullable=False),
    Column("identifier", String(64), nullable=False),  # the site's own; "" where it has none
    # identity or identifier of another event
    Column("replaces", String(64), nullable=False, index=True),
    Column("source", String(16), nullable=False),  # csv, fhir
    Column("file", Text, nullable=False),  # its name, without the folder
    Column("line", Integer, nullable=False),  # in it, from 1
    Column("imported_at", Float, nullable=False),  # unix s
    Column("imported_by", Text, nullable=False),  # account on the host
)

expectations = sa.Table(
    "expectations",
    metadata,
    # what was expected of a study before it was compared: written once, never changed
    Column("study_key", ForeignKey("studies.study_key"), primary_key=True),
    Column("made_at", Float, nullable=False, index=True),  # unix s
    Column("told", Text, nullable=False),  # twin.expect.prediction.Prediction as JSON
)

patient_merges = sa.Table(
    "patient_merges",
    metadata,
    # rows are only added: a merge, and after it perhaps its undoing; the newest of a pair counts
    Column("number", Integer, primary_key=True),
    Column("old_key", String(48), nullable=False),  # see store.patients
    Column("into_key", String(48), nullable=False),
    Column("undone", Boolean, nullable=False),
    Column("recorded_at", Float, nullable=False),  # unix s
    Column("recorded_by", Text, nullable=False),  # account on the host
)

receipts = sa.Table(
    "receipts",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True, index=True),
    Column("study_key", String(16), nullable=False, index=True),
    Column("generation", Integer, nullable=False),
    Column("status", Integer),  # DIMSE status of the last attempt
    Column("delivered", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("retry", Boolean, nullable=False),  # undelivered, but worth another attempt
    # stored, as the peer says; the proof that DicomPeer.verify asks for is outstanding
    Column("sent", Boolean, nullable=False, server_default=sa.false()),
    # never sent, as a result of a newer generation was there before
    Column("superseded", Boolean, nullable=False, server_default=sa.false()),
    Column("updated_at", Float, nullable=False),  # unix s
)

commitments = sa.Table(
    "commitments",
    metadata,
    Column("transaction_uid", String(64), primary_key=True),  # of the request (PS3.4 J.3.2)
    Column("destination", Text, nullable=False),
    Column("study_key", String(16), nullable=False, index=True),
    Column("generation", Integer, nullable=False),
    Column("requested_at", Float, nullable=False),  # unix s
    Column("state", String(16), nullable=False, index=True),  # as in commitments.State
    Column("report", Text),  # what the peer said, as JSON
)

prior_searches = sa.Table(
    "prior_searches",
    metadata,
    # that a source is asked for earlier studies of a study's patient (store.prior_searches)
    Column("study_key", String(16), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("generation", Integer, nullable=False),  # of the study, when it began
    Column("began_at", Float, nullable=False),  # unix s
    Column("wait_until", Float, nullable=False),  # the result waits until then at most, unix s
    Column("state", String(16), nullable=False, index=True),  # as in prior_searches.State
    Column("failures", Integer, nullable=False),  # attempts that left something to do
    Column("missed", Integer, nullable=False),  # generation that was compared meanwhile; 0: none
    Column("news", Boolean, nullable=False),  # something came that it was compared without
    # … and the attempt that brought it has ended, so that there is one revision of all it brought
    Column("ready", Boolean, nullable=False, server_default=sa.false()),
    Column("detail", Text, nullable=False),  # what went wrong the last time
)

prior_studies = sa.Table(
    "prior_studies",
    metadata,
    # what a source has of the patient, and what became of it
    Column("study_key", String(16), primary_key=True),  # for which it was looked for
    Column("prior_key", String(16), primary_key=True, index=True),
    Column("source", Text, primary_key=True),
    Column("study_instance_uid", String(64), nullable=False, index=True),  # of the earlier study
    Column("study_date", String(8), nullable=False),  # DA, as the source says
    Column("state", String(16), nullable=False),  # as in prior_searches.Fate
    Column("reason", Text, nullable=False),  # why it was chosen or not
    Column("series", Text, nullable=False),  # JSON, images by SeriesInstanceUID; of the chosen ones
    Column("asked_at", Float),  # when it was last asked for, unix s
    Column("kept_at", Float),  # when its visit was kept, unix s
    # whose it is, as its own images say; "" before any came
    Column("patient_key", String(48), nullable=False, index=True, server_default=""),
)

hosts = sa.Table(
    "hosts",
    metadata,
    Column("name", Text, primary_key=True),  # config.Config.name
    Column("seen_at", Float, nullable=False),  # its last heartbeat, by the database's clock, unix s
)


def open_database(url: str) -> sa.Engine:
    """Connect to the database; SQLite is made as durable and patient as PostgreSQL is by itself.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://…`` (served by psycopg).
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        patient = {name: value for name, value in PATIENCE.items() if name not in parsed.query}
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args=patient,
            hide_parameters=True,  # an error shall not quote what is on record of a patient
        )
    if parsed.database and parsed.database != ":memory:":
        path = Path(parsed.database)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private_file(path)
    engine = sa.create_engine(parsed, hide_parameters=True)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_immediate)
    return engine


def is_away(error: BaseException) -> bool:
    """Whether an error says that the database cannot be used now, whatever it was asked for."""
    if isinstance(error, sa.exc.TimeoutError):  # all connections are in use
        return True
    if not isinstance(error, sa.exc.OperationalError):
        return False
    return getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Write-ahead log, and thirty seconds of patience with other writers."""
    connection.isolation_level = None  # sqlite3 would begin transactions late and deferred
    connection.execute(f"PRAGMA busy_timeout = {1000 * SQLITE_PATIENCE_S}")
    _use_wal(connection)
    connection.execute("PRAGMA foreign_keys = ON")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new file to the write-ahead log, for which SQLite itself waits for nobody.

    Of two that open it at the same moment, one is told at once that it is locked.
    """
    deadline = time.monotonic() + SQLITE_PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_immediate(connection: sa.Connection) -> None:
    """Take the write lock at once: a transaction that upgrades later fails without waiting.

    With the execution option ``sqlite_synchronous="NORMAL"`` the commit is not fsynced: for rows
    that can be rebuilt from files that are. With ``sqlite_patience_s`` it waits less long for
    other writers: for whom somebody waits. Or `for_reading`.
    """
    options = connection.get_execution_options()
    patience_ms = round(1000 * options.get("sqlite_patience_s", SQLITE_PATIENCE_S))
    level = options.get("sqlite_synchronous", "FULL")
    for pragma, setting in ("synchronous", level), ("busy_timeout", patience_ms):
        if connection.info.get(pragma) != setting:
            connection.exec_driver_sql(f"PRAGMA {pragma} = {setting}")
            connection.info[pragma] = setting
    connection.exec_driver_sql("BEGIN" if options.get("sqlite_reads") else "BEGIN IMMEDIATE")


def schema_version(engine: sa.Engine) -> str | None:
    """The schema that the database has, None where there is none; see `schema.revisions`."""
    version = sa.table("alembic_version", sa.column("version_num"))
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table(version.name):
            return None
        found: str | None = connection.scalar(sa.select(version.c.version_num))
    return found
