"""Slows down peers that send many requests but no images, so that others keep the processor."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from msnode import metrics

RATE = 20.0  # per second and address in the long run: connections, echoes, refusals
BURST = 200.0  # so many at once
LONGEST_S = 10.0  # longest wait for one of them
KEYS = 10_000  # addresses remembered; beyond that, those silent for longest are forgotten


class RateLimit:
    """A token bucket per address. Storing an image is free and refunds the connection's cost.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, when
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def charge(self, address: str, tokens: float = 1.0) -> float:
        """Take tokens from an address; a negative number gives it some.

        Returns:
            Seconds that its request has to wait.
        """
        now = self._clock()
        with self._lock:
            left, then = self._buckets.pop(address, (BURST, now))
            left = min(left + (now - then) * RATE, BURST) - tokens
            self._buckets[address] = max(left, -LONGEST_S * RATE), now
            if len(self._buckets) > KEYS:
                self._buckets.popitem(last=False)
        return min(max(-left / RATE, 0.0), LONGEST_S)

    def wait(self, address: str, tokens: float = 1.0) -> None:
        """Take tokens from an address; the calling thread sleeps if there are too few."""
        if seconds := self.charge(address, tokens):
            metrics.PACED_SECONDS.inc(seconds)
            self._stopping.wait(seconds)

    def stop(self) -> None:
        """Wake all waiting threads; nobody waits from now on."""
        self._stopping.set()
