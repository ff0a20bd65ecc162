"""A host of its own on a cable that can be cut: a network namespace (ip-netns(8))."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

NETWORK = "198.51.100.0/30"
"""For documentation and tests (RFC 5737)."""
HERE, THERE = "198.51.100.1", "198.51.100.2"


def is_possible() -> bool:
    """Whether this process may make network namespaces."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=10)


@dataclass(frozen=True)
class Cable:
    """Between this host, HERE, and another one, THERE."""

    name: str

    @property
    def command(self) -> list[str]:
        """Before a command that is to run over there."""
        return ["ip", "netns", "exec", self.name]

    def cut(self) -> None:
        """Nothing gets through, and nobody is told."""
        _ip("link", "set", self.name, "down")

    def mend(self) -> None:
        """As before."""
        _ip("link", "set", self.name, "up")


@contextmanager
def cable() -> Iterator[Cable]:
    """A host of its own for the time of a ``with`` block."""
    cable = Cable(f"msnode{os.getpid() % 10**8}")
    over_there = ("netns", "exec", cable.name, "ip")
    _ip("netns", "add", cable.name)
    try:
        _ip("link", "add", cable.name, "type", "veth", "peer", "eth0", "netns", cable.name)
        _ip("address", "add", f"{HERE}/30", "dev", cable.name)
        _ip(*over_there, "address", "add", f"{THERE}/30", "dev", "eth0")
        _ip(*over_there, "link", "set", "eth0", "up")
        _ip(*over_there, "link", "set", "lo", "up")
        cable.mend()
        yield cable
    finally:
        _ip("netns", "delete", cable.name)
