"""Files into their folders, durably; one fsync of a folder serves all that wait for it."""

import threading
from pathlib import Path

from msnode.files import fsync
from msnode.receive.part10 import Spool


class Folders:
    """The folders that received files go to."""

    def __init__(self) -> None:
        self._durable: set[Path] = set()  # folders whose own names are fsynced
        self._lock = threading.Lock()
        self._linked = 0  # files so far
        self._dirty: set[Path] = set()  # folders with names that are not fsynced
        self._syncing = threading.Lock()
        self._synced = 0  # files whose names are durable

    def link(self, spool: Spool, place: Path) -> bool:
        """Give a received file its final name; content and name are durable when this returns.

        Returns:
            False if the same content was there already.

        Raises:
            OSError: the disk did not take it.
        """
        self._make(place.parent)
        is_new = spool.link(place)
        with self._lock:
            self._dirty.add(place.parent)
            self._linked += 1
            mine = self._linked
        with self._syncing:
            if mine > self._synced:  # else the thread before us synced for us too
                self._sync()
        return is_new

    def _make(self, folder: Path) -> None:
        """The folder of a study, with a durable name."""
        if folder not in self._durable or not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
            fsync(folder.parent)
            self._durable.add(folder)

    def _sync(self) -> None:
        """Make all names given so far durable."""
        with self._lock:
            upto, dirty = self._linked, self._dirty
            self._dirty = set()
        try:
            for folder in dirty:
                fsync(folder)
        except OSError:
            with self._lock:
                self._dirty |= dirty
            raise
        self._synced = upto
