"""Work on a study that may still grow: done while its quiet time runs, used if no image came.

Everything is kept in memory, but for what `prepare` leaves in the folder of the coming generation;
a step that finds nothing here does the work itself. So nothing depends on it but when a result is
there. One study at a time, and none while any is queued: whoever is complete comes first.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from msnode import metrics
from msnode.errors import origin
from msnode.flow.analysis import Analysis
from msnode.flow.lesion_analysis import Outlined
from msnode.records.images import Study

log = logging.getLogger(__name__)

T = TypeVar("T")
KEPT = 2
"""Studies of which something is kept: one that is worked on, one that is about to be complete."""


@dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """One stage: what it does with a study, and what came of it, None where nothing did."""

    do: Callable[[Study], T | None]
    done: Future[T | None] = field(default_factory=Future)

    def run(self, study: Study) -> T | None:
        """Do it; returns what came of it."""
        try:
            made = self.do(study)
        except Exception as error:  # noqa: BLE001 - the durable step meets it again, and tells
            log.info("study=%s work ahead failed error=%s at=%s", study.key, *origin(error))
            made = None
        self.done.set_result(made)
        return made


@dataclass(slots=True)
class Attempt:
    """A study as it was when work on it began.

    Attributes:
        is_stale: another image has come since: what is not begun is left.
    """

    study: Study
    prepare: Work[Analysis]
    outline: Work[Outlined]
    classify: Work[Analysis]
    is_stale: bool = False

    def run(self) -> None:
        """Prepare it; then outline and classify, beside each other: each leaves cores idle."""
        made = self.prepare.run(self.study)
        if made is None or made.reason is not None or self.is_stale:
            self.outline.done.set_result(None)
            self.classify.done.set_result(None)
            return
        with ThreadPoolExecutor(1, "ahead") as beside:
            beside.submit(self.classify.run, self.study)
            self.outline.run(self.study)


class Ahead:
    """Begins such work, and hands it out.

    Args:
        prepare: into the folder of the study's generation; a reason in it ends the work.
        outline: what was prepared there; None where nothing outlines.
        classify: likewise; may wait for what is outlined.
    """

    def __init__(
        self,
        prepare: Callable[[Study], Analysis | None],
        outline: Callable[[Study], Outlined | None],
        classify: Callable[[Study], Analysis | None],
    ) -> None:
        self._stages = prepare, outline, classify
        self._attempts: OrderedDict[str, Attempt] = OrderedDict()
        self._running: Future[None] | None = None
        self._is_stopped = False
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "ahead")

    def begin(self, study: Study) -> None:
        """Begin with a study, unless one is worked on or this was done with the same images."""
        with self._lock:
            is_busy = self._running is not None and not self._running.done()
            if is_busy or self._is_stopped:
                return
            known = self._attempts.get(study.key)
            if known is not None and _is_same(known, study):
                return
            prepare, outline, classify = self._stages
            attempt = Attempt(study, Work(prepare), Work(outline), Work(classify))
            self._attempts[study.key] = attempt
            self._attempts.move_to_end(study.key)
            while len(self._attempts) > KEPT:
                self._attempts.popitem(last=False)
            self._running = self._worker.submit(attempt.run)

    def prepared(self, study: Study) -> Analysis | None:
        """What was prepared, in the folder of the study's generation; None where nothing was.

        Whatever it returns, nobody else writes into that folder any more.
        """
        attempt = self._of(study)
        made = attempt.prepare.done.result() if attempt is not None else None
        if made is not None:
            metrics.AHEAD.labels("used").inc()
        return made

    def outlined(self, study: Study) -> Outlined | None:
        """What was outlined; None where nothing was."""
        attempt = self._of(study)
        return attempt.outline.done.result() if attempt is not None else None

    def classified(self, study: Study) -> Analysis | None:
        """What was classified, after which nothing is kept of the study; None where nothing was."""
        attempt = self._of(study)
        made = attempt.classify.done.result() if attempt is not None else None
        self._forget(study)
        return made

    def stop(self) -> None:
        """Begin nothing more; what is under way is left alone."""
        with self._lock:
            self._is_stopped = True
            for attempt in self._attempts.values():
                attempt.is_stale = True
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _of(self, study: Study) -> Attempt | None:
        """The work on exactly these images; what was done on others is left."""
        with self._lock:
            attempt = self._attempts.get(study.key)
        if attempt is None or _is_same(attempt, study):
            return attempt
        attempt.is_stale = True
        attempt.prepare.done.result()  # it may be writing into the folder
        self._forget(study)
        metrics.AHEAD.labels("stale").inc()
        return None

    def _forget(self, study: Study) -> None:
        with self._lock:
            self._attempts.pop(study.key, None)


def _is_same(attempt: Attempt, study: Study) -> bool:
    """Whether a study has the very images that were worked on; a file's content never changes."""
    return (attempt.study.generation, attempt.study.paths) == (study.generation, study.paths)
