"""A study analysed, or its result sent, once more, as somebody wants it."""

import sqlalchemy as sa

from msnode import config
from msnode.engine.jobs import Jobs
from msnode.errors import ConfigError, MsnodeError
from msnode.receive.inbox.redo import redo
from msnode.store.receipts import Receipts

__all__ = ["redo", "resend"]


def resend(
    settings: config.Config, database: sa.Engine, study: str, to: str, jobs: Jobs | None = None
) -> str:
    """Send a study's newest result to a destination again.

    Args:
        settings: of the node.
        database: migrated.
        study: key of the study.
        to: name of the destination.
        jobs: on the database; None: they are opened here.

    Returns:
        The job's ID.

    Raises:
        ConfigError: there is no such destination.
        MsnodeError: there is no result, its files are gone, or a delivery is under way.
    """
    names = [destination.name for destination in settings.destinations]
    if to not in names:
        raise ConfigError(f"destinations: there is no {to!r}; known: {', '.join(names) or 'none'}")
    receipts = Receipts(database)
    generation = receipts.newest(study)
    if not generation:
        raise MsnodeError(f"study {study} has no result; see `msnode studies`")
    if not any((settings.data / "work" / study / str(generation)).rglob("*.dcm")):
        raise MsnodeError(
            f"the result objects of study {study} were deleted by retention; `msnode redo {study}` "
            "makes new ones if its images are still here"
        )
    jobs = jobs or Jobs(database)
    series = jobs.next_series(study, generation, to)
    receipts.reset(to, study, generation)
    return jobs.deliver(study, generation, to, series)
