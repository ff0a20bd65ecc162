"""A second factor: codes of an app by time (TOTP, RFC 6238), each taken once."""

import time
from dataclasses import dataclass
from pathlib import Path

import pyotp
import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken

from msnode.errors import MsnodeError
from msnode.pages.access.local_accounts import LocalAccounts
from msnode.store.files import replacing
from msnode.store.page_tables import accounts

STEP_S = 30
STEPS = (0, -1, 1)
"""Codes of these steps are taken: clocks differ."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the app is told, once."""

    secret: str
    uri: str


def page_key(data: Path) -> Fernet:
    """The key of what the database holds of accounts, a file beside it; made where missing."""
    path = data / "pages.key"
    if not path.exists():
        with replacing(path) as file:
            path.with_name(f"{path.name}.part").chmod(0o600)
            file.write(Fernet.generate_key())
    return Fernet(path.read_bytes())


class SecondFactor:
    """Begins, ends and checks it.

    Args:
        known: the accounts.
        key: encrypts their secrets.
    """

    def __init__(self, known: LocalAccounts, key: Fernet) -> None:
        self._known = known
        self._key = key

    def begin(self, name: str, node: str) -> Told:
        """Ask an account for codes from now on, by a new secret.

        Raises:
            MsnodeError: there is no such account.
        """
        secret = pyotp.random_base32()
        sealed = self._key.encrypt(secret.encode()).decode()
        self._known.change(name, totp_secret=sealed, totp_step=None)
        uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=f"msnode {node}")
        return Told(secret, uri)

    def drop(self, name: str) -> None:
        """Ask it for none any more.

        Raises:
            MsnodeError: there is no such account.
        """
        self._known.change(name, totp_secret=None, totp_step=None)

    def takes(self, database: sa.Engine, name: str, code: str) -> bool:
        """Whether a code is right and was not used before; then it is used now.

        Raises:
            MsnodeError: the file with the key is not the one that the secret was sealed with.
        """
        columns = accounts.c
        query = sa.select(columns.totp_secret).where(columns.name == name)
        with database.connect() as connection:
            sealed = connection.scalar(query)
        if sealed is None:
            return True
        step = _step_of(code, self._opened(sealed), int(time.time()) // STEP_S)
        if step is None:
            return False
        fresh = sa.or_(columns.totp_step.is_(None), columns.totp_step < step)
        use = accounts.update().where(columns.name == name, fresh).values(totp_step=step)
        with database.begin() as connection:
            return connection.execute(use).rowcount == 1

    def _opened(self, sealed: str) -> str:
        try:
            return self._key.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise MsnodeError(
                "pages.key is not the one that the second factors were made with: restore it, or "
                "begin them anew with `msnode accounts totp`"
            ) from error


def _step_of(code: str, secret: str, now: int) -> int | None:
    """The step (RFC 6238 4.2) whose code this is; None where it is none of those near now."""
    totp = pyotp.TOTP(secret, interval=STEP_S)
    steps = [now + offset for offset in STEPS if code.strip() == totp.at((now + offset) * STEP_S)]
    return steps[0] if steps else None
