"""Who asks much and brings nothing has to wait."""

import threading
import time

import pytest

from msnode.receive.access import rate_limit
from msnode.receive.access.rate_limit import BURST, LONGEST_S, RATE, RateLimit


def test_a_burst_is_free_and_the_rest_has_a_rate() -> None:
    now = 0.0
    buckets = RateLimit(lambda: now)
    assert [buckets.charge("a") for _ in range(int(BURST))] == [0.0] * int(BURST)
    assert buckets.charge("a") == pytest.approx(1 / RATE)
    assert buckets.charge("a") == pytest.approx(2 / RATE)
    assert buckets.charge("b") == 0.0, "others do not wait"
    now = 10.0
    assert buckets.charge("a", BURST) == pytest.approx((2 + BURST) / RATE - 10)
    now = 1e6
    assert buckets.charge("a", BURST + 1) == pytest.approx(1 / RATE), (
        "no more than a burst is saved"
    )


def test_nobody_waits_for_ever() -> None:
    buckets = RateLimit(lambda: 0.0)
    for _ in range(10_000):
        assert buckets.charge("a") <= LONGEST_S
    buckets.charge("a", -1e6)
    assert buckets.charge("a") == 0.0


def test_what_is_stored_pays() -> None:
    buckets = RateLimit(lambda: 0.0)
    for _ in range(5000):  # an association an image, as some senders have it
        assert buckets.charge("a") == 0.0
        buckets.charge("a", -1.0)


def test_a_stop_wakes_who_waits() -> None:
    buckets = RateLimit()
    buckets.charge("a", BURST + 100)
    waiting = threading.Thread(target=buckets.wait, args=("a",))
    waiting.start()
    start = time.monotonic()
    buckets.stop()
    waiting.join()
    assert time.monotonic() - start < 2


def test_a_flood_of_addresses_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "KEYS", 10)
    buckets = RateLimit()
    for number in range(100):
        buckets.charge(str(number))
    assert len(buckets._buckets) == 10
