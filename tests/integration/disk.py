"""A disk whose power can be cut: ext4 on a loop device."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.crashing import cut_power

SIZE = 4 << 30  # bytes


class Disk:
    """An ext4 file system in a file, with its usual options (data=ordered).

    Args:
        image: the file, made here.
        folder: where it is mounted, made here.
        tool: gives the path of a program, and names its package where it is missing.
        size: of the file, bytes; it is sparse.
    """

    def __init__(
        self, image: Path, folder: Path, tool: Callable[[str, str], str], size: int = SIZE
    ) -> None:
        self.folder = folder
        self._image = image
        with image.open("wb") as file:
            file.truncate(size)
        folder.mkdir()
        subprocess.run([tool("mkfs.ext4", "e2fsprogs"), "-q", image], check=True)
        self.mount()

    def mount(self) -> None:
        """Give it its power back: the journal is replayed, as at the start of a machine."""
        mounted = subprocess.run(
            ["mount", "-o", "loop", self._image, self.folder], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"no loop device to be had: {mounted.stderr.decode().strip()}")

    def sync(self) -> None:
        """What is on it now is to stay."""
        subprocess.run(["sync", "-f", self.folder], check=True)

    def cut(self) -> None:
        """Power off and on; nobody may have a file open."""
        cut_power(self.folder)
        self.remount()

    def remount(self) -> None:
        """After somebody else has cut the power."""
        self.unmount()
        self.mount()

    def unmount(self) -> None:
        """Take it away."""
        subprocess.run(["umount", self.folder], check=True)


def is_possible() -> bool:
    """Whether a file system can be mounted here."""
    return os.geteuid() == 0 and shutil.which("mount") is not None
