"""A process's own folder for half-received files, and what processes that died have left."""

import fcntl
import shutil
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

UNLOCKED_S = 60.0  # a folder unlocked for so long is left by a process that died before locking it


def own_folder(incoming: Path) -> tuple[Path, BinaryIO]:
    """Make a folder for this process alone, and lock it until the process ends."""
    own = Path(tempfile.mkdtemp(dir=incoming))
    lock = (own / "lock").open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return own, lock


def remove_abandoned(folder: Path) -> bool:
    """Delete half-received files, unless the process that receives them is still running.

    Returns:
        Whether it has died, and its folder is gone.
    """
    if not (folder / "lock").exists():
        is_old = folder.stat().st_mtime < time.time() - UNLOCKED_S
        if is_old:
            shutil.rmtree(folder)
        return is_old  # the process of a younger one may be about to lock it
    with (folder / "lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        for left in folder.glob("*.*"):  # the lock last: this process may die as well
            left.unlink()
        shutil.rmtree(folder)
    return True
