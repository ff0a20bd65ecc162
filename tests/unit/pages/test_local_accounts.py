"""Local accounts: names, roles, passwords, second factors, and what is told of them."""

from pathlib import Path

import pyotp
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from cryptography.fernet import Fernet

from msnode.errors import MsnodeError
from msnode.pages.access import second_factor
from msnode.pages.access.local_accounts import LocalAccounts
from msnode.pages.access.second_factor import STEP_S, SecondFactor, page_key
from msnode.store.page_tables import accounts

PASSWORD = "correct horse battery"


@pytest.fixture
def known(database: sa.Engine) -> LocalAccounts:
    made = LocalAccounts(database, "test")
    made.add("anna", ["viewer", "administrator"], PASSWORD)
    return made


def test_an_account_is_found_by_its_password(known: LocalAccounts) -> None:
    found = known.having("anna", PASSWORD)
    assert found is not None
    assert found.roles == {"viewer", "administrator"}
    assert known.having("anna", PASSWORD + " ") is None
    assert known.having("bert", PASSWORD) is None


def test_the_password_is_kept_by_argon2id(known: LocalAccounts, database: sa.Engine) -> None:
    with database.connect() as connection:
        kept = connection.scalar(sa.select(accounts.c.password_hash)) or ""
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept


def test_a_weaker_hash_is_made_anew(known: LocalAccounts, database: sa.Engine) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=64).hash(PASSWORD)
    with database.begin() as connection:
        connection.execute(accounts.update().values(password_hash=weak))
    assert known.having("anna", PASSWORD) is not None
    with database.connect() as connection:
        assert connection.scalar(sa.select(accounts.c.password_hash)) != weak
    assert known.having("anna", PASSWORD) is not None


def test_a_damaged_hash_lets_nobody_in(known: LocalAccounts, database: sa.Engine) -> None:
    with database.begin() as connection:
        connection.execute(accounts.update().values(password_hash="none"))
    assert known.having("anna", PASSWORD) is None


@pytest.mark.parametrize(
    ("name", "roles", "password", "says"),
    [
        ("Anna", ["viewer"], PASSWORD, "'Anna' is no account name"),
        ("a b", ["viewer"], PASSWORD, "no account name"),
        ("", ["viewer"], PASSWORD, "no account name"),
        ("anna", ["viewer"], PASSWORD, "there is an account anna already"),
        ("bert", [], PASSWORD, "give it one with --role"),
        ("bert", ["viewer"], "short", "12 to 1024 characters"),
        ("bert", ["viewer"], "x" * 1025, "12 to 1024 characters"),
    ],
)
def test_what_is_no_account_is_said(
    known: LocalAccounts, name: str, roles: list[str], password: str, says: str
) -> None:
    with pytest.raises(MsnodeError, match=says):
        known.add(name, roles, password)  # type: ignore[arg-type]
    assert [one.name for one in known.every()] == ["anna"]


def test_whom_nobody_knows_is_said(known: LocalAccounts) -> None:
    for change in (known.remove, lambda name: known.set_password(name, PASSWORD)):
        with pytest.raises(MsnodeError, match="there is no account bert"):
            change("bert")


def test_a_disabled_account_is_not_let_in(known: LocalAccounts) -> None:
    known.change("anna", disabled=True)
    assert known.having("anna", PASSWORD) is None
    known.change("anna", disabled=False)
    assert known.having("anna", PASSWORD) is not None


class Clock:
    """Time of the second factor."""

    def __init__(self, at: float) -> None:
        self.at = at

    def time(self) -> float:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(1_800_000_000.0)
    monkeypatch.setattr(second_factor, "time", made)
    return made


def test_a_code_is_taken_once(known: LocalAccounts, database: sa.Engine, clock: Clock) -> None:
    factor = SecondFactor(known, Fernet(Fernet.generate_key()))
    told = factor.begin("anna", "node")
    assert "issuer=msnode%20node" in told.uri
    code = pyotp.TOTP(told.secret)
    assert not factor.takes(database, "anna", "")
    assert not factor.takes(database, "anna", code.at(clock.at + 3 * STEP_S))
    now = code.at(clock.at)
    assert factor.takes(database, "anna", f" {now} ")
    assert not factor.takes(database, "anna", now)
    assert not factor.takes(database, "anna", code.at(clock.at - STEP_S))  # an older one
    clock.at += STEP_S
    assert factor.takes(database, "anna", code.at(clock.at))
    factor.drop("anna")
    assert factor.takes(database, "anna", "")


def test_the_secret_is_sealed_by_a_file(
    known: LocalAccounts, database: sa.Engine, tmp_path: Path
) -> None:
    told = SecondFactor(known, page_key(tmp_path)).begin("anna", "node")
    with database.connect() as connection:
        assert told.secret not in str(connection.scalar(sa.select(accounts.c.totp_secret)))
    assert (tmp_path / "pages.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "pages.key").unlink()
    with pytest.raises(MsnodeError, match=r"pages.key is not the one"):
        SecondFactor(known, page_key(tmp_path)).takes(database, "anna", "123456")
