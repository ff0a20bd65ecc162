"""Who fails to log in again and again has to wait, and nobody else."""

import pytest

from msnode.pages.access.attempts import KEYS, OF_ACCOUNT, OF_ADDRESS, OF_PAIR, SPAN_S, Attempts
from msnode.pages.frame.problems import TooMany


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> Attempts:
    return Attempts(clock)


def waits(attempts: Attempts, account: str, address: str) -> int:
    """Seconds to wait; 0 where none."""
    try:
        attempts.check(account, address)
    except TooMany as refusal:
        return int(refusal.args[0])
    return 0


def test_an_account_waits_where_it_failed(attempts: Attempts, clock: Clock) -> None:
    for _ in range(OF_PAIR):
        assert waits(attempts, "anna", "10.0.0.1") == 0
        attempts.failed("anna", "10.0.0.1")
        clock.at += 1
    assert waits(attempts, "anna", "10.0.0.1") == SPAN_S - OF_PAIR
    assert waits(attempts, "anna", "10.0.0.2") == 0
    assert waits(attempts, "bert", "10.0.0.1") == 0
    clock.at += SPAN_S
    assert waits(attempts, "anna", "10.0.0.1") == 0


def test_success_forgets_what_was_mistyped(attempts: Attempts) -> None:
    for _ in range(OF_PAIR):
        attempts.failed("anna", "10.0.0.1")
    attempts.succeeded("anna", "10.0.0.1")
    assert waits(attempts, "anna", "10.0.0.1") == 0


def test_an_address_waits_that_tries_many_accounts(attempts: Attempts) -> None:
    for number in range(OF_ADDRESS):
        attempts.failed(f"account{number}", "10.0.0.1")
    assert waits(attempts, "anna", "10.0.0.1") > 0
    assert waits(attempts, "anna", "10.0.0.2") == 0


def test_a_proxy_on_this_host_is_nobodys_address(attempts: Attempts) -> None:
    for number in range(OF_ADDRESS):
        attempts.failed(f"account{number}", "127.0.0.1")
    assert waits(attempts, "anna", "127.0.0.1") == 0


def test_an_account_waits_that_many_addresses_try(attempts: Attempts) -> None:
    for number in range(OF_ACCOUNT):
        attempts.failed("anna", f"10.0.0.{number}")
    assert waits(attempts, "anna", "10.0.1.1") > 0


def test_memory_is_bounded(attempts: Attempts) -> None:
    for number in range(KEYS + 10):
        attempts.failed(f"account{number}", "127.0.0.1")
    assert len(attempts._failures) == KEYS
