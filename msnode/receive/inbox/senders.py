"""Who still sends images of a study, or broke off: no time to call the study complete.

An association that was released has sent all it wanted to. One that is open may send more; one that
was aborted, or that ended with its process, may have left the study unfinished.
"""

import itertools
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from msnode.store.database import SenderState, senders, studies

log = logging.getLogger(__name__)

AGAIN_S = 1.0
"""An open association is noted again so often: its row goes when the study is queued."""

Key = tuple[str, int]
"""Study key and number of the association."""


class Sender:
    """One association, as far as it sends images."""

    def __init__(self, book: "Senders", number: int, caller: str) -> None:
        self._book = book
        self._number = number
        self._caller = caller
        self._noted: dict[str, float] = {}

    def sends(self, study_key: str) -> None:
        """Note that an image of a study came on it."""
        now = time.monotonic()
        if now - self._noted.get(study_key, -AGAIN_S) >= AGAIN_S:
            self._noted[study_key] = now
            self._book.note((study_key, self._number), self._caller, SenderState.OPEN)

    def end(self, is_released: bool) -> None:
        """Note how it ended."""
        state = None if is_released else SenderState.BROKEN
        for study_key in self._noted:
            self._book.note((study_key, self._number), self._caller, state)


class Senders:
    """The table of them; what is noted waits in memory until it is written with others.

    Args:
        engine: the database, migrated.
        process: a name that no other process has.
    """

    def __init__(self, engine: sa.Engine, process: str) -> None:
        self._engine = engine
        self._process = process
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._due: dict[Key, tuple[str, SenderState | None]] = {}
        self._written: set[Key] = set()
        self._writing = threading.Lock()

    def begin(self, caller: str) -> Sender:
        """An association that begins.

        Args:
            caller: its calling AE title.
        """
        return Sender(self, next(self._numbers), caller)

    def note(self, key: Key, caller: str, state: SenderState | None) -> None:
        """Remember what is to be written; None for an association that was released."""
        with self._lock:
            self._due[key] = caller, state

    @property
    def is_due(self) -> bool:
        """Whether anything is to be written."""
        return bool(self._due)

    def write(self) -> bool:
        """Write what is due; False if the database did not take it, and it stays due."""
        with self._writing:  # what one has written, the next may have to delete
            with self._lock:
                due, self._due = self._due, {}
            try:
                if due:
                    self._write(due)
            except sa.exc.SQLAlchemyError as error:
                log.error("senders not written error=%s", type(error).__name__)
                with self._lock:
                    self._due = due | self._due
                return False
            return True

    def _write(self, due: dict[Key, tuple[str, SenderState | None]]) -> None:
        old = [self._row(key) for key in due if key in self._written]
        rows = [
            {**self._row(key), "calling_ae_title": caller, "state": state}
            for key, (caller, state) in due.items()
            if state is not None
        ]
        again = [
            {"study": key[0], "caller": caller}
            for key, (caller, state) in due.items()
            if state is None
        ]
        with self._engine.begin() as connection:
            for statement, values in (_DELETE, old), (_FORGIVE, again), (_INSERT, rows):
                if values:
                    connection.execute(statement, values)
        self._written -= due.keys()
        self._written |= {key for key, (_, state) in due.items() if state is SenderState.OPEN}

    def _row(self, key: Key) -> dict[str, object]:
        return {"study_key": key[0], "process": self._process, "association": key[1]}

    def lose(self, processes: Sequence[str]) -> None:
        """Mark what processes that have died left open as broken."""
        lost = senders.update().where(senders.c.process.in_(processes))
        with self._engine.begin() as connection:
            connection.execute(lost.values(state=SenderState.BROKEN))


_INSERT = senders.insert()
_DELETE = senders.delete().where(
    *(senders.c[name] == sa.bindparam(name) for name in ("study_key", "process", "association"))
)
_FORGIVE = senders.delete().where(
    senders.c.study_key == sa.bindparam("study"),
    senders.c.calling_ae_title == sa.bindparam("caller"),
    senders.c.state == SenderState.BROKEN,
)
"""Whoever broke off, came back and released has sent the rest as well."""


def unreleased() -> sa.ScalarSelect[Any]:
    """Of a study's associations that were not released the worst state; null where all were."""
    assert SenderState.BROKEN < SenderState.OPEN  # noqa: S101 - so that min() takes it
    worst = sa.select(sa.func.min(senders.c.state))
    return worst.where(senders.c.study_key == studies.c.study_key).scalar_subquery()
