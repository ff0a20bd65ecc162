"""More and more studies that wait for further images: the sweep over them, and a node's start.

They are quiet, and no series is among them that is wanted, so each is looked at again and again
until `complete.idle_s` are over. The sweep is that of `Upkeep`, twice a second; first in a process
of its own, then in a node as it is served.
"""

import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from bench.growth.figures import Found, spread
from bench.growth.furnish import Kind, furnish
from bench.growth.receiver import Used, Watched, resident_mb, warm_images
from bench.receive import free_port
from msnode.config import Complete
from msnode.receive import Inbox
from msnode.store.database import StudyState, open_database

SIZES = (50, 500, 5000)
A_STUDY = 100
LONG_S = 86400.0
RULE = Complete(quiet_s=5.0, idle_s=LONG_S, cap_s=LONG_S)
WAITING = Kind(StudyState.RECEIVING, 60.0, has_all_files=False)
SWEEPS = 20
START_S = 300.0
LOOKED_S = 1800.0
"""For the first look at one header of each series."""
HURRY_S = 5.0  # a sweep with more to look at than that goes on in the next one
WATCHED_S = 30.0
NOTES = (
    f"{A_STUDY} images each; {SWEEPS} sweeps alone, those of the node in {WATCHED_S:.0f} s. "
    "Goals: a sweep in less than 1 s, a start in less than 10 s, green, flat memory.",
    "One file of each series is there, a hard link to one of 64 images. With the default "
    "complete.idle_s of 60 s nobody waits so long; here all do.",
)
HEAD = (
    "studies", "sweep, s", "MB before", "MB after", "node: seconds to /readyz",
    "all headers looked at, s", "sweep in the node, s", "MB before", "MB after", "/healthz",
)  # fmt: skip


def sweeps(data: Path) -> tuple[list[float], float, float]:
    """Seconds of each sweep, and the memory after the first and after the last, MB."""
    engine = open_database(f"sqlite:///{data / 'msnode.sqlite'}")
    inbox = Inbox(engine, data)
    seconds, memory = [], []
    for _ in range(SWEEPS + 1):
        began = time.perf_counter()
        if inbox.complete(time.time(), RULE, _nothing):
            raise SystemExit("a study is complete that should wait")
        seconds.append(time.perf_counter() - began)
        memory.append(resident_mb("self"))
    inbox.close()
    engine.dispose()
    return seconds[1:], memory[0], memory[-1]


def _nothing(_paths: Sequence[Path]) -> bool:
    """No series is wanted."""
    return False


@contextmanager
def node(data: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`msnode serve` on a data folder; yields the process and its HTTP port."""
    port = free_port()
    settings = {
        "data": str(data),
        "receive": {"address": "127.0.0.1", "port": free_port(), "min_free_bytes": 0},
        "complete": {"quiet_s": RULE.quiet_s, "idle_s": RULE.idle_s, "cap_s": RULE.cap_s},
        "http": {"port": port},
    }
    file = data.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "msnode", "serve", "--config", str(file)]
    with (
        data.with_suffix(".log").open("w") as log,
        subprocess.Popen(command, stderr=log) as process,
    ):
        try:
            yield process, port
        finally:
            process.terminate()
            process.wait(30)


def get(port: int, page: str) -> str:
    """A page, "" while it is not to be had or not as it should be."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=30) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def swept(port: int) -> tuple[float, float]:
    """How often the node has swept, and how long that took in all."""
    families = text_string_to_metric_families(get(port, "metrics"))
    found = {
        sample.name: sample.value
        for family in families
        for sample in family.samples
        if sample.labels.get("task") == "take_complete"
    }
    name = "msnode_periodic_seconds"
    return found.get(f"{name}_count", 0.0), found.get(f"{name}_sum", 0.0)


def sweep_s(port: int, during_s: float) -> float:
    """Mean seconds of the sweeps of a while; infinite where none ended."""
    before = swept(port)
    time.sleep(during_s)
    count, total = (now - then for now, then in zip(swept(port), before, strict=True))
    return total / count if count else float("inf")


def until(what: str, limit_s: float, is_so: Callable[[], bool]) -> float:
    """Seconds until something is so.

    Raises:
        SystemExit: it never was.
    """
    began = time.perf_counter()
    while not is_so():
        if time.perf_counter() - began > limit_s:
            raise SystemExit(f"{what}: not within {limit_s:.0f} s")
        time.sleep(0.05)
    return time.perf_counter() - began


@dataclass(frozen=True)
class Served:
    """A node with so many studies.

    Attributes:
        start_s: seconds until it was ready.
        looked_s: seconds from then on until it had looked at every study once.
        sweep_s: a sweep from then on, mean.
        used: from then on.
        health: what /healthz says in the end.
    """

    start_s: float
    looked_s: float
    sweep_s: float
    used: Used
    health: str


def serve(data: Path) -> Served:
    """Serve a data folder for a while."""
    with node(data) as (process, port):
        start = until("the node is ready", START_S, lambda: bool(get(port, "readyz")))
        looked = until("all were looked at", LOOKED_S, lambda: sweep_s(port, 2.0) < HURRY_S / 2)
        watched = Watched(process.pid)
        sweep = sweep_s(port, WATCHED_S)
        health = "green" if get(port, "healthz") else "red"
        return Served(start, looked, sweep, watched.used(), health)


def cells(one: Served) -> list[str]:
    """The columns of a node."""
    return [
        f"{one.start_s:.1f}", f"{one.looked_s:.0f}", f"{one.sweep_s:.3f}",
        f"{one.used.before:.0f}", f"{one.used.after:.0f}", one.health,
    ]  # fmt: skip


def measure(folder: Path, scale: float) -> Found:
    """Each number of studies, first the sweep alone, then a node; without any for comparison."""
    sizes = [0, *(round(size * scale) for size in SIZES)]
    sources = sorted(warm_images(folder).rglob("*.dcm"))
    rows, alone, starts, served = [], {}, {}, {}
    for size in sizes:
        data = folder / f"data{size}"
        furnish(data, size, A_STUDY, WAITING, sources).dispose()
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            seconds, *memory = process.submit(sweeps, data).result()
        one = serve(data)
        alone[size], starts[size] = statistics.median(seconds), one.start_s
        served[size] = one.sweep_s
        alone_cells = [f"{size:,}", spread(seconds, 3), *(f"{mb:.0f}" for mb in memory)]
        rows.append([*alone_cells, *cells(one)])
    curves = {
        "seconds of a sweep": {float(size): alone[size] for size in sizes[1:]},
        "seconds of a sweep in the node": {float(size): served[size] for size in sizes[1:]},
        "seconds to the start": {float(size): starts[size] for size in sizes[1:]},
    }
    return Found("Studies that wait", HEAD, rows, "studies", curves, NOTES)
