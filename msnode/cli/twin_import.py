"""What `msnode twin import` does and prints."""

from functools import partial
from pathlib import Path

import click

from msnode import config
from msnode.cli.twin_record import account, opened
from msnode.twin.clinical.event_csv import RefusedRow
from msnode.twin.clinical.event_import import import_events, is_bundle


def import_file(config_file: Path, file: Path) -> None:
    """Add the events of a file, and say what became of its rows.

    Raises:
        SystemExit: with 1, where a row was refused.
        MsnodeError: see `import_events`.
    """
    settings = config.load(config_file)
    unit = "entry" if is_bundle(file) else "line"
    with opened(settings) as node:
        who = account()
        node.trail.imported(who, file.name)  # before the first row: it may be stopped
        done = import_events(node.database, node.secret, file, who, partial(_tell, unit))
    click.echo(f"{done.added} event(s) added, {done.known} known before, {done.refused} refused")
    if done.refused:
        raise SystemExit(1)


def _tell(unit: str, row: RefusedRow) -> None:
    """Name what is wrong in a row; nothing of the row itself, which may identify a patient."""
    for flaw in row.flaws:
        place = f"{unit} {row.line}, {flaw.column}" if flaw.column else f"{unit} {row.line}"
        click.echo(f"{place}: {flaw.fix}", err=True)
