"""An inbox on a fresh SQLite database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode.receive import Inbox
from msnode.store import database, schema


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = database.open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    schema.migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def inbox(engine: sa.Engine, tmp_path: Path) -> Iterator[Inbox]:
    inbox = Inbox(engine, tmp_path)
    yield inbox
    inbox.close()
