"""What `msnode accounts` does."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import click
import segno
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from msnode import config
from msnode.cli.twin_record import account
from msnode.config import Role
from msnode.manage.audited_database import with_trail
from msnode.pages.access.local_accounts import LocalAccounts
from msnode.pages.access.second_factor import SecondFactor, page_key


@contextmanager
def _known(settings: config.Config) -> Iterator[LocalAccounts]:
    """The accounts of a node, whether it runs or not."""
    with with_trail(settings, "accounts") as (database, trail):
        yield LocalAccounts(database, account(), trail)


def _asked() -> str:
    """A password, typed twice, or a line of stdin where nobody types."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


def add(config_file: Path, name: str, roles: Sequence[str]) -> None:
    """Add an account.

    Raises:
        MsnodeError: see `LocalAccounts.add`.
    """
    with _known(config.load(config_file)) as known:
        known.add(name, cast("Sequence[Role]", roles), _asked())
    click.echo(f"{name} may log in")


def show(config_file: Path) -> None:
    """List the accounts."""
    with _known(config.load(config_file)) as known:
        every = known.every()
    table = Table(box=SIMPLE, pad_edge=False)
    for title in ("account", "roles", "second factor", "state"):
        table.add_column(title, overflow="fold")
    for one in every:
        state = "[yellow]disabled[/]" if one.disabled else "[green]may log in[/]"
        table.add_row(one.name, ", ".join(sorted(one.roles)), "TOTP" if one.has_totp else "", state)
    Console().print(table if every else "no account: add one with `msnode accounts add`")


def set_roles(config_file: Path, name: str, roles: Sequence[str]) -> None:
    """Give an account other roles.

    Raises:
        MsnodeError: there is no such account.
    """
    with _known(config.load(config_file)) as known:
        known.set_roles(name, cast("Sequence[Role]", roles))
    click.echo(f"{name} is now {', '.join(sorted(set(roles)))}")


def set_password(config_file: Path, name: str) -> None:
    """Give an account another password.

    Raises:
        MsnodeError: there is no such account, or the password will not do.
    """
    with _known(config.load(config_file)) as known:
        known.set_password(name, _asked())
    click.echo(f"{name} has another password; its sessions have ended")


def set_totp(config_file: Path, name: str, *, off: bool) -> None:
    """Ask an account for a second factor, or for none any more.

    Raises:
        MsnodeError: there is no such account.
    """
    settings = config.load(config_file)
    with _known(settings) as known:
        factor = SecondFactor(known, page_key(settings.data))
        if off:
            factor.drop(name)
            click.echo(f"{name} needs no second factor any more")
            return
        told = factor.begin(name, settings.name)
    segno.make(told.uri).terminal(compact=True)
    click.echo(f"{name} is asked for a code from now on. Secret, shown only now: {told.secret}")


def disable(config_file: Path, name: str, *, disabled: bool) -> None:
    """Let an account in no more, or again.

    Raises:
        MsnodeError: there is no such account.
    """
    with _known(config.load(config_file)) as known:
        known.change(name, disabled=disabled)
    click.echo(f"{name} may {'not log in any more' if disabled else 'log in again'}")


def remove(config_file: Path, name: str) -> None:
    """Remove an account.

    Raises:
        MsnodeError: there is no such account.
    """
    with _known(config.load(config_file)) as known:
        known.remove(name)
    click.echo(f"{name} is removed")
