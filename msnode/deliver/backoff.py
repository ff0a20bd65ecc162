"""When to try again: pure arithmetic; whoever waits is elsewhere."""

from collections.abc import Iterator
from itertools import count
from random import Random

from msnode.config import Retry

JITTER = 0.2
"""Pauses vary by this fraction, so that nodes that failed together come back apart."""

_RANDOM = Random()  # noqa: S311 - spreads load, keeps no secret


def pause(retry: Retry, attempt: int, random: Random = _RANDOM) -> float | None:
    """Seconds to wait after the given failed attempt (1 for the first); None: give up.

    Doubles from ``first_s`` to ``longest_s``, varies by 20 percent, never exceeds ``longest_s``,
    and ends once the pauses before (without their jitter) add up to ``give_up_s``.

    Example:
        With the defaults about 10, 20, 40, 80, 160, 320, 640, 900, 900 … seconds for two days.
    """
    seconds = steady_pause(retry, attempt)
    if seconds is None:
        return None
    return min(seconds * random.uniform(1 - JITTER, 1 + JITTER), retry.longest_s)


def steady_pause(retry: Retry, attempt: int) -> float | None:
    """As `pause`, without jitter: the same whenever it is asked for."""
    if sum(_nominal(retry, earlier) for earlier in range(1, attempt)) >= retry.give_up_s:
        return None
    return _nominal(retry, attempt)


def pauses(retry: Retry, random: Random = _RANDOM) -> Iterator[float]:
    """Every pause between the first attempt and giving up, in seconds."""
    for attempt in count(1):
        seconds = pause(retry, attempt, random)
        if seconds is None:
            return
        yield seconds


def _nominal(retry: Retry, attempt: int) -> float:
    """The pause before jitter; the exponent's limit keeps a float from overflowing."""
    return min(retry.longest_s, retry.first_s * 2.0 ** min(attempt - 1, 62))
