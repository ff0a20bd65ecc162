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
"""After a task failed it comes again so soon, unless its interval is shorter."""
STOP_S = 2.0
"""For the task under way at a stop."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done every ``interval_s`` seconds.

    Attributes:
        name: label of its metrics, word in the log.
        interval_s: from the end of one run to the next; the first is at once.
        run: returns True where there is more to do, and it comes again with the next round.
    """

    name: str
    interval_s: float
    run: Callable[[], bool | None]


class Periodic(threading.Thread):
    """Runs tasks until stopped; what fails once (a locked database) keeps no other from its turn.

    Args:
        tasks: in the order in which they are run where several are due.
        round_s: between two looks at what is due.

    Attributes:
        last_sign: by the monotonic clock, when last nothing was amiss; see `sign`.
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
        """Run what is due, as long as the node is not to stop."""
        due = [task for task, at in self._due.items() if time.monotonic() >= at]
        ended_well = [self._run(task) for task in due if not self._stopping.is_set()]
        if all(ended_well):
            self.sign()

    def sign(self) -> None:
        """Record that the thread makes progress, for instance within a long task."""
        self.last_sign = time.monotonic()

    def stop(self) -> None:
        """Finish the task under way, unless the database makes it wait for long."""
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
        """Log a failure once; a full disk is not held against health, as a restart is no help."""
        trouble = "a disk is full" if is_full(error) else type(error).__name__
        if self._troubles.get(task.name) != trouble:
            self._troubles[task.name] = trouble
            if is_full(error):
                log.error("a disk is full: work waits for room error=%s", type(error).__name__)
            else:
                unexpected(error, f"task {task.name}")
        return is_full(error)
