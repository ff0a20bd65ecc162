"""The commands of the pages: serve them, and say who may log in."""

from pathlib import Path

import click

from msnode.cli.options import config_option, plain_errors

ROLES = click.Choice(["viewer", "clinician", "administrator"])
role_option = click.option("--role", "roles", type=ROLES, multiple=True, required=True)


@click.command()
@config_option
@click.option("--until-eof", is_flag=True, hidden=True, help="End when stdin does.")
@plain_errors
def pages(config_file: Path, until_eof: bool) -> None:
    """Serve the pages until SIGTERM; `msnode serve` does it by itself."""
    from msnode.cli import pages_process

    pages_process.run(config_file, until_eof=until_eof)


@click.group()
def accounts() -> None:
    """Who may log in to the pages with a password."""


@accounts.command()
@click.argument("name")
@role_option
@config_option
@plain_errors
def add(name: str, roles: tuple[str, ...], config_file: Path) -> None:
    """Add an account; asks for its password, or takes it from stdin."""
    from msnode.cli import account_changes

    account_changes.add(config_file, name, roles)


@accounts.command("list")
@config_option
@plain_errors
def list_(config_file: Path) -> None:
    """List accounts, their roles and whether they have a second factor."""
    from msnode.cli import account_changes

    account_changes.show(config_file)


@accounts.command()
@click.argument("name")
@role_option
@config_option
@plain_errors
def roles(name: str, roles: tuple[str, ...], config_file: Path) -> None:
    """Give an account other roles; its sessions end."""
    from msnode.cli import account_changes

    account_changes.set_roles(config_file, name, roles)


@accounts.command()
@click.argument("name")
@config_option
@plain_errors
def password(name: str, config_file: Path) -> None:
    """Give an account another password; its sessions end."""
    from msnode.cli import account_changes

    account_changes.set_password(config_file, name)


@accounts.command()
@click.argument("name")
@config_option
@click.option("--off", is_flag=True, help="Ask for none any more.")
@plain_errors
def totp(name: str, config_file: Path, off: bool) -> None:
    """Ask an account for a second factor (TOTP); shows its secret once, for an app."""
    from msnode.cli import account_changes

    account_changes.set_totp(config_file, name, off=off)


@accounts.command()
@click.argument("name")
@config_option
@click.option("--off", is_flag=True, help="Let it in again.")
@plain_errors
def disable(name: str, config_file: Path, off: bool) -> None:
    """Let an account in no more; its sessions end."""
    from msnode.cli import account_changes

    account_changes.disable(config_file, name, disabled=not off)


@accounts.command()
@click.argument("name")
@config_option
@plain_errors
def remove(name: str, config_file: Path) -> None:
    """Remove an account; what it did stays on record under its name."""
    from msnode.cli import account_changes

    account_changes.remove(config_file, name)
