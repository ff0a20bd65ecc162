"""The schema of the database: which one it has, and how it is brought up to date."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from msnode.errors import Refused, TryLater
from msnode.store.files import replacing

log = logging.getLogger(__name__)

MIGRATIONS = "msnode.store:migrations"
MIGRATION_LOCK = 0x6D736E6F6465  # "msnode": hosts that start together migrate one by one


def migrate(engine: sa.Engine) -> None:
    """Bring the schema up to date, all or nothing; an existing SQLite file is copied before.

    Raises:
        TryLater: the database cannot be reached or written now, or there is no room for the copy.
        Refused: the file is no database, or of a newer program, or its tables are not as they
            should be. Whatever was raised, the database is as it was.
    """
    try:
        current, head = revisions(engine)
        if current == head:
            return
        if current is not None:
            _save_first(engine, current, head)
        _upgrade(engine)
    except (OSError, sqlite3.Error) as error:
        raise TryLater(f"the database cannot be copied before its upgrade: {error}") from error
    except sa.exc.OperationalError as error:
        raise TryLater(f"the database cannot be used now: {error.orig}") from error
    except sa.exc.DatabaseError as error:
        raise Refused(f"the database is damaged or not ours: {error.orig}") from error
    log.info("database migrated from=%s to=%s", current, head)


def _upgrade(engine: sa.Engine) -> None:
    """Run the migrations that are due in one transaction, whose end shows all of them or none."""
    config = _alembic()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revisions(engine: sa.Engine) -> tuple[str | None, str]:
    """The schema that the database has (None: none yet), and the one that this program wants.

    Raises:
        Refused: it has one that this program does not know.
    """
    script = ScriptDirectory.from_config(_alembic())
    known = [revision.revision for revision in script.walk_revisions()]  # newest first
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current not in (None, *known):
        raise Refused(
            f"the database has schema {current}, of a newer msnode; this one knows up to "
            f"{known[0]}: install the newer msnode again, or go back to the copy that was made "
            f"before the upgrade (msnode.sqlite.{known[0]}.bak, or yours by pg_dump)"
        )
    return current, known[0]


def _alembic() -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", MIGRATIONS)
    return config


def _save_first(engine: sa.Engine, current: str, head: str) -> None:
    """Before an upgrade: copy a SQLite file; tell an administrator of PostgreSQL how to."""
    if engine.dialect.name == "sqlite":
        if engine.url.database:
            _back_up(Path(engine.url.database), current)
    else:
        log.warning(
            "upgrading the PostgreSQL database from=%s to=%s; the way back is a copy made before "
            "with: pg_dump --format=custom --file=msnode.%s.dump",
            current, head, current,
        )  # fmt: skip


def _back_up(path: Path, revision: str) -> None:
    """Copy a SQLite database beside itself, consistently, whoever uses it meanwhile.

    The copy appears whole or not at all.
    """
    copy = path.with_name(f"{path.name}.{revision}.bak")
    with replacing(copy) as file, closing(sqlite3.connect(path)) as source:
        Path(file.name).chmod(0o600)
        with closing(sqlite3.connect(file.name)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, not three
    log.info("database backed up revision=%s", revision)
