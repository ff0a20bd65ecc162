"""Who fails to log in again and again has to wait."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from math import ceil

from msnode.config.constraints import is_loopback
from msnode.pages.frame.problems import TooMany

SPAN_S = 900.0
"""For so long a failure counts."""
OF_PAIR, OF_ACCOUNT, OF_ADDRESS = 5, 50, 30
"""Failures in that time: of an account from one address, of an account, of an address. The second
is large, so that nobody can keep somebody else out from one place."""
KEYS = 10_000
"""Remembered; beyond that those silent for longest are forgotten."""


class Attempts:
    """Counts failures, of accounts that there are and of others.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, account: str, address: str) -> None:
        """Refuse an attempt that comes too early.

        Raises:
            TooMany: with the seconds to wait.
        """
        with self._lock:
            waits = [self._wait(key, most) for key, most in _keys(account, address)]
        if (longest := max(waits)) > 0:
            raise TooMany(ceil(longest))

    def failed(self, account: str, address: str) -> None:
        """Note a failure."""
        with self._lock:
            for key, _ in _keys(account, address):
                times = self._failures.pop(key, deque(maxlen=OF_ACCOUNT))
                times.append(self._clock())
                self._failures[key] = times
            while len(self._failures) > KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failures of an account from an address: it was its owner who mistyped."""
        with self._lock:
            self._failures.pop((account, address), None)

    def _wait(self, key: tuple[str, str], most: int) -> float:
        """Seconds until the oldest of too many failures counts no more."""
        since = self._clock() - SPAN_S
        times = [at for at in self._failures.get(key, ()) if at > since]
        return times[-most] - since if len(times) >= most else 0.0


def _keys(account: str, address: str) -> list[tuple[tuple[str, str], int]]:
    """What is counted, and how often it may fail; a proxy on this host is everybody's address."""
    keys = [((account, address), OF_PAIR), ((account, ""), OF_ACCOUNT)]
    return keys if is_loopback(address) else [*keys, (("", address), OF_ADDRESS)]
