"""What processes use, by /proc (proc(5)): a process and all that it started."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def processor() -> str:
    """The CPU's name, where Linux tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown CPU"


def below(pid: int) -> frozenset[int]:
    """The processes that a process started, and those that they did."""
    parents = dict(_parents())
    found: set[int] = set()
    while more := {child for child, of in parents.items() if of in found | {pid}} - found:
        found |= more
    return frozenset(found)


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            yield int(path.parent.name), int(_fields(path)[1])


def _fields(stat: Path) -> list[str]:
    """What stands behind the program's name, which may hold blanks."""
    return stat.read_text().rpartition(")")[2].split()


def cpu_seconds(pids: frozenset[int]) -> float:
    """Of those that still run, and of their children that have ended."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            ticks += sum(map(int, _fields(Path(f"/proc/{pid}/stat"))[11:15]))
    return ticks / TICKS


def memory_bytes(pids: frozenset[int]) -> int:
    """Resident; what several share counts once (``Pss``)."""
    kilobytes = 0
    for pid in pids:
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 1024 * kilobytes
