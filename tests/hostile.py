"""What a file can make the process do that reads it; `tests.bombs` are such files."""

import ctypes
import logging
import os
import resource
import signal
import time
from pathlib import Path

from msnode import metrics
from msnode.errors import InvalidResult


def add(one: int, other: int) -> int:
    """Nothing evil."""
    logging.getLogger("msnode.test").warning("added %d", one + other)
    logging.getLogger("pydicom").error("Doe^Jane")
    metrics.QUARANTINED.labels("test").inc(2)
    return one + other


def fault() -> None:
    """Read where nothing is, as a codec does after an overflow."""
    ctypes.string_at(8)


def leave() -> None:
    """End the process behind Python's back."""
    os._exit(3)


def spin() -> None:
    """Loop for ever."""
    while True:
        pass


def nap(seconds: float) -> int:
    """Take a while."""
    time.sleep(seconds)
    return int(seconds)


def wait(started: Path) -> None:
    """Do nothing for ever."""
    started.write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def wait_together(started: Path) -> None:
    """Do nothing for ever, with a child that does the same."""
    pid = os.fork()
    if pid:
        started.write_text(f"{os.getpid()} {pid}")
    while True:
        time.sleep(60)


def hog() -> int:
    """Ask for 64 GiB."""
    return len(bytearray(64 << 30))


def refuse() -> None:
    """Raise an error of ours."""
    raise InvalidResult("no good")


def stumble() -> None:
    """Raise an error that quotes the patient's name."""
    raise KeyError("Doe^Jane")


def fill_disk() -> None:
    """As a full disk does."""
    raise OSError(28, "No space left on device", "secret")


def die(number: int, times: Path) -> str:
    """Be killed from outside; not the second time, if told so."""
    count = len(times.read_bytes()) if times.exists() else 0
    times.write_bytes(b"x" * (count + 1))
    if count < 1 or number != signal.SIGKILL or times.suffix == ".always":
        os.kill(os.getpid(), number)
    return "alive"


def limits() -> list[int]:
    """Core size, CPU seconds, open files."""
    core, cpu = (resource.getrlimit(w)[0] for w in (resource.RLIMIT_CORE, resource.RLIMIT_CPU))
    return [core, cpu, len(list(Path("/proc/self/fd").iterdir()))]


def flood() -> str:
    """Answer with more than anybody wants to hear."""
    return "x" * (65 << 20)
