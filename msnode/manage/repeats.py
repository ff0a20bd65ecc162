"""A study analysed, or its result sent, once more, as somebody wants it."""

import sqlalchemy as sa

from msnode import config
from msnode.deliver.result_places import files_for
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
        MsnodeError: there is no result, its files are gone, none is for this destination, or a
            delivery is under way.
    """
    by_name = {destination.name: destination for destination in settings.destinations}
    if to not in by_name:
        names = list(by_name)
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
    if not files_for(settings.data / "work" / study / str(generation), by_name[to]):
        raise MsnodeError(
            f"nothing was made for {to} when study {study} was analysed; `msnode redo {study}` does"
        )
    jobs = jobs or Jobs(database)
    series = jobs.next_series(study, generation, to)
    receipts.reset(to, study, generation)
    return jobs.deliver(study, generation, to, series)
