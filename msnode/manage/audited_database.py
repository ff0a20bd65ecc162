"""The node's database for who uses patients' records, whether the node runs or not."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from msnode import audit, config
from msnode.store.database import open_database
from msnode.store.schema import migrate


@contextmanager
def with_trail(settings: config.Config, role: str) -> Iterator[tuple[sa.Engine, audit.Trail]]:
    """The node's database, brought up to date, and an audit trail of one's own.

    Args:
        settings: of the node.
        role: of this process, see `audit.open_trail`.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = open_database(settings.database_url)
    try:
        migrate(database)
        trail = audit.open_trail(settings, role)
        try:
            yield database, trail
        finally:
            trail.close()
    finally:
        database.dispose()
