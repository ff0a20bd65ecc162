"""Runs periodic tasks one after the other in one thread, each with its own metric."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msnode import metrics
from msnode.flow.analysis import unexpected
from msnode.store.disk_space import is_full

log = logging.getLogger(__name__)

AGAIN_S = 60.0
"""A failed task is retried after this time, or after its interval if that is shorter."""
STOP_S = 2.0
"""How long a stop waits for the running task."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done every ``interval_s`` seconds.

    Attributes:
        name: its label in metrics and in the log.
        interval_s: from the end of one run to the next; the first is at once.
        run: returns True if there is more to do; then it runs again in the next round.
    """

    name: str
    interval_s: float
    run: Callable[[], bool | None]


class Periodic(threading.Thread):
    """Runs tasks until stopped; one that fails (a locked database) does not hold up the others.

    Args:
        tasks: run in this order if several are due.
        round_s: seconds between two checks of what is due.

    Attributes:
        last_sign: when all was last well, by the monotonic clock; see `sign`.
    """

    def __init__(self, tasks: Sequence[Task], round_s: float) -> None:
        super().__init__(name="periodic", daemon=True)
        self._round_s = round_s
        self._due = dict.fromkeys(tasks, 0.0)
        self._troubles: dict[str, str] = {}
        self._stopping = threading.Event()
        self.last_sign = time.monotonic()

    def run(self) -> None:
        """One round after the other."""
        while not self._stopping.wait(self._round_s):
            self.round()

    def round(self) -> None:
        """Run what is due, unless the node is stopping."""
        due = [task for task, at in self._due.items() if time.monotonic() >= at]
        ended_well = [self._run(task) for task in due if not self._stopping.is_set()]
        if all(ended_well):
            self.sign()

    def sign(self) -> None:
        """Record that the thread makes progress, for instance within a long task."""
        self.last_sign = time.monotonic()

    def stop(self) -> None:
        """Wait for the running task, but not for long: the database may hold it up."""
        self._stopping.set()
        if self.is_alive():
            self.join(STOP_S)

    def _run(self, task: Task) -> bool:
        """Run one task; returns False if its failure counts against the node's health."""
        self._due[task] = time.monotonic() + min(task.interval_s, AGAIN_S)  # should it fail
        try:
            with metrics.PERIODIC_SECONDS.labels(task.name).time():
                is_more = task.run()
        except Exception as error:  # noqa: BLE001 - one task must not end all the others
            metrics.PERIODIC_FAILURES.labels(task.name).inc()
            return self._note(task, error)
        self._troubles.pop(task.name, None)
        self._due[task] = time.monotonic() + (0.0 if is_more else task.interval_s)
        return True

    def _note(self, task: Task, error: Exception) -> bool:
        """Log a failure once; a full disk does not count against health: no restart helps."""
        trouble = "a disk is full" if is_full(error) else type(error).__name__
        if self._troubles.get(task.name) != trouble:
            self._troubles[task.name] = trouble
            if is_full(error):
                log.error("a disk is full: work waits for room error=%s", type(error).__name__)
            else:
                unexpected(error, f"task {task.name}")
        return is_full(error)
