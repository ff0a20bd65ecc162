"""An account with which the pages of the demo's node can be looked at."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from msnode import config
from msnode.pages.access.local_accounts import LocalAccounts
from msnode.pages.access.roles import ROLES
from msnode.store.database import open_database

ACCOUNT = "demo"


@dataclass(frozen=True, slots=True)
class Login:
    """What its reader needs."""

    url: str
    account: str
    password: str


def add(config_file: Path) -> Login:
    """Add it, with every role and a password that only this demo has."""
    settings = config.load(config_file)
    assert settings.pages is not None  # noqa: S101 - the demo's own configuration
    password = secrets.token_urlsafe(9)
    database = open_database(settings.database_url)
    try:
        LocalAccounts(database, "demo").add(ACCOUNT, ROLES, password)
    finally:
        database.dispose()
    return Login(f"http://127.0.0.1:{settings.pages.port}", ACCOUNT, password)
