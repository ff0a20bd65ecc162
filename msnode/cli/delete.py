"""What `msnode forget` and `msnode retention` do and print."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
import sqlalchemy as sa
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from msnode import audit, config
from msnode.cli.twin_record import account, opened, record_of
from msnode.engine.jobs import Jobs
from msnode.errors import MsnodeError
from msnode.manage.patient_record import check_unambiguous
from msnode.retention.expiry import DAY_S, Item, Retention
from msnode.retention.forget import forget, forget_events, kept, told_of
from msnode.store.database import open_database
from msnode.store.patients import patient_key
from msnode.store.schema import migrate


def forget_study(config_file: Path, study: str, *, yes: bool, dry_run: bool) -> None:
    """Say what is kept of a study, ask, and delete all of it.

    Raises:
        MsnodeError: there is nobody to be asked, or see `forget`.
    """
    settings = config.load(config_file)
    with _opened(settings) as (database, trail):
        found = kept(database, settings.data, study)
        click.echo(
            f"{found['instances']} image(s), {found['results']} result(s), "
            f"{found['receipts']} receipt(s), {found['files']} file(s), {decimal(found['bytes'])}"
        )
        if found["clinical_events"]:
            click.echo(
                f"and {found['clinical_events']} clinical event(s), as it is the patient's last "
                "study"
            )
        if found["told"]:
            click.echo(f"and {found['told']} HL7 v2 message(s) and order(s), likewise")
        if dry_run:
            return
        if not (yes or _agreed()):
            raise click.Abort
        count = forget(database, settings.data, study, trail)
    click.echo(f"forgotten, {count} instance(s)")


def forget_events_of(
    config_file: Path, patient: str, issuer: str, *, yes: bool, dry_run: bool
) -> None:
    """Say how many clinical events of a patient there are, ask, and delete them.

    Raises:
        MsnodeError: there is nobody to be asked, or see `forget_events`.
    """
    settings = config.load(config_file)
    with opened(settings) as node:
        key = patient_key(node.secret, patient.strip(), issuer.strip())
        with node.database.connect() as connection:
            check_unambiguous(connection, key)
            events, told = told_of(connection, key)
        if not (events or told):
            record_of(node, patient, issuer)  # says whether anything else is on record
        node.trail.patient_record(account(), audit.Access.READ, patient.strip())
        click.echo(f"{events} clinical event(s)")
        if told:
            click.echo(f"and {told} HL7 v2 message(s) and order(s)")
        if dry_run:
            return
        if not (yes or _agreed()):
            raise click.Abort
        count = forget_events(node.database, settings.data, key)
        node.trail.patient_record(account(), audit.Access.DELETED, patient.strip())
    click.echo(f"forgotten, {count} event(s)")


def _agreed() -> bool:
    """Whether a person says so."""
    if not sys.stdin.isatty():
        raise MsnodeError("nothing is deleted without a yes: give --yes, or --dry-run to look")
    return click.confirm("Delete all of it? What was sent to destinations stays there")


def apply_rules(config_file: Path, *, dry_run: bool, as_json: bool) -> None:
    """Delete what is due by the rules of retention, or only list it."""
    settings = config.load(config_file)
    with _opened(settings) as (database, trail):
        jobs = Jobs(database).unsettled if Jobs.exist(database) else set
        rules = Retention(database, settings.data, settings.retention, jobs, trail)
        _print(rules.due() if dry_run else rules.apply(), as_json=as_json)


@contextmanager
def _opened(settings: config.Config) -> Iterator[tuple[sa.Engine, audit.Trail]]:
    """The node's database, brought up to date, and an audit trail of one's own."""
    database = open_database(settings.database_url)
    migrate(database)
    trail = audit.open_trail(settings, "delete")
    try:
        yield database, trail
    finally:
        trail.close()
        database.dispose()


def _print(items: Iterable[Item], *, as_json: bool) -> None:
    """A line for each thing, then how much it is."""
    if as_json:
        for item in items:
            click.echo(json.dumps(asdict(item)))
        return
    table = Table("what", "name", "size", "unused for")
    table.columns[1].overflow = "fold"
    found = list(items)
    for item in found:
        days = (time.time() - item.since) / DAY_S
        table.add_row(item.kind, item.name, decimal(item.size), f"{days:.0f} days")
    console = Console()
    if found:
        console.print(table)
    console.print(f"{len(found)} item(s), {decimal(sum(item.size for item in found))}")
