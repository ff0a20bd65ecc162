"""More and more associations at once: every image is acknowledged, and how fast.

The sender is a process of its own on the same processors (`bench.growth.crowd`).
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import sqlalchemy as sa

from bench.growth import crowd
from bench.growth.figures import Found, spread
from bench.growth.receiver import (
    MEMORY,
    MOST,
    ROUNDS,
    WARM,
    Run,
    memory_cells,
    receiver,
    seconds_by_size,
)
from bench.receive import make_images
from msnode import config
from msnode.store.database import instances, open_database

COUNTS = (1, 10, 100)
IMAGES = 5000
HEAD = (
    "associations", "images/s", "CPU of the receiver, µs an image", "cores of it",
    *MEMORY[:3],
)  # fmt: skip


def rows_in(data: Path) -> int:
    """Instances on record."""
    engine = open_database(f"sqlite:///{data / 'msnode.sqlite'}")
    with engine.connect() as connection:
        found = connection.scalar(sa.select(sa.func.count()).select_from(instances))
    engine.dispose()
    return found or 0


def measure(folder: Path, scale: float) -> Found:
    """The same images over each number of associations in turn, each into a fresh receiver."""
    images = max(round(IMAGES * scale), max(COUNTS))
    (folder / "study").mkdir(parents=True)
    make_images(folder / "study", images, max(COUNTS))
    runs: dict[float, list[Run]] = defaultdict(list)
    for number, count in product(range(ROUNDS), COUNTS):
        data = folder / f"data{count}-{number}"
        with receiver(data) as running:
            runs[count].append(running.receive(folder / "study", count, crowd.send))
        if (found := rows_in(data) - WARM) != images:
            raise SystemExit(f"{images} images were acknowledged, {found} are on record")
    rows = [row(count, images, some) for count, some in runs.items()]
    peaks = {count: max(run.used.peak for run in some) for count, some in runs.items()}
    curves = {"seconds to receive": seconds_by_size(runs), "MB at most": peaks}
    return Found("Associations at once", HEAD, rows, "associations", curves, notes(images))


def row(count: float, images: int, runs: Sequence[Run]) -> list[str]:
    """One number of associations."""
    rates = [images / run.seconds for run in runs]
    cpu = [1e6 * run.used.cpu_s / images for run in runs]
    cores = [run.used.cpu_s / run.seconds for run in runs]
    return [
        f"{count:.0f}", spread(rates), spread(cpu), spread(cores, 2),
        *memory_cells(runs)[:3],
    ]  # fmt: skip


def notes(images: int) -> list[str]:
    """What was sent, and the limit that was raised for it."""
    default = config.Receive().max_associations
    return [
        f"The same {images:,} images each time, all of them acknowledged and on record. "
        f"`receive.max_associations` was {MOST} ({default} by default), of which one address gets "
        "half."
    ]
