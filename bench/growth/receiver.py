"""Our receiver as a process that is watched: its memory and its processor time, by /proc.

python -m bench.growth.receiver FOLDER PORT
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.receive import cpu_seconds, free_port, listen, make_images, send, wait_for
from bench.servers import NAGLE_OFF

MOST = 256
"""Associations at once; one address gets half of them (`config.Receive.max_associations`)."""
WARM = 64
"""Images that a receiver gets before it is measured: they make it import and open what it needs."""
ROUNDS = 3
MB_A_GB = 50.0
"""Asked for: by so much the resident memory may grow for each GB received."""


def resident_mb(pid: int | str, field: str = "VmRSS") -> float:
    """A line of /proc/PID/status (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


Send = Callable[[Path, int, int], float]
"""Of a folder, to a port, over so many associations."""


@dataclass(frozen=True)
class Used:
    """What a process used.

    Attributes:
        before: resident memory at first, MB.
        after: and in the end.
        peak: the most there was in between.
        cpu_s: seconds of processors.
    """

    before: float
    after: float
    peak: float
    cpu_s: float


@dataclass(frozen=True)
class Run:
    """What it took to receive something.

    Attributes:
        seconds: until all was acknowledged.
        weight: bytes received.
        used: by the receiver.
    """

    seconds: float
    weight: float
    used: Used

    @property
    def grown(self) -> float:
        """MB of the peak above what there was at first, for each GB received."""
        return (self.used.peak - self.used.before) / (self.weight / 1e9)


MEMORY = ("MB before", "MB after", "MB at most", "MB/GB")


def memory_cells(runs: Sequence[Run]) -> list[str]:
    """The columns of `MEMORY`, of the run in which it grew most."""
    worst = max(runs, key=lambda run: run.grown)
    used = worst.used
    return [f"{value:.0f}" for value in (used.before, used.after, used.peak, worst.grown)]


def seconds_by_size(runs: Mapping[float, Sequence[Run]]) -> dict[float, float]:
    """Medians."""
    return {size: statistics.median(run.seconds for run in some) for size, some in runs.items()}


class Watched:
    """A process, from now on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # forget the peak so far
        self._before = resident_mb(pid)
        self._cpu = cpu_seconds(pid)

    def used(self) -> Used:
        """What it used since."""
        cpu = cpu_seconds(self._pid) - self._cpu
        pid = self._pid
        return Used(self._before, resident_mb(pid), resident_mb(pid, "VmHWM"), cpu)


@dataclass(frozen=True)
class Running:
    """A receiver that is warm."""

    port: int
    pid: int

    def receive(self, images: Path, associations: int = 1, by: Send = send) -> Run:
        """All of a folder of folders, sent by somebody who returns the seconds it took.

        Raises:
            SystemExit: something was not acknowledged.
        """
        os.sync()  # what others left unwritten is not this receiver's to wait for
        watched = Watched(self.pid)
        seconds = by(images, self.port, associations)
        return Run(seconds, weight(images), watched.used())


def weight(images: Path) -> float:
    """Bytes of the files below a folder."""
    return float(sum(path.stat().st_size for path in images.rglob("*.dcm")))


def warm_images(folder: Path) -> Path:
    """The images for the start of every receiver, made once."""
    images = folder / "warm"
    if not images.exists():
        images.mkdir()
        make_images(images, WARM)
    return images


@contextmanager
def receiver(data: Path) -> Iterator[Running]:
    """One with its inbox in a folder, which stays: see `bench.growth`."""
    data.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "bench.growth.receiver", str(data), str(port)]
    with subprocess.Popen(command, env=NAGLE_OFF, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port, server)
            send(warm_images(data.parent), port, 1)
            yield Running(port, server.pid)
        finally:
            server.terminate()
            server.wait(20)


def in_turn(folder: Path, sources: Mapping[float, Path]) -> Iterator[tuple[float, Path, Run]]:
    """Receive each source in turn, several times over, each time into a fresh receiver.

    Args:
        folder: gets their data.
        sources: folders of folders of images, by size.

    Yields:
        Size, the data folder of the receiver, which has ended, and the run.
    """
    for number in range(ROUNDS):
        for size, source in sources.items():
            data = folder / f"data{size:g}-{number}"
            with receiver(data) as running:
                run = running.receive(source)
            yield size, data, run


if __name__ == "__main__":
    listen(Path(sys.argv[1]), int(sys.argv[2]), MOST)
