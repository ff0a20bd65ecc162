"""One mail server or chat: what it has been told, and what is to be told next."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from msnode import metrics
from msnode.config import Notices
from msnode.errors import ConfigError, TryLater
from msnode.notices.conditions import Problem
from msnode.notices.notice import Notice

log = logging.getLogger(__name__)

OVER_S = 1200.0
"""Seconds without a problem after which it is over; longer than any of `conditions.LEVELS` needs
to be told, so that a start of the node ends nothing."""
FIRST_S, LONGEST_S = 60.0, 3600.0
"""Pauses after a notice that was not taken: doubled each time."""

Send = Callable[[Notice], None]


@dataclass(frozen=True, slots=True)
class Told:
    """A problem of which a notice was taken.

    Attributes:
        at: unix time in seconds.
        seen: when it was last wrong.
        lasts: see `Problem`.
        total: see `Problem`.
    """

    at: float
    seen: float
    lasts: bool
    total: float = 0.0


class Receiver:
    """Collects, throttles, sends.

    Args:
        name: for metrics and the log.
        send: sends a notice.
        node: `Config.name`.
        config: pauses.
        told: what was told before the start.

    Attributes:
        name: see above.
        told: by `Problem.key`.
    """

    def __init__(
        self, name: str, send: Send, node: str, config: Notices, told: Mapping[str, Told]
    ) -> None:
        self.name = name
        self.told = dict(told)
        self._send = send
        self._node = node
        self._config = config
        self._waiting: dict[str, Problem] = {}
        self._began = 0.0
        self._next = 0.0
        self._failures = 0

    def look(self, problems: Sequence[Problem], now: float) -> bool:
        """Tell what is new, what still is wrong, and what is over.

        Args:
            problems: that there are now.
            now: unix time in seconds.

        Returns:
            Whether `told` has changed in a way that is to be kept.
        """
        self._began = self._began or now
        wrong = {one.key: one for one in problems}
        self._see(wrong, now)
        notice = self._notice(wrong, now)
        if now < self._next or not notice.lines:
            return False
        if not self._is_taken(notice, now):
            return False
        for problem in (*notice.new, *notice.still):
            self.told[problem.key] = Told(now, now, problem.lasts, problem.total)
        for key in notice.over:
            del self.told[key]
        self._waiting.clear()
        return True

    def _see(self, wrong: Mapping[str, Problem], now: float) -> None:
        """Collect what is new; forget what happened long ago, or was over before it was told."""
        for key, problem in wrong.items():
            before = self.told.get(key)
            # what has happened again is told again, at most as often as anything is
            if before is None or problem.total > before.total:
                self._waiting[key] = problem
            if before is not None:
                self.told[key] = replace(before, seen=now)
        for key in [k for k, one in self._waiting.items() if one.lasts and k not in wrong]:
            del self._waiting[key]
        for key in [k for k, one in self.told.items() if not one.lasts and k not in wrong]:
            del self.told[key]

    def _notice(self, wrong: Mapping[str, Problem], now: float) -> Notice:
        late = {k for k, one in self.told.items() if now - one.at >= self._config.again_s}
        late -= self._waiting.keys()
        still = [one for key, one in wrong.items() if key in late and one.lasts]
        # a node that has just begun needs time to see what is wrong
        since = now - OVER_S
        over = [
            k for k, one in self.told.items() if one.lasts and max(one.seen, self._began) <= since
        ]
        return Notice(self._node, tuple(self._waiting.values()), still, over)

    def _is_taken(self, notice: Notice, now: float) -> bool:
        """Send; after a failure a pause that doubles, and a line in the log the first time."""
        try:
            self._send(notice)
        except Exception as error:  # noqa: BLE001 - the others must be told all the same
            why = error if isinstance(error, TryLater | ConfigError) else type(error).__name__
            metrics.NOTICES.labels(self.name, "failed").inc()
            if not self._failures:
                log.error("notice=%s not taken, it will be sent again: %s", self.name, why)
            self._next = now + min(FIRST_S * 2**self._failures, LONGEST_S)
            self._failures += 1
            return False
        metrics.NOTICES.labels(self.name, "sent").inc()
        log.info("notice=%s sent problems=%d", self.name, len(notice.lines))
        self._next, self._failures = now + self._config.pause_s, 0
        return True
