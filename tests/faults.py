"""A disk and a database that fail at a chosen moment, in the test's own process.

Every call that changes something below a folder is a point: a file or folder made, written,
flushed, linked, renamed, deleted; a row written, a transaction committed. Nobody lists them:
`every_point` runs a scenario again and again, each time with the fault one point later, until it
gets through without meeting it.
"""

import builtins
import errno
import io
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy.engine.default import DefaultDialect

FULL, FAULTY = errno.ENOSPC, errno.EIO
SQLITE = {
    FULL: (sqlite3.SQLITE_FULL, "database or disk is full"),
    FAULTY: (sqlite3.SQLITE_IOERR, "disk I/O error"),
}
WRITES = ("INSERT", "UPDATE", "DELETE")


class Faults:
    """Counts the points that are passed and fails one of them, or all from it on.

    Args:
        folder: calls on files elsewhere do not count.
        number: ENOSPC or EIO.

    Attributes:
        fired: what failed, or None.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.fired: str | None = None
        self._folder = str(folder)
        self._number = number
        self._lock = threading.Lock()
        self._left = 0
        self._lasts = False

    def arm(self, point: int, *, lasts: bool) -> None:
        """Fail at a point, counted from 1 from now; with ``lasts`` until `clear`."""
        with self._lock:
            self.fired, self._left, self._lasts = None, point, lasts

    def clear(self) -> None:
        """Let everything succeed again."""
        with self._lock:
            self._left, self._lasts = 0, False

    def _is_due(self, what: str) -> bool:
        """Pass a point."""
        with self._lock:
            if self._left == 0:
                return self._lasts and self.fired is not None
            self._left -= 1
            if self._left:
                return False
            self.fired = what
            return True

    def on_disk(self, what: str, path: object) -> None:
        """A point on the disk."""
        if isinstance(path, int):
            path = Path(f"/proc/self/fd/{path}").readlink()
        if str(path).startswith(self._folder) and self._is_due(f"{what} {path}"):
            raise OSError(self._number, os.strerror(self._number), str(path))

    def in_database(self, what: str) -> None:
        """A point in the database, as SQLite raises it."""
        if self._is_due(what):
            code, message = SQLITE[self._number]
            error = sqlite3.OperationalError(message)
            error.sqlite_errorcode = code
            raise error


class _File:
    """A file that is written with faults."""

    def __init__(self, file: Any, path: object, faults: Faults) -> None:
        self._file, self._path, self._faults = file, path, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_File":
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._file.__exit__(*error)

    def write(self, data: Any) -> int:
        self._faults.on_disk("write", self._path)
        written: int = self._file.write(data)
        return written


@contextmanager
def installed(faults: Faults) -> Iterator[None]:
    """Have the calls of this process pass the points."""
    with ExitStack() as stack:
        for name in ("write", "fsync", "replace", "rename", "link", "mkdir", "unlink", "rmdir"):
            stack.enter_context(patch.object(os, name, _first(faults, name, getattr(os, name))))
        stack.enter_context(patch.object(os, "open", _making(faults, os.open)))
        opener = _opening(faults, io.open)
        for module in (io, builtins):
            stack.enter_context(patch.object(module, "open", opener))
        for name in ("do_execute", "do_executemany"):
            call = _executing(faults, getattr(DefaultDialect, name))
            stack.enter_context(patch.object(DefaultDialect, name, call))
        commit = _committing(faults, DefaultDialect.do_commit)
        stack.enter_context(patch.object(DefaultDialect, "do_commit", commit))
        yield


def every_point(
    faults: Faults, scenario: Callable[[int], None], *, lasts: bool, stride: int = 1
) -> int:
    """Run a scenario with the fault at each point, or at every so manieth.

    Returns:
        How many times it met the fault.
    """
    for number, point in enumerate(range(1, 100_000, stride)):
        faults.arm(point, lasts=lasts)
        scenario(point)
        faults.clear()
        if faults.fired is None:
            return number
    raise AssertionError("the scenario never gets through")


def _first(faults: Faults, name: str, call: Any) -> Any:
    """A call whose last path, or only descriptor, says where it works."""

    def checked(*arguments: Any, **options: Any) -> Any:
        target = arguments[1] if name in ("replace", "rename", "link") else arguments[0]
        faults.on_disk(name, target)
        return call(*arguments, **options)

    return checked


def _making(faults: Faults, call: Any) -> Any:
    """os.open, where it makes a file."""

    def checked(path: Any, flags: int, *arguments: Any, **options: Any) -> Any:
        if flags & os.O_CREAT:
            faults.on_disk("open", path)
        return call(path, flags, *arguments, **options)

    return checked


def _opening(faults: Faults, call: Any) -> Any:
    """open, where it is for writing."""

    def checked(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        opened = call(file, mode, *arguments, **options) if set(mode) <= set("rbt") else None
        if opened is not None or isinstance(file, int):
            return opened or call(file, mode, *arguments, **options)
        faults.on_disk("open", file)
        return _File(call(file, mode, *arguments, **options), file, faults)

    return checked


def _executing(faults: Faults, call: Any) -> Any:
    """The execution of a statement, where it writes."""

    def checked(dialect: Any, cursor: Any, statement: str, *arguments: Any, **options: Any) -> Any:
        if statement.lstrip().upper().startswith(WRITES):
            faults.in_database(statement.split("(")[0][:40])
        return call(dialect, cursor, statement, *arguments, **options)

    return checked


def _committing(faults: Faults, call: Any) -> Any:
    def checked(dialect: Any, connection: Any) -> Any:
        faults.in_database("COMMIT")
        return call(dialect, connection)

    return checked
