"""Memory, file handles and threads of the nodes over time, from /proc."""

import contextlib
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

LONG_S = 600.0  # a process must live so long before its figures are judged
GROWTH = 1.05  # of the median of the last quarter over that of the second
FILES = 8  # more of them at the end than in the second quarter


@dataclass(frozen=True)
class Sample:
    """A process at a moment; its memory with that of the processes it started."""

    at: float
    rss_mb: float
    files: int
    threads: int


def family(pid: int) -> list[int]:
    """A process and its descendants, while they live."""
    found = [pid]
    for process in found:
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # it has just ended
                found += map(int, task.read_text().split())
    return found


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines)


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended; a zombie has."""
    try:
        return not _status(pid)["State"].strip().startswith("Z")
    except OSError:
        return False


class Watch:
    """Samples of processes by name and process ID."""

    def __init__(self) -> None:
        self.samples: dict[tuple[str, int], list[Sample]] = defaultdict(list)

    def look(self, name: str, pid: int) -> None:
        """Take a sample; a process that has just gone leaves none."""
        try:
            status = [_status(process) for process in family(pid)]
            rss_mb = sum(int(one["VmRSS"].split()[0]) for one in status) / 1024
            files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            sample = Sample(time.monotonic(), rss_mb, files, int(status[0]["Threads"]))
        except (OSError, KeyError, IndexError):
            return
        self.samples[name, pid].append(sample)

    def last(self) -> dict[str, Sample]:
        """The newest sample of each name."""
        newest = sorted(self.samples.items(), key=lambda item: item[1][-1].at)
        return {name: samples[-1] for (name, _), samples in newest}

    def longest(self) -> tuple[str, list[Sample]]:
        """The process that lived longest."""
        (name, _), samples = max(
            self.samples.items(), key=lambda item: item[1][-1].at - item[1][0].at
        )
        return name, samples


@dataclass(frozen=True)
class Trend:
    """How a process changed from the second quarter of its life (warm by then) to the last."""

    name: str
    minutes: float
    rss_mb: tuple[float, float]
    files: tuple[float, float]
    threads: tuple[float, float]
    mb_per_hour: float

    @property
    def is_flat(self) -> bool | None:
        """None where it did not live long enough to tell."""
        if self.minutes * 60 < LONG_S:
            return None
        grown = self.rss_mb[1] / self.rss_mb[0]
        return grown < GROWTH and self.files[1] - self.files[0] < FILES


def trend(name: str, samples: list[Sample]) -> Trend:
    """Medians of two quarters, and the slope of a line through the last three (Theil-Sen)."""
    quarter = max(len(samples) // 4, 1)
    second, last = samples[quarter : 2 * quarter] or samples, samples[-quarter:]

    def both(attribute: str) -> tuple[float, float]:
        first, end = ([float(getattr(s, attribute)) for s in part] for part in (second, last))
        return statistics.median(first), statistics.median(end)

    warm = samples[quarter:] or samples
    thin = warm[:: max(len(warm) // 100, 1)]
    slopes = [
        (b.rss_mb - a.rss_mb) / (b.at - a.at)
        for i, a in enumerate(thin)
        for b in thin[i + 1 :]
        if b.at > a.at
    ]
    return Trend(
        name,
        (samples[-1].at - samples[0].at) / 60,
        both("rss_mb"),
        both("files"),
        both("threads"),
        statistics.median(slopes or [0.0]) * 3600,
    )
