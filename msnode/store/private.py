"""What holds patients' data is its owner's alone, whoever made the folder and with what umask."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

OTHERS = 0o077
"""The rights of everybody but the owner."""
OURS = {
    "audit",
    "fetched",
    "incoming",
    "instances",
    "lost+found",
    "patient.key",
    "quarantine",
    "shadow",
    "visits",
    "work",
}
"""Names in a data folder, beside the database's files."""


def make_private(folder: Path) -> None:
    """Take a data folder that was there before from all but its owner, and what lies in it.

    A folder that holds other things, too, keeps its own rights, as they could be somebody's
    living (say, data: /srv); each of ours in it loses them. What cannot be changed is logged.
    """
    found = list(folder.iterdir())
    ours = [path for path in found if _is_ours(path)]
    for path in ours:
        _close(path)
    if len(ours) == len(found):
        _close(folder)


def make_private_file(path: Path) -> None:
    """Make an empty database file that only its owner reads, or take an old one from all others."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        log.debug("database not to be written error=%s", error.strerror)
        return  # opening it as a database says what is wrong
    for one in _with_companions(path):
        _close(one)


def _is_ours(path: Path) -> bool:
    return path.name in OURS or path.name.startswith("msnode.sqlite")


def _with_companions(path: Path) -> Iterator[Path]:
    """A database file and those that SQLite keeps beside it."""
    candidates = (path.with_name(path.name + end) for end in ("", "-wal", "-shm"))
    yield from (one for one in candidates if one.exists())


def _close(path: Path) -> None:
    """Take everybody's rights but the owner's."""
    mode = path.stat().st_mode
    if not mode & OTHERS:
        return
    try:
        path.chmod(mode & 0o7700)
    except OSError as error:
        log.warning("readable by others path=%s error=%s", path, error.strerror)
