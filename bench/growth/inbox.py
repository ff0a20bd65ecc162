"""An inbox that holds more and more instances: how fast others come in, and how it starts.

The receivers take turns, each with an inbox of its own, the first of which is empty but for what
the bench itself sends.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench.growth.figures import Found, spread
from bench.growth.furnish import Kind, furnish
from bench.growth.receiver import receiver, resident_mb, warm_images
from bench.receive import make_images
from msnode.receive import Inbox
from msnode.store.database import StudyState, open_database

SIZES = (10_000, 100_000, 1_000_000)
A_STUDY = 100
SENT, LEAST = 1000, 200
ROUNDS = 7
DONE = Kind(StudyState.DONE, 86400.0, has_all_files=True)
RATIO = 0.95
"""Asked for: images a second into the fullest, to those into an empty one."""
HEAD = ("instances", "images/s", "to the empty one", "looked through at the start, s", "MB for it")


def start(data: Path) -> tuple[float, float]:
    """Seconds until an inbox is there and looked through, and MB of memory on top at most."""
    engine = open_database(f"sqlite:///{data / 'msnode.sqlite'}")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before, began = resident_mb("self"), time.perf_counter()
    inbox = Inbox(engine, data)
    if found := inbox.rebuild():
        raise SystemExit(f"{found} files have no row")
    seconds, peak = time.perf_counter() - began, resident_mb("self", "VmHWM")
    inbox.close()
    engine.dispose()
    return seconds, peak - before


def measure(folder: Path, scale: float) -> Found:
    """Each size with a receiver of its own; the same images into each in turn."""
    sizes = [0, *(round(size * scale) for size in SIZES)]
    sources = sorted(warm_images(folder).rglob("*.dcm"))
    starts = {}
    for size in sizes:
        data = folder / f"data{size}"
        furnish(data, size // A_STUDY, A_STUDY, DONE, sources).dispose()
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            starts[size] = process.submit(start, data).result()
    sent = max(round(SENT * scale), LEAST)
    rates = received(folder, sizes, sent)
    rows = [
        [f"{size:,}", spread(rates[size]), f"{ratio(rates, size):.2f}",
         *(f"{value:.1f}" for value in starts[size])]
        for size in sizes
    ]  # fmt: skip
    lasted = {float(size): 1000 / statistics.median(rates[size]) for size in sizes[1:]}
    looked = {float(size): starts[size][0] for size in sizes[1:]}
    curves = {"seconds for each 1000 images": lasted, "seconds to look through it": looked}
    return Found("Instances in the inbox", HEAD, rows, "instances", curves, notes(sent))


def received(folder: Path, sizes: Sequence[int], sent: int) -> dict[int, list[float]]:
    """Images a second into each, by rounds; every second round the other way round."""
    rates: dict[int, list[float]] = defaultdict(list)
    for number in range(ROUNDS):
        images = folder / f"study{number}"
        images.mkdir()
        make_images(images, sent)
        for size in sizes if number % 2 else reversed(sizes):
            with receiver(folder / f"data{size}") as running:
                rates[size].append(sent / running.receive(images, 4).seconds)
    return rates


def ratio(rates: dict[int, list[float]], size: int) -> float:
    """To the empty one, median over the rounds."""
    pairs = zip(rates[size], rates[0], strict=True)
    return statistics.median(full / empty for full, empty in pairs)


def notes(sent: int) -> list[str]:
    """How it was done, and the goal."""
    return [
        f"{sent:,} images over four associations each time, median of {ROUNDS} rounds. Goal: "
        f"{RATIO} for the fullest. Studies of {A_STUDY} images, done a day ago; their files are "
        "hard links to 64 images, so their content takes no room, and no cache."
    ]
