"""Moves files into their folders durably; threads share one fsync of a folder."""

import os
import threading
from pathlib import Path

from msnode.receive.inbox.part10 import Spool
from msnode.store.files import fsync

REMEMBERED = 10_000
"""Folders remembered; beyond that all are forgotten, and counted again when a file comes."""


class Folders:
    """The folders that received files go to."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}  # files in folders whose own names are fsynced
        self._lock = threading.Lock()
        self._linked = 0  # files so far
        self._dirty: set[str] = set()  # folders with names that are not fsynced
        self._syncing = threading.Lock()
        self._synced = 0  # files whose names are durable

    def link(self, spool: Spool, place: str) -> bool:
        """Give a received file its final name; content and name are durable when this returns.

        Returns:
            False if the same content was there already.

        Raises:
            OSError: the disk did not take it.
        """
        folder = os.path.dirname(place)
        self._make(folder)
        is_new = spool.link(place)
        with self._lock:
            if folder in self._counts:
                self._counts[folder] += is_new
            self._dirty.add(folder)
            self._linked += 1
            mine = self._linked
        with self._syncing:
            if mine > self._synced:  # else the thread before us synced for us too
                self._sync()
        return is_new

    def count(self, folder: str) -> int:
        """Number of files in a folder, counting those added through this object."""
        if folder in self._counts:
            return self._counts[folder]
        return _files(folder) if os.path.isdir(folder) else 0

    def _make(self, folder: str) -> None:
        """Make the folder of a study; its name is durable when this returns."""
        if folder in self._counts and os.path.isdir(folder):
            return
        Path(folder).mkdir(mode=0o700, exist_ok=True)
        fsync(Path(folder).parent)
        if len(self._counts) > REMEMBERED:
            self._counts.clear()
        self._counts[folder] = _files(folder)

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


def _files(folder: str) -> int:
    with os.scandir(folder) as files:
        return sum(1 for _ in files)
