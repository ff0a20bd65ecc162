"""Asks the node now and then what it says of itself, and what is wrong with it by that."""

import logging
import threading
import time
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from msnode.config import Http
from msnode.errors import origin
from msnode.manage.node_metrics import NodeMetrics, fetch
from msnode.notices.conditions import Conditions, Problem, Samples

log = logging.getLogger(__name__)

LOOK_S = 10.0
SAME_START_S = 120.0
"""A node that began so shortly before us was followed from its begin."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the node said last.

    Attributes:
        at: when it was asked, unix time in seconds.
        said: None: it did not answer.
        problems: what is wrong now.
    """

    at: float
    said: NodeMetrics | None
    problems: tuple[Problem, ...] = ()


class NodeWatch(threading.Thread):
    """Asks until it is stopped.

    Args:
        http: where the node answers.
    """

    def __init__(self, http: Http) -> None:
        super().__init__(name="node-watch", daemon=True)
        self._http = http
        self._began_at = time.time()
        self._stopping = threading.Event()
        self._looking = threading.Lock()
        self._conditions = Conditions(self._read)
        self._said: NodeMetrics | None = None
        self._process = 0.0
        self.last: Watched | None = None

    def run(self) -> None:
        """One look after the other."""
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the next look must come
                log.error("looking at the node failed error=%s at=%s", *origin(error))
            self._stopping.wait(LOOK_S)

    def look(self) -> Watched:
        """Ask now."""
        with self._looking:
            said = fetch(self._http)
            if said is None:
                self.last = Watched(time.time(), None)
                return self.last
            self._said = said
            if said.started_at != self._process:  # a node that was started anew counts from 0
                self._process = said.started_at
                is_ours = said.started_at > self._began_at - SAME_START_S
                self._conditions = Conditions(self._read, from_begin=is_ours)
            problems = self._conditions.problems(time.monotonic())
            self.last = Watched(time.time(), said, tuple(problems))
            return self.last

    def _read(self, metric: Counter | Gauge) -> Samples:
        assert self._said is not None  # noqa: S101 - it is looked at when it has answered
        return self._said.read(metric)

    def stop(self) -> None:
        """Begin no other look."""
        self._stopping.set()
