"""The durable inbox: what was acknowledged is on disk, can be found again, and is never lost.

The thread that received an instance fsyncs its file and the name in ``instances/<study>/``. That
alone makes it safe: if a crash or a power cut loses its row, the row is rebuilt from the file, and
the name shows whether the content is complete. If the study's row, and so its patient, is known, an
image is answered at this point; its row follows within LAG_S, together with others in one
transaction. Everything else is decided in the database before it is answered.
"""

import collections
import itertools
import logging
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from msnode import config, metrics
from msnode.errors import TryLater
from msnode.receive.dicom.dimse_status import NOT_UNDERSTOOD, StoreRefused
from msnode.receive.dicom.sop_classes import MR, Analysed
from msnode.receive.inbox.fetched import Fetched
from msnode.receive.inbox.folders import Folders
from msnode.receive.inbox.incoming import own_folder, remove_abandoned
from msnode.receive.inbox.part10 import Spool, read_arrival
from msnode.receive.inbox.quarantine import keep_aside
from msnode.receive.inbox.rows import Arrival, Ledger, Outcome, Taken
from msnode.receive.inbox.senders import Senders
from msnode.receive.inbox.studies import HasAll, Studies
from msnode.records.images import Study
from msnode.store.database import instances
from msnode.store.disk_space import DiskSpace
from msnode.store.for_reading import for_reading
from msnode.store.patients import patient_secret
from msnode.store.private import make_private

log = logging.getLogger(__name__)

LAG_S = 0.1  # how long a row waits for others; a transaction takes as long as ten rows
BACKLOG = 1000  # rows that may be pending; with more, senders wait until the database catches up
RETRY_S = 1.0
PATIENCE_S = 8.0  # with a locked SQLite; a sender waits at most twice as long for its answer
CLOSE_S = 3.0  # for the last rows at a stop; what is not written is rebuilt at the next start
KEPT = (Taken.STORED, Taken.CONFLICT)
STUDIES = 10_000  # whose patients are remembered
_PATHS = sa.select(instances.c.path).where(instances.c.study_key == sa.bindparam("key"))


@dataclass(slots=True, eq=False)
class _Job:
    """An arrival whose row is to be written, and what became of it."""

    arrival: Arrival
    outcome: Outcome | TryLater = field(default_factory=lambda: TryLater("not written"))


class Inbox:
    """Keeps instances.

    Args:
        engine: the database, migrated.
        folder: the data folder; gets ``incoming/``, ``instances/`` and ``patient.key``.
        room: free space on its disk and the limits to keep; by default no limits.
        conflicts: ``config.Receive.conflicts``.
        analysed: images that make a study worth analysing.

    Attributes:
        studies: what the instances belong to, and when it is complete.
        senders: the associations that they come on.
        fetched: what we asked for ourselves.
    """

    def __init__(
        self,
        engine: sa.Engine,
        folder: Path,
        room: DiskSpace | None = None,
        conflicts: config.Conflicts = "keep",
        analysed: Analysed = Analysed(),  # noqa: B008 - frozen
    ) -> None:
        self.engine = engine
        self.folder = folder
        self.studies = Studies(engine, folder, conflicts, analysed)
        self._refuses = conflicts == "refuse"
        self._analysed = analysed
        for name in ("incoming", "instances", "quarantine"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private(folder)
        self.fetched = Fetched(engine, folder)
        self._incoming, self._lock_file = own_folder(folder / "incoming")
        self.senders = Senders(engine, self._incoming.name)
        self._numbers = itertools.count()
        self.room = room or DiskSpace(folder)
        self.secret = patient_secret(folder / "patient.key")
        self._relaxed = engine.execution_options(
            sqlite_synchronous="NORMAL", sqlite_patience_s=PATIENCE_S
        )
        self._reading = for_reading(engine)  # so that no receiver waits for a rebuild
        self._folders = Folders()
        self._patients: dict[str, str] = {}  # of studies with a row
        self._late: collections.deque[_Job] = collections.deque()  # answered
        self._waiting: collections.deque[_Job] = collections.deque()  # not answered
        self._committing = threading.Lock()
        self._stopping = threading.Event()
        self._writer = threading.Thread(target=self._write, name="inbox", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Write the pending rows; remove the folder of half-received files."""
        self._stopping.set()
        self._writer.join(CLOSE_S)
        if self._late or self._writer.is_alive():
            log.error("rows left to the next start instances=%d", len(self._late))
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._lock_file.close()

    def new_path(self) -> str:
        """A new path to receive an instance into; nothing else uses it."""
        return f"{self._incoming}/{next(self._numbers)}.part"

    def is_first(self, study_key: str) -> bool:
        """Whether this is the first recent image of a study; then more of its header is read."""
        return study_key not in self._patients

    def is_full(self, arrival: Arrival, limit: int) -> bool:
        """Whether an arrival would exceed its study's limit; a file already here does not."""
        place = self._place(arrival)
        return self._folders.count(os.path.dirname(place)) >= limit and not os.path.exists(place)

    def _place(self, arrival: Arrival) -> str:
        """Where its file belongs; a string, as a `Path` takes longer to make than to use."""
        return f"{self.folder}/{arrival.place}"

    def store(self, arrival: Arrival, spool: Spool) -> Taken:
        """Keep an instance; returns when it is safe.

        Args:
            arrival: what it is.
            spool: its file; the caller closes it.

        Returns:
            `Taken.STORED`, `Taken.DUPLICATE` or `Taken.OWN`. Other content under a known UID is a
            conflict: it is counted and kept beside the first. It replaces the first if that is the
            policy, or if the study could not be analysed with the first.

        Raises:
            StoreRefused: 0xA900, the study belongs to another patient; 0xC002, a conflict.
            OSError: the disk did not take it.
            TryLater: the database did not take it.
        """
        is_new = self._folders.link(spool, self._place(arrival))
        job = _Job(arrival)
        if is_new and self._is_routine(arrival):
            self._late.append(job)
            return Taken.STORED
        self._waiting.append(job)
        self.flush()
        if isinstance(job.outcome, TryLater):
            raise job.outcome  # the file stays: it may have a row of another arrival by now
        if is_new and job.outcome not in (*KEPT, Taken.DUPLICATE):
            (self.folder / arrival.place).unlink()
        if not is_new and job.outcome in KEPT:
            # the file that was there had no row, or retention deleted both meanwhile
            self._folders.link(spool, self._place(arrival))
        if isinstance(job.outcome, StoreRefused):
            raise job.outcome
        return Taken.STORED if job.outcome == Taken.CONFLICT else job.outcome

    def _is_routine(self, arrival: Arrival) -> bool:
        """Whether there is nothing to decide: an image for a known study of the same patient."""
        return (
            not self._refuses
            and arrival.header.sop_class_uid in MR
            and self._patients.get(arrival.study_key) == arrival.patient_key
            and len(self._late) < BACKLOG
        )

    def _write(self) -> None:
        """Write pending rows until stopped, then once more; no error may end this thread."""
        while not self._stopping.wait(LAG_S):
            if not self._write_late():
                self._stopping.wait(RETRY_S)
        self._write_late()

    def _write_late(self) -> bool:
        """Write the pending rows; False if any are still pending."""
        try:
            return not (self._late or self.senders.is_due) or self.flush()
        except Exception as error:  # noqa: BLE001 - without this thread no row would be written
            log.error("rows not written error=%s", type(error).__name__)
            return False

    def flush(self) -> bool:
        """Write every row that is due, in one transaction; False if the database did not take it.

        Rows that could not be written stay due if their senders were already answered.
        """
        with self._committing:
            late, waiting = _drain(self._late), _drain(self._waiting)
            jobs = late + waiting  # none, if the thread before us wrote ours with its own
            try:
                self._settle(jobs)
            except sa.exc.OperationalError as error:
                _fail(jobs, error)
            except Exception:  # noqa: BLE001 - whatever it is, nobody may be answered "stored"
                # one of them is at fault, or another host added the same study just now
                for job in jobs:
                    self._settle_alone(job)
            self._late.extend(job for job in late if isinstance(job.outcome, TryLater))
            for job in late:
                if isinstance(job.outcome, StoreRefused):
                    keep_aside(self.folder, self.folder / job.arrival.place, job.outcome)
        is_written = not any(isinstance(job.outcome, TryLater) for job in jobs)
        return self.senders.write() and is_written

    def _settle(self, jobs: list[_Job]) -> None:
        """Decide and write, in one transaction."""
        if not jobs:
            return
        arrivals = [job.arrival for job in jobs]
        with self._relaxed.begin() as connection:
            ledger = Ledger(connection, arrivals, self._analysed, refuses=self._refuses)
            outcomes = [ledger.add(arrival) for arrival in arrivals]
            ledger.write()
            for study_key in sorted({arrival.study_key for arrival in ledger.conflicts}):
                self.studies.reconsider(connection, study_key)
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.outcome = outcome
        for arrival in ledger.conflicts:
            metrics.CONFLICTS.inc()
            log.warning("other content under a known UID file=%s", arrival.place)
        if len(self._patients) > STUDIES:
            self._patients.clear()
        self._patients |= ledger.patients()

    def _settle_alone(self, job: _Job) -> None:
        """Try a job again by itself, after its batch failed."""
        try:
            self._settle([job])
        except Exception as error:  # noqa: BLE001 - as in flush
            _fail([job], error)

    def complete(
        self,
        now: float,
        rule: config.Complete,
        has_wanted: Callable[[Sequence[Path]], bool],
        limit_s: float = math.inf,
        has_all: HasAll | None = None,
    ) -> list[Study]:
        """As ``Studies.complete``, after writing every row that is due."""
        self.flush()
        return self.studies.complete(now, rule, has_wanted, limit_s, has_all)

    def rebuild(self, age_s: float = 0.0) -> int:
        """Repair after a crash: add missing rows, delete half-received files.

        Args:
            age_s: younger files are left alone, as the host that received them may still run.

        Returns:
            Number of instances found without a row.
        """
        folders = (self.folder / "incoming").iterdir()
        if abandoned := [left.name for left in folders if remove_abandoned(left)]:
            self.senders.lose(abandoned)
        latest = time.time() - age_s if age_s else math.inf
        found = 0
        for at, path in sorted((path.lstat().st_mtime, path) for path in self._without_rows()):
            if at <= latest:  # as they arrived
                found += self._adopt(path)
        if found:
            log.warning("inbox rebuilt instances=%d", found)
        return found

    def _without_rows(self) -> Iterator[Path]:
        """Files that have no row, study by study: all paths at once would fill the memory."""
        for folder in (self.folder / "instances").iterdir():
            names = {path.name for path in folder.glob("*.dcm")}
            with self._reading.connect() as connection:
                paths = connection.scalars(_PATHS, {"key": folder.name})
                names.difference_update(path.rpartition("/")[2] for path in paths)
            yield from map(folder.joinpath, names)

    def _adopt(self, path: Path) -> bool:
        """Write a row for a file without one; a file that is not readable DICOM is kept aside."""
        try:
            job = _Job(read_arrival(path, self.secret))
            if (self.folder / job.arrival.place) != path:
                raise StoreRefused(NOT_UNDERSTOOD, "content does not match the file's name")
        except StoreRefused as refused:
            keep_aside(self.folder, path, refused)
            return False
        except OSError as error:
            log.error("file unreadable file=%s error=%s", path.name, type(error).__name__)
            return False
        self._waiting.append(job)
        self.flush()
        if isinstance(job.outcome, StoreRefused):
            keep_aside(self.folder, path, job.outcome)
        return job.outcome in KEPT


def _drain(queue: collections.deque[_Job]) -> list[_Job]:
    """All jobs that are in a queue now."""
    return [queue.popleft() for _ in range(len(queue))]


def _fail(jobs: list[_Job], error: Exception) -> None:
    """Mark these jobs as not written."""
    log.error("rows not written instances=%d error=%s", len(jobs), type(error).__name__)
    for job in jobs:
        job.outcome = TryLater(f"database: {type(error).__name__}")
