"""The database: opened durably, migrated to exactly what the code says."""

import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from msnode.errors import Refused, TryLater
from msnode.store import database, schema
from msnode.store.database import metadata, open_database
from msnode.store.schema import migrate


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'data' / 'msnode.sqlite'}")
    yield engine
    engine.dispose()


def pragma(engine: sa.Engine, name: str) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def differences(engine: sa.Engine) -> list[object]:
    """What Alembic would change to make the schema what the tables say."""
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def test_the_migrations_make_what_the_tables_say(engine: sa.Engine) -> None:
    assert len(differences(engine)) >= len(metadata.tables)
    migrate(engine)
    assert differences(engine) == []
    migrate(engine)
    assert differences(engine) == []


def test_sqlite_is_durable_and_patient(engine: sa.Engine) -> None:
    assert pragma(engine, "journal_mode") == "wal"
    assert pragma(engine, "synchronous") == 2, "FULL"
    assert pragma(engine, "foreign_keys") == 1
    assert pragma(engine, "busy_timeout") == 30_000


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """As the threads of a node do at its first start; SQLite itself refuses one now and then."""
    for number in range(60):
        engines = [open_database(f"sqlite:///{tmp_path / str(number)}") for _ in range(8)]
        together = threading.Barrier(len(engines))

        def journal(engine: sa.Engine, together: threading.Barrier = together) -> object:
            together.wait()
            return pragma(engine, "journal_mode")

        with ThreadPoolExecutor(len(engines)) as pool:
            assert set(pool.map(journal, engines)) == {"wal"}
        for engine in engines:
            engine.dispose()


def test_a_relaxed_transaction_relaxes_no_other(engine: sa.Engine) -> None:
    relaxed = engine.execution_options(sqlite_synchronous="NORMAL")
    for _ in range(2):
        assert pragma(relaxed, "synchronous") == 1
        assert pragma(engine, "synchronous") == 2


def test_a_transaction_takes_the_write_lock_at_once(engine: sa.Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(sa.select(sa.literal(1)))
        other = sqlite3.connect(tmp_path / "data" / "msnode.sqlite", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


LATER = """
import sqlalchemy as sa
from alembic import op

revision = "later"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("studies", sa.Column("later", sa.Integer()))
    {then}
"""
HEAD = ScriptDirectory.from_config(schema._alembic()).get_current_head()


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make this program a later one, with a migration more that ends with some statement."""

    def make(then: str) -> None:
        migrations = tmp_path / "migrations"
        shutil.copytree(Path(database.__file__).parent / "migrations", migrations)
        text = LATER.format(head=HEAD, then=then)
        (migrations / "versions" / "later.py").write_text(text)
        monkeypatch.setattr(schema, "MIGRATIONS", str(migrations))

    return make


def columns(engine: sa.Engine) -> set[str]:
    return {column["name"] for column in sa.inspect(engine).get_columns("studies")}


def test_an_upgrade_leaves_a_copy_of_what_was(
    engine: sa.Engine, tmp_path: Path, release: Callable[[str], None]
) -> None:
    migrate(engine)
    folder = tmp_path / "data"
    assert list(folder.glob("*.bak")) == [], "nothing was there to be lost"
    with engine.begin() as connection:
        connection.execute(database.hosts.insert().values(name="a", seen_at=1.0))
    release("pass")
    migrate(engine)
    assert "later" in columns(engine)
    (copy,) = folder.glob("*.bak*")
    assert copy.name == f"msnode.sqlite.{HEAD}.bak"
    assert copy.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(copy)) as saved:
        assert saved.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,)
        assert saved.execute("SELECT name FROM hosts").fetchall() == [("a",)]
        assert "later" not in str(saved.execute("SELECT sql FROM sqlite_schema").fetchall())


@pytest.mark.parametrize(
    ("then", "error"),
    [
        ("op.execute('INSERT INTO nowhere VALUES (1)')", TryLater),
        ("op.execute('INSERT INTO hosts VALUES (NULL, 1)')", Refused),
        ("raise ZeroDivisionError", ZeroDivisionError),
    ],
)
def test_an_upgrade_that_fails_changes_nothing(
    engine: sa.Engine,
    release: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    then: str,
    error: type[Exception],
) -> None:
    migrate(engine)
    release(then)
    with pytest.raises(error):
        migrate(engine)
    assert "later" not in columns(engine)
    monkeypatch.setattr(schema, "MIGRATIONS", "msnode.store:migrations")
    migrate(engine)
    assert differences(engine) == []


def test_without_room_for_the_copy_nothing_is_upgraded(
    engine: sa.Engine,
    tmp_path: Path,
    release: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    migrate(engine)
    release("pass")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(TryLater, match=r"cannot be copied before its upgrade.*No space"):
            migrate(engine)
    assert "later" not in columns(engine)
    assert list((tmp_path / "data").glob("*.bak*")) == [], "half a copy is none"
    migrate(engine)
    assert "later" in columns(engine)


def test_the_database_of_a_newer_program_is_refused(
    engine: sa.Engine, release: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(engine)
    release("pass")
    migrate(engine)
    monkeypatch.setattr(schema, "MIGRATIONS", "msnode.store:migrations")
    with pytest.raises(Refused, match=rf"has schema later, of a newer msnode.*up to {HEAD}"):
        migrate(engine)


def test_an_unreachable_database_is_tried_again_later() -> None:
    engine = open_database("postgresql://nobody@127.0.0.1:1/none")
    assert engine.dialect.driver == "psycopg"
    with pytest.raises(TryLater, match="cannot be used now"):
        migrate(engine)
    engine.dispose()


def test_a_sqlite_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"not a database" * 100)
    engine = open_database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    with pytest.raises(Refused, match="not a database"):
        migrate(engine)
    engine.dispose()


def test_the_newest_schema_is_told_without_alembic(engine: sa.Engine) -> None:
    assert database.NEWEST == HEAD
    assert database.schema_version(engine) is None
    migrate(engine)
    assert database.schema_version(engine) == HEAD
