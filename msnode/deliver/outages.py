"""Says once that a destination takes results again, after attempts that failed."""

import logging
import threading
import time
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Outage:
    """Since when a destination fails, by the monotonic clock, and how often it did."""

    since: float
    failures: int = 0


class Outages:
    """The destinations whose last attempt failed; safe in threads."""

    def __init__(self) -> None:
        self._open: dict[str, _Outage] = {}
        self._lock = threading.Lock()

    def note(self, destination: str, failed: bool) -> None:
        """An attempt has ended, in a way that may pass or well."""
        with self._lock:
            if failed:
                self._open.setdefault(destination, _Outage(time.monotonic())).failures += 1
                return
            ended = self._open.pop(destination, None)
        if ended is not None:
            log.info(
                "destination=%s takes results again after failures=%d seconds=%.0f",
                destination, ended.failures, time.monotonic() - ended.since,
            )  # fmt: skip
