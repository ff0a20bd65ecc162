"""What `msnode redo` and `msnode resend` do."""

from pathlib import Path

import click

from msnode import config
from msnode.cli.jobs import opened
from msnode.engine.jobs import Jobs
from msnode.errors import ConfigError, MsnodeError
from msnode.receive.inbox.redo import redo
from msnode.records.uid_hash import study_key
from msnode.store.receipts import Receipts


def analyse(config_file: Path, named: str) -> None:
    """Analyse a study again.

    Raises:
        MsnodeError: see `redo`.
    """
    study = study_key(named)
    generation = redo(opened(config.load(config_file)), study)
    click.echo(f"study {study} is queued as revision {generation}: a running node takes it up now")


def deliver(config_file: Path, named: str, to: str) -> None:
    """Send a study's newest result to a destination again.

    Raises:
        ConfigError: there is no such destination.
        MsnodeError: there is no result, its files are gone, or a delivery is under way.
    """
    settings = config.load(config_file)
    names = [destination.name for destination in settings.destinations]
    if to not in names:
        raise ConfigError(f"destinations: there is no {to!r}; known: {', '.join(names) or 'none'}")
    study, database = study_key(named), opened(settings)
    receipts = Receipts(database)
    generation = receipts.newest(study)
    if not generation:
        raise MsnodeError(f"study {study} has no result; see `msnode studies`")
    if not any((settings.data / "work" / study / str(generation)).rglob("*.dcm")):
        raise MsnodeError(
            f"the result objects of study {study} were deleted by retention; `msnode redo {study}` "
            "makes new ones if its images are still here"
        )
    jobs = Jobs(database)
    jobs.refuse_open(study, generation, to)
    receipts.reset(to, study, generation)
    job = jobs.deliver(study, generation, to)
    click.echo(f"{job} is queued: a running node sends it now")
