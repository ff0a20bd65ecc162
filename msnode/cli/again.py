"""What `msnode redo` and `msnode resend` do."""

from pathlib import Path

import click

from msnode import config
from msnode.manage.node_database import opened
from msnode.manage.repeats import redo, resend
from msnode.records.uid_hash import study_key


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
        ConfigError, MsnodeError: see `resend`.
    """
    settings = config.load(config_file)
    job = resend(settings, opened(settings), study_key(named), to)
    click.echo(f"{job} is queued: a running node sends it now")
