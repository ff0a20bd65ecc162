"""Local accounts: names, roles, passwords (Argon2id, RFC 9106)."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from msnode.audit import SILENT, AlertType, Node, Trail
from msnode.config import Role
from msnode.errors import MsnodeError
from msnode.pages.access.roles import joined, parted
from msnode.store.page_tables import accounts, page_sessions

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
SHORTEST = 12
"""Characters of a password (NIST SP 800-63B asks for 8 at least, and for no rules beside)."""
LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Account:
    """A local account.

    Attributes:
        has_totp: whether a second factor is asked for.
        changed_at: unix s.
    """

    name: str
    roles: frozenset[Role]
    disabled: bool
    has_totp: bool
    changed_at: float


@cache
def hasher() -> PasswordHasher:
    """By the parameters that argon2-cffi recommends."""
    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    """Takes as long to compare with as a real one, so that names cannot be found out by time."""
    return hasher().hash("nobody's password")


class LocalAccounts:
    """Makes, changes and checks them.

    Args:
        database: migrated.
        by: who does it, for the record.
        trail: hears of changes.
    """

    def __init__(self, database: sa.Engine, by: str, trail: Trail = SILENT) -> None:
        self._database = database
        self._by = by
        self._trail = trail

    def add(self, name: str, roles: Iterable[Role], password: str) -> None:
        """Add an account.

        Raises:
            MsnodeError: there is one, or name, roles or password will not do.
        """
        if not NAME.fullmatch(name):
            raise MsnodeError(
                f"{name!r} is no account name; use up to 64 of a to z, 0 to 9 and . _ @ -"
            )
        row = {
            "name": name, "roles": _checked(roles), "password_hash": _hashed(password),
            "disabled": False, **self._change(),
        }  # fmt: skip
        try:
            with self._database.begin() as connection:
                connection.execute(accounts.insert(), row)
        except sa.exc.IntegrityError as error:
            raise MsnodeError(f"there is an account {name} already") from error
        self._told(f"account {name} added: {row['roles']}")

    def set_password(self, name: str, password: str) -> None:
        """Give an account another password; its sessions end.

        Raises:
            MsnodeError: there is no such account, or the password will not do.
        """
        self.change(name, password_hash=_hashed(password))

    def set_roles(self, name: str, roles: Iterable[Role]) -> None:
        """Give an account other roles; its sessions end.

        Raises:
            MsnodeError: there is no such account, or none of the roles.
        """
        self.change(name, roles=_checked(roles))

    def change(self, name: str, **values: object) -> None:
        """Change an account; its sessions end.

        Raises:
            MsnodeError: there is no such account.
        """
        this = accounts.c.name == name
        with self._database.begin() as connection:
            changed = connection.execute(
                accounts.update().where(this).values(**values, **self._change())
            )
            if not changed.rowcount:
                raise MsnodeError(f"there is no account {name}; see `msnode accounts list`")
            mine = sa.and_(page_sessions.c.account == name, page_sessions.c.via == "password")
            connection.execute(page_sessions.delete().where(mine))
        self._told(f"account {name} changed: {', '.join(sorted(values))}")

    def remove(self, name: str) -> None:
        """Remove an account; what it did stays on record under its name.

        Raises:
            MsnodeError: there is no such account.
        """
        self.change(name, disabled=True)  # ends its sessions
        with self._database.begin() as connection:
            connection.execute(accounts.delete().where(accounts.c.name == name))
        self._told(f"account {name} removed")

    def every(self) -> list[Account]:
        """All of them, by name."""
        with self._database.connect() as connection:
            rows = connection.execute(sa.select(accounts).order_by(accounts.c.name)).all()
        return [_account(row) for row in rows]

    def having(self, name: str, password: str) -> Account | None:
        """The account of this name and password; None where there is none, or it is disabled.

        It takes as long whether there is one or not.
        """
        row = self._row(name) if NAME.fullmatch(name) else None  # a database may not even take it
        known = row.password_hash if row is not None else _nobodys_hash()
        is_right = _verified(known, password[:LONGEST])
        if row is None or row.disabled or not is_right:
            return None
        if hasher().check_needs_rehash(known):  # parameters are recommended anew over the years
            again = hasher().hash(password)
            with self._database.begin() as connection:
                this = accounts.c.name == name
                connection.execute(accounts.update().where(this).values(password_hash=again))
        return _account(row)

    def _row(self, name: str) -> sa.Row[tuple[object, ...]] | None:
        with self._database.connect() as connection:
            query = sa.select(accounts).where(accounts.c.name == name)
            return connection.execute(query).one_or_none()

    def _told(self, what: str) -> None:
        """Tell the trail; what an account is given is not in it."""
        self._trail.alert(Node(self._by, self._trail.us.address), AlertType.USER_SECURITY, what)

    def _change(self) -> dict[str, object]:
        return {"changed_at": time.time(), "changed_by": self._by}


def _account(row: sa.Row[tuple[object, ...]]) -> Account:
    has_totp = row.totp_secret is not None
    return Account(row.name, parted(row.roles), row.disabled, has_totp, row.changed_at)


def _checked(roles: Iterable[Role]) -> str:
    """Roles as they are kept.

    Raises:
        MsnodeError: there are none.
    """
    if not (kept := joined(set(roles))):
        raise MsnodeError("an account without a role may do nothing: give it one with --role")
    return kept


def _hashed(password: str) -> str:
    """A password as it is kept.

    Raises:
        MsnodeError: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise MsnodeError(f"the password must have {SHORTEST} to {LONGEST} characters")
    return hasher().hash(password)


def _verified(known: str, password: str) -> bool:
    try:
        return hasher().verify(known, password)
    except (VerificationError, InvalidHashError):
        return False
