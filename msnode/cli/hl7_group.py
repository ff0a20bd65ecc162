"""The commands about HL7 v2 messages that came: `msnode hl7`."""

from pathlib import Path

import click

from msnode.cli.options import config_option, json_option, plain_errors


@click.group()
def hl7() -> None:
    """Look at the HL7 v2 messages that came, and at those that could not be used."""


@hl7.command("list")
@config_option
@click.option(
    "--outcome",
    type=click.Choice(["refused", "used", "ignored", "all"]),
    default="refused",
    show_default=True,
    help="Only messages of which this became.",
)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most.")
@json_option
@plain_errors
def list_(config_file: Path, outcome: str, limit: int, as_json: bool) -> None:
    """List messages, the newest first, with what is wrong in them; nothing of their content."""
    from msnode.cli import message_list

    message_list.show(config_file, outcome, limit, as_json=as_json)


@hl7.command()
@click.argument("message_id")
@config_option
@plain_errors
def show(message_id: str, config_file: Path) -> None:
    """Print a message as it came, a segment a line; it names the patient."""
    from msnode.cli import message_list

    message_list.show_one(config_file, message_id)


@hl7.command()
@config_option
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most.")
@plain_errors
def orders(config_file: Path, limit: int) -> None:
    """List orders, the newest first: how urgent, what, why, and the studies they are for."""
    from msnode.cli import message_list

    message_list.show_orders(config_file, limit)


@hl7.command()
@click.argument("message_id")
@config_option
@plain_errors
def drop(message_id: str, config_file: Path) -> None:
    """Delete a message that has been looked at; what it has changed stays."""
    from msnode.cli import message_list

    message_list.drop(config_file, message_id)
