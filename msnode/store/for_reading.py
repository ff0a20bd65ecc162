"""The database for who only reads."""

import sqlalchemy as sa


def for_reading(engine: sa.Engine) -> sa.Engine:
    """The same database, in which nothing is written: on SQLite nobody waits for who reads."""
    return engine.execution_options(sqlite_reads=True)
