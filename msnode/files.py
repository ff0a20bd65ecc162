"""Files that are there whole or not at all, also after a power loss."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place, flush it, rename it into place, flush the folder.

    The name beside it is always the same, so that a crash leaves one ``.part`` at most. One writer
    at a time.

    Yields:
        The open file. Where the ``with`` block fails, whatever was at ``path`` stays as it was.

    Raises:
        OSError: the disk is full, or the folder is missing or not writable.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    fsync(path.parent)


def fsync(path: Path) -> None:
    """Make a file's content, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
