"""Databases for the integration tests: each on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.acceptance import peers


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with peers.postgresql() as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str, tmp_path: Path) -> str:
    """An empty PostgreSQL database."""
    server = sa.make_url(postgresql_server)
    name = f"test_{tmp_path.name}".lower().replace("-", "_")[:63]
    engine = sa.create_engine(
        server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'msnode.sqlite'}"
    return str(request.getfixturevalue("postgresql_url"))
