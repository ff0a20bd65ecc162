"""Who reads alone holds up no writer, and no writer holds him up."""

import sqlalchemy as sa

from msnode.store.database import hosts
from msnode.store.for_reading import for_reading


def test_reading_and_writing_do_not_wait_for_each_other(database: sa.Engine) -> None:
    reading = for_reading(database)
    hurried = database.execution_options(sqlite_patience_s=0.05)
    with reading.connect() as reader:
        assert reader.execute(sa.select(hosts)).all() == []
        with hurried.begin() as writer:  # would give up if it had to wait
            writer.execute(hosts.insert(), {"name": "one", "seen_at": 1.0})
            with reading.connect() as other:
                assert other.execute(sa.select(hosts)).all() == []
        assert reader.execute(sa.select(hosts)).all() == []  # as it was when it began
    with reading.connect() as reader:
        assert len(reader.execute(sa.select(hosts)).all()) == 1
