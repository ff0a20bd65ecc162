"""A host of its own on a cable that can be cut: a network namespace (ip-netns(8))."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

NETWORK = "198.51.100"
"""For documentation and tests (RFC 5737); each cable takes four addresses."""
_numbers = itertools.count(os.getpid())


def is_possible() -> bool:
    """Whether this process may make network namespaces."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=10)


@dataclass(frozen=True)
class Cable:
    """Between this host and another one.

    Attributes:
        name: of the other one, and of this end.
        here: this host's address.
        there: the other one's.
    """

    name: str
    here: str
    there: str

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
    number = next(_numbers)  # no two at a time are the same, nor is one that is still being deleted
    first = number % 64 * 4
    cable = Cable(f"msnode{number % 10**8}", f"{NETWORK}.{first + 1}", f"{NETWORK}.{first + 2}")
    over_there = ("netns", "exec", cable.name, "ip")
    _ip("netns", "add", cable.name)
    try:
        _ip("link", "add", cable.name, "type", "veth", "peer", "eth0", "netns", cable.name)
        _ip("address", "add", f"{cable.here}/30", "dev", cable.name)
        _ip(*over_there, "address", "add", f"{cable.there}/30", "dev", "eth0")
        _ip(*over_there, "link", "set", "eth0", "up")
        _ip(*over_there, "link", "set", "lo", "up")
        cable.mend()
        yield cable
    finally:
        _ip("netns", "delete", cable.name)
