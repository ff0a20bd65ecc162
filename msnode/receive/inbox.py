"""The durable inbox: what was acknowledged is on disk, has a row, and is never lost.

An instance's bytes are fsynced in ``incoming/`` by the thread that received them. One writer
thread takes whatever instances wait, decides what each of them is, renames them into
``instances/<study>/``, fsyncs the folders and commits their rows: one commit for all
associations. Only then are the senders answered. A crash in between leaves a file without a
row, which ``rebuild`` finds.
"""

import contextlib
import logging
import os
import queue
import secrets
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from pathlib import Path

import sqlalchemy as sa

from msnode import metrics
from msnode.database import instances
from msnode.errors import TryLater
from msnode.receive.classes import ANALYSED
from msnode.receive.part10 import discard_abandoned, read_arrival
from msnode.receive.rows import Arrival, Ledger, Outcome
from msnode.receive.status import StoreRefused
from msnode.receive.studies import Studies

log = logging.getLogger(__name__)

BATCH = 64  # rows a commit at most; with more, the first of them would wait too long

Job = tuple[Arrival, Future[Outcome]]


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
        self.incoming = folder / "incoming"
        for place in (self.incoming, folder / "instances", folder / "quarantine"):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.secret = _secret(folder / "patient.key")
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="inbox", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Let the writer finish what it was given, then stop it."""
        self._jobs.put(None)
        self._writer.join()

    def store(self, arrival: Arrival) -> str:
        """Keep an instance; returns when it is safe. Its file is moved only if it is kept.

        Returns:
            ``stored``, ``conflict`` (same UID, other content: kept beside the first) or
            ``duplicate`` (already here, or our own result coming back: nothing is kept).

        Raises:
            StoreRefused: 0xA900, the study belongs to another patient.
            OSError: the disk did not take it.
            TryLater: the database did not take it.
        """
        future: Future[Outcome] = Future()
        self._jobs.put((arrival, future))
        outcome = future.result()
        if isinstance(outcome, StoreRefused):
            raise outcome
        return outcome

    def _write(self) -> None:
        """The writer thread: one transaction for all that waits."""
        for batch in self._batches():
            try:
                self._finish_jobs(batch)
            except (OSError, sa.exc.SQLAlchemyError):
                # one of them is at fault, or another host added the same study just now
                for job in batch:
                    self._finish_alone(job)

    def _batches(self) -> Iterator[list[Job]]:
        """Whatever waits, up to BATCH, until ``close``."""
        while (job := self._jobs.get()) is not None:
            batch = [job]
            while len(batch) < BATCH and not self._jobs.empty():
                if (job := self._jobs.get()) is None:
                    yield batch
                    return
                batch.append(job)
            yield batch

    def _finish_jobs(self, batch: list[Job]) -> None:
        outcomes = self._commit([arrival for arrival, _ in batch])
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            future.set_result(outcome)

    def _finish_alone(self, job: Job) -> None:
        """A job that failed in company, once more, with its error going to its own sender."""
        try:
            self._finish_jobs([job])
        except OSError as error:
            job[1].set_exception(error)
        except sa.exc.SQLAlchemyError as error:
            log.error("database refused an instance error=%s", type(error).__name__)
            job[1].set_exception(TryLater(f"database: {type(error).__name__}"))

    def _commit(self, arrivals: list[Arrival]) -> list[Outcome]:
        """Files into place, folders fsynced, rows committed; in this order."""
        with self.engine.begin() as connection:
            ledger = Ledger(connection, arrivals, self.analysed)
            outcomes = [ledger.add(arrival) for arrival in arrivals]
            self._place(
                arrival
                for arrival, outcome in zip(arrivals, outcomes, strict=True)
                if outcome in ("stored", "conflict")
            )
            ledger.write()
        return outcomes

    def _place(self, arrivals: Iterator[Arrival]) -> None:
        """Rename files to their places and make the names durable."""
        folders = set()
        for arrival in arrivals:
            place = self.folder / arrival.place
            if not place.parent.is_dir():
                place.parent.mkdir(mode=0o700)
                folders.add(place.parent.parent)
            if arrival.path.exists() or not place.exists():  # else a failed commit moved it
                arrival.path.rename(place)
            folders.add(place.parent)
        for folder in folders:
            _fsync(folder)

    def rebuild(self) -> int:
        """After a crash: rows for files that have none, and no half-received files.

        Returns:
            Number of instances found without a row.
        """
        for left in self.incoming.iterdir():
            discard_abandoned(left)
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
            return outcome != "duplicate"
        except StoreRefused as refused:
            path.rename(self.folder / "quarantine" / path.name)
            metrics.QUARANTINED.labels("unreadable").inc()
            log.error("file quarantined file=%s reason=%r", path.name, refused.comment)
            return False


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
        _fsync(path.parent)
    return path.read_bytes()


def _fsync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
