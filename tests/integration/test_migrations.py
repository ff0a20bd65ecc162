"""Upgrades of a database that is in use: forward, whole or not at all, on SQLite and PostgreSQL."""

import logging

import pytest
import sqlalchemy as sa
from alembic import command

from msnode.store import schema
from msnode.store.database import metadata, open_database, studies
from msnode.store.schema import migrate, revisions

FIRST = "0002"
"""The schema of the first version that was installed anywhere."""
STUDY = {
    "study_key": "0123456789abcdef",
    "study_instance_uid": "1.2.3",
    "patient_key": "",
    "generation": 1,
    "state": "done",
    "first_at": 1.0,
    "last_at": 2.0,
}


@pytest.fixture
def old(database_url: str) -> sa.Engine:
    """A database as the first version left it, with a study and an image in it."""
    engine = open_database(database_url)
    config = schema._alembic()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, FIRST)
        tables = sa.MetaData()
        tables.reflect(connection, only=["studies"])
        connection.execute(tables.tables["studies"].insert().values(STUDY))
    return engine


def test_rows_survive_an_upgrade(old: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    assert revisions(old)[0] == FIRST
    with caplog.at_level(logging.INFO, "msnode"):
        migrate(old)
    with old.connect() as connection:
        (row,) = connection.execute(studies.select())
    assert row._mapping.items() >= (STUDY | {"stat": False}).items()
    assert ("pg_dump" in caplog.text) == (old.dialect.name == "postgresql")
    assert ("database backed up" in caplog.text) == (old.dialect.name == "sqlite")
    old.dispose()


def test_what_fails_in_between_is_taken_back(
    old: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables_of(old)
    upgrade = command.upgrade

    def fail(*arguments: object) -> None:
        upgrade(*arguments)  # type: ignore[arg-type]
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(command, "upgrade", fail)
        with pytest.raises(ZeroDivisionError):
            migrate(old)
    assert revisions(old)[0] == FIRST
    assert tables_of(old) == before
    migrate(old)
    assert set(tables_of(old)) == {*metadata.tables, "alembic_version"}
    old.dispose()


def tables_of(engine: sa.Engine) -> dict[str, list[str]]:
    """The columns of each table."""
    look = sa.inspect(engine)
    return {name: [c["name"] for c in look.get_columns(name)] for name in look.get_table_names()}
