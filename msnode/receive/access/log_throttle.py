"""Keeps a flood of events from flooding the log and the audit trail."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

PERIOD_S = 60.0
KEYS = 10_000  # remembered; beyond that, those silent for longest are forgotten


class LogThrottle:
    """Lets the first event of a kind through, and then at most one a minute.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, key: Hashable) -> int:
        """Count an event.

        Returns:
            How many there were since one was last let through, this one included; 0 if it is to
            be held back.
        """
        now = self._clock()
        with self._lock:
            until, held = self._seen.pop(key, (-math.inf, 0))
            if now < until:
                self._seen[key] = until, held + 1
                return 0
            self._seen[key] = now + PERIOD_S, 0
            if len(self._seen) > KEYS:
                self._seen.popitem(last=False)
        return held + 1
