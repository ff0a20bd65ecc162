"""Room on the disk: a warning long before it is full, then no more images, and all by itself back.

What stays free when images are refused is for the work under way: what was acknowledged is analysed
and delivered, and the database goes on.
"""

import errno
import logging
import shutil
import sqlite3
import time
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

import sqlalchemy as sa

from msnode import metrics

log = logging.getLogger(__name__)

FRESH_S = 1.0  # the disk is asked once a second, however many images come
BACK = 1.1  # so many times a watermark must be free again, lest every other image is refused
FOLDERS = (".", "incoming", "instances", "work")  # each may be a disk of its own
DISK_FULL = "53100"  # SQLSTATE of PostgreSQL


class Level(IntEnum):
    """How much room there is; a level includes those before."""

    AMPLE = 0
    LOW = 1
    FULL = 2


class DiskSpace:
    """Watches the disk, or disks, of the data folder.

    Args:
        folder: the data folder.
        warn_bytes: with less free it is low, and an alert is due.
        min_bytes: with less free it is full, and images are refused.
    """

    def __init__(self, folder: Path, warn_bytes: int = 0, min_bytes: int = 0) -> None:
        self._folder = folder
        self._marks = {Level.LOW: max(warn_bytes, min_bytes), Level.FULL: min_bytes}
        self._until = 0.0
        self._free = 0
        self._level = Level.AMPLE

    def watch(self) -> None:
        """Show free space and watermarks as metrics."""
        metrics.FREE_BYTES.set_function(self.free_bytes)
        metrics.WATERMARK_BYTES.labels("warn").set(self._marks[Level.LOW])
        metrics.WATERMARK_BYTES.labels("refuse").set(self._marks[Level.FULL])

    def free_bytes(self) -> int:
        """Free space, on the fullest of the disks, at most a second old."""
        now = time.monotonic()
        if now >= self._until:
            self._free = self._measured()
            self._until = now + FRESH_S
            self._turn(self._free)
        return self._free

    def level(self) -> Level:
        """How much room there is, at most a second ago."""
        self.free_bytes()
        return self._level

    def _measured(self) -> int:
        """Free bytes now; none on a disk that does not answer, as a network's may not."""
        try:
            return min(self._disks(), default=0)
        except OSError as error:
            log.error("the data disk does not say how full it is error=%s", error.strerror)
            return 0

    def _disks(self) -> Iterator[int]:
        """Free bytes where the parts of the data folder lie."""
        for path in (self._folder / name for name in FOLDERS):
            if path.is_dir():
                yield shutil.disk_usage(path).free

    def _turn(self, free: int) -> None:
        """Change the level, and say so once: down at a watermark, up well above it."""
        level = max(
            (
                level
                for level, mark in self._marks.items()
                if free < mark * (BACK if level <= self._level else 1)
            ),
            default=Level.AMPLE,
        )
        before, self._level = self._level, level
        if level == Level.FULL != before:
            log.error("no room free_bytes=%d: images are refused until there is more", free)
        elif level > before:
            log.warning("room is low free_bytes=%d: images will be refused below %d", free,
                        self._marks[Level.FULL])  # fmt: skip
        elif level < before:
            log.warning("room again free_bytes=%d level=%s", free, level.name.lower())


def is_full(error: BaseException) -> bool:
    """Whether an error of the file system or the database means that a disk is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or getattr(error.orig, "sqlstate", None) == DISK_FULL
