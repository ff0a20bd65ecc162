"""The durable inbox: what was acknowledged is on disk, has a row, and is never lost.

The thread that received an instance links its file into ``instances/<study>/`` and fsyncs it.
Then one of the threads that wait for it fsyncs the folder and commits the rows, once for all of
them; only then are the senders answered. On SQLite that commit is not fsynced in its turn: it
survives the end of the process, and a row lost with the power is rebuilt from its file, whose name
tells whether its content is complete.
"""

import collections
import contextlib
import fcntl
import itertools
import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa

from msnode import metrics
from msnode.database import instances
from msnode.errors import TryLater
from msnode.files import fsync
from msnode.receive.classes import ANALYSED
from msnode.receive.part10 import Spool, read_arrival
from msnode.receive.rows import Arrival, Outcome, record
from msnode.receive.status import StoreRefused
from msnode.receive.studies import Studies

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    """An arrival that waits for its commit, and what became of it."""

    arrival: Arrival
    outcome: Outcome | TryLater | None = None


class Inbox(Studies):
    """Keeps instances and the state of their studies.

    Args:
        engine: the database, migrated.
        folder: the data folder; gets ``incoming/``, ``instances/`` and ``patient.key``.
        analysed: SOP classes whose images make a study worth analysing.
    """

    def __init__(
        self, engine: sa.Engine, folder: Path, analysed: Collection[str] = ANALYSED
    ) -> None:
        super().__init__(engine, folder, analysed)
        for name in ("incoming", "instances", "quarantine"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._incoming, self._lock_file = _own_folder(folder / "incoming")
        self._numbers = itertools.count()
        self._free = (0.0, 0)  # when to look again, bytes
        self._relaxed = engine.execution_options(sqlite_synchronous="NORMAL")
        self._durable: set[Path] = set()  # folders whose own name is fsynced
        self.secret = _secret(folder / "patient.key")
        self._waiting: collections.deque[_Job] = collections.deque()
        self._committing = threading.Lock()

    def close(self) -> None:
        """Give up the folder of half-received files."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._lock_file.close()

    def new_path(self) -> Path:
        """Where to write an instance that comes in; nobody else uses it."""
        return self._incoming / f"{next(self._numbers)}.part"

    def free_bytes(self) -> int:
        """Free space on the data disk, at most a second old."""
        until, free = self._free
        now = time.monotonic()
        if now >= until:
            free = shutil.disk_usage(self.folder).free
            self._free = now + 1, free
        return free

    def store(self, arrival: Arrival, spool: Spool) -> str:
        """Keep an instance; returns when it is safe.

        Args:
            arrival: what it is.
            spool: its file, which stays the caller's to close.

        Returns:
            ``stored``, ``conflict`` (same UID, other content: kept beside the first),
            ``duplicate`` (already here) or ``own`` (our result coming back: not kept).

        Raises:
            StoreRefused: 0xA900, the study belongs to another patient.
            OSError: the disk did not take it.
            TryLater: the database did not take it.
        """
        is_new = self._place(arrival, spool)
        job = _Job(arrival)
        self._waiting.append(job)
        with self._committing:
            if job.outcome is None:  # else the thread before us committed it with its own
                self._commit_waiting()
        if job.outcome in ("stored", "conflict", "duplicate"):
            return str(job.outcome)
        if isinstance(job.outcome, TryLater):
            raise job.outcome  # the file stays: should it have a row by now, it is not ours alone
        if is_new:
            (self.folder / arrival.place).unlink()
        if isinstance(job.outcome, StoreRefused):
            raise job.outcome
        return "own"

    def _place(self, arrival: Arrival, spool: Spool) -> bool:
        """File into the study's folder; False if the same content is there already."""
        place = self.folder / arrival.place
        if place.parent not in self._durable:
            place.parent.mkdir(mode=0o700, exist_ok=True)
            fsync(place.parent.parent)
            self._durable.add(place.parent)
        return spool.link(place)

    def _commit_waiting(self) -> None:
        """Commit whatever waits, one transaction for all; the lock is held."""
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            self._settle(batch)
        except sa.exc.SQLAlchemyError:
            # one of them is at fault, or another host added the same study just now
            for job in batch:
                self._settle_alone(job)

    def _settle(self, batch: list[_Job]) -> None:
        outcomes = self._commit([job.arrival for job in batch])
        for job, outcome in zip(batch, outcomes, strict=True):
            job.outcome = outcome

    def _settle_alone(self, job: _Job) -> None:
        """A job that failed in company, once more; its error goes to its own sender."""
        try:
            self._settle([job])
        except sa.exc.SQLAlchemyError as error:
            log.error("database refused an instance error=%s", type(error).__name__)
            job.outcome = TryLater(f"database: {type(error).__name__}")

    def _commit(self, arrivals: list[Arrival]) -> list[Outcome]:
        """Folders fsynced, then rows for what is new, in one transaction."""
        for folder in {(self.folder / arrival.place).parent for arrival in arrivals}:
            fsync(folder)
        with self._relaxed.begin() as connection:
            return [record(connection, arrival, self.analysed) for arrival in arrivals]

    def rebuild(self) -> int:
        """After a crash: rows for files that have none, and no half-received files.

        Returns:
            Number of instances found without a row.
        """
        for left in (self.folder / "incoming").iterdir():
            _remove_abandoned(left)
        with self.engine.connect() as connection:
            known = set(connection.scalars(sa.select(instances.c.path)))
        found = 0
        for path in sorted((self.folder / "instances").glob("*/*.dcm")):
            if path.relative_to(self.folder).as_posix() not in known:
                found += self._adopt(path)
        if found:
            log.warning("inbox rebuilt instances=%d", found)
        return found

    def _adopt(self, path: Path) -> bool:
        """A row for a file without one; what cannot be read is kept aside."""
        try:
            arrival = read_arrival(path, self.secret)
            if (self.folder / arrival.place) != path:
                raise StoreRefused(0, "content does not match the file's name")
            outcome = self._commit([arrival])[0]
            if isinstance(outcome, StoreRefused):
                raise outcome
            return outcome in ("stored", "conflict")
        except StoreRefused as refused:
            path.rename(self.folder / "quarantine" / path.name)
            metrics.QUARANTINED.labels("unreadable").inc()
            log.error("file quarantined file=%s reason=%r", path.name, refused.comment)
            return False


def _own_folder(incoming: Path) -> tuple[Path, BinaryIO]:
    """A folder of this process alone, and the lock on it that ends with the process."""
    own = Path(tempfile.mkdtemp(dir=incoming))
    lock = (own / "lock").open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return own, lock


def _remove_abandoned(folder: Path) -> None:
    """Delete half-received files, unless the process that receives them lives."""
    if not (folder / "lock").exists():
        return  # its process is just about to lock it
    with (folder / "lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        shutil.rmtree(folder)


def _secret(path: Path) -> bytes:
    """The key of the patient hashes: 32 random bytes, made once, never in the database."""
    with contextlib.suppress(FileExistsError):
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # unlike rename, it never replaces a key already in use
        finally:
            fresh.unlink()
        fsync(path.parent)
    return path.read_bytes()
