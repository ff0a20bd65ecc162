"""What `msnode twin import` does and prints."""

from functools import partial
from pathlib import Path

import click

from msnode import audit, config
from msnode.cli.twin_record import Opened, account, opened
from msnode.twin.clinical.event_csv import RefusedRow
from msnode.twin.clinical.event_hl7 import MergeRow
from msnode.twin.clinical.event_import import import_events, reader_of


def import_file(config_file: Path, file: Path) -> None:
    """Add the events of a file, and say what became of its rows.

    Raises:
        SystemExit: with 1, where a row was refused.
        MsnodeError: see `import_events`.
    """
    settings = config.load(config_file)
    _, _, unit = reader_of(file)
    with opened(settings) as node:
        who = account()
        node.trail.imported(who, file.name)  # before the first row: it may be stopped
        heard = partial(_heard, node, who)
        done = import_events(node.database, node.secret, file, who, partial(_tell, unit), heard)
    click.echo(f"{done.added} event(s) added, {done.known} known before, {done.refused} refused")
    if done.refused:
        raise SystemExit(1)


def _heard(node: Opened, who: str, pair: MergeRow) -> None:
    """The audit trail hears whose records became one."""
    for patient in pair.patients:
        node.trail.patient_record(who, audit.Access.UPDATED, patient)


def _tell(unit: str, row: RefusedRow) -> None:
    """Name what is wrong in a row; nothing of the row itself, which may identify a patient."""
    for flaw in row.flaws:
        place = f"{unit} {row.line}, {flaw.column}" if flaw.column else f"{unit} {row.line}"
        click.echo(f"{place}: {flaw.fix}", err=True)
