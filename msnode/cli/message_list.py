"""What `msnode hl7` prints and deletes."""

import json
import re
from datetime import datetime
from pathlib import Path

import click
import sqlalchemy as sa
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode import audit, config
from msnode.cli.twin_record import account, opened
from msnode.errors import MsnodeError
from msnode.store import orders
from msnode.store.message_log import Message, Outcome, find, listed, remove


def show(config_file: Path, outcome: str, limit: int, *, as_json: bool) -> None:
    """List messages and their faults, which quote nothing."""
    wanted = None if outcome == "all" else Outcome(outcome)
    with opened(config.load(config_file)) as node, node.database.connect() as connection:
        found = list(listed(connection, wanted, limit))
    if as_json:
        for one in found:
            click.echo(json.dumps(_plain(one)))
        return
    table = Table(box=SIMPLE, pad_edge=False)
    for name in ("message", "came", "from", "kind", "MSH-10", "outcome", "what is wrong"):
        table.add_column(name, overflow="fold")
    for one in found:
        table.add_row(*map(escape, _row(one)))
    Console().print(table if found else "there is no such message")


def show_one(config_file: Path, message_id: str) -> None:
    """Print a message; the audit trail hears of it.

    Raises:
        MsnodeError: there is none, or its content was not kept.
    """
    with opened(config.load(config_file)) as node:
        with node.database.connect() as connection:
            found = _existing(connection, message_id)
        if found.content is None:
            raise MsnodeError("its content was not kept, as it was of no concern here")
        node.trail.patient_record(account(), audit.Access.READ, f"HL7 message {message_id}")
    for line in re.split(r"\r\n?|\n", found.content.decode("utf-8", "replace").rstrip()):
        click.echo(_visible(line))


def show_orders(config_file: Path, limit: int) -> None:
    """List orders; whose they are is not on record in a form that could be printed."""
    with opened(config.load(config_file)) as node, node.database.connect() as connection:
        found = orders.listed(connection, limit)
    table = Table(box=SIMPLE, pad_edge=False)
    for name in ("told (UTC)", "how urgent", "what", "why", "studies here"):
        table.add_column(name, overflow="fold")
    for order, studies in found:
        urgency = "cancelled" if order.cancelled else "stat" if order.stat else "routine"
        row = (order.told_at, urgency, order.procedure, order.reason, " ".join(studies))
        table.add_row(*map(escape, row))
    Console().print(table if found else "there is no order")


def drop(config_file: Path, message_id: str) -> None:
    """Delete a message.

    Raises:
        MsnodeError: there is none.
    """
    with opened(config.load(config_file)) as node, node.database.begin() as connection:
        remove(connection, _existing(connection, message_id).message_id)
    click.echo("deleted")


def _existing(connection: sa.Connection, message_id: str) -> Message:
    found = find(connection, message_id)
    if found is None:
        raise MsnodeError("there is no such message: msnode hl7 list --outcome all")
    return found


def _visible(text: str) -> str:
    r"""Text of a peer, with what would steer a terminal spelled out (\x1b)."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _row(one: Message) -> tuple[str, ...]:
    came = datetime.fromtimestamp(one.received_at).strftime("%Y-%m-%d %H:%M:%S")
    faults = "; ".join(f"{fault['place']} {fault['fix']}".strip() for fault in one.faults)
    return one.message_id, came, one.caller, one.kind, one.control_id, one.outcome, faults


def _plain(one: Message) -> dict[str, object]:
    """What a program gets; nothing of the content."""
    names = ("message_id", "received_at", "caller", "kind", "control_id", "outcome", "faults")
    return {name: getattr(one, name) for name in names}
