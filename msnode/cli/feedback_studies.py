"""What `msnode data from-feedback` does and prints."""

from datetime import datetime
from pathlib import Path

import click

from msnode.audit import Access
from msnode.cli.twin_record import account, opened
from msnode.config import load
from msnode.manage.feedback_index import INDEX, Source, write_index


def write(
    config_file: Path, out: Path, site: str | None, since: datetime | None, *, own_outlines: bool
) -> None:
    """Write the index, and say what is in it and what is not.

    Raises:
        MsnodeError: see `write_index`.
    """
    settings = load(config_file)
    begin = since.timestamp() if since is not None else 0.0
    with opened(settings) as node:
        who = account()
        source = Source(settings.data, node.secret, site or settings.name, own_outlines)

        def heard(study: str) -> None:
            node.trail.patient_record(who, Access.READ, f"study {study}")

        done = write_index(node.database, source, out, begin, heard)
    labels = [row.label for row in done.rows]
    persons = len({row.person for row in done.rows})
    counts = ", ".join(f"{labels.count(one)} {one}" for one in sorted(set(labels)))
    click.echo(f"{out / INDEX}: {len(labels)} studies of {persons} persons, {counts}")
    click.echo(f"masks: {done.read} as readers left them, {done.own} as the node outlined them")
    if done.own:
        click.echo("a network that learns from its own outlines learns its own mistakes")
    if done.gone or done.disputed:
        click.echo(
            f"left out: {done.gone} whose images are not kept, {done.disputed} on which readers "
            "contradict each other"
        )
