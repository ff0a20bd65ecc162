"""Studies of more and more images: how fast they are received, completed and prepared.

A FLAIR series of the sample is among them, so that there is something to prepare; all others are
the images of `bench.receive`, sixteen series of them.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from pydicom.uid import generate_uid

from bench.growth.figures import Found, medians, spread
from bench.growth.receiver import MB_A_GB, MEMORY, Run, in_turn, memory_cells, seconds_by_size
from bench.receive import make_images
from msnode import sample
from msnode.classify import load_manifest
from msnode.config import BUNDLE, Complete
from msnode.prepare import has_wanted, prepare_into
from msnode.receive import Inbox
from msnode.store import database

SIZES = (1000, 3000, 10000)
HEAD = ("images", "GB", "images/s", *MEMORY, "found complete, s", "prepared, s")
NOTES = (
    f"One association. Goals: a slope of 1.0, {MB_A_GB:.0f} MB/GB.",
    "The study is prepared in a process of its own, here without its limits.",
)


def make_study(folder: Path, count: int) -> Path:
    """Write one, in folders of one series each."""
    study = generate_uid()
    flair = sample.write_study(folder / "flair", patient_id="BENCH", study_uid=study)
    make_images(folder, count - len(flair), study=study)
    return folder


def look(data: Path) -> tuple[float, float]:
    """Seconds of the sweep that finds the study complete, and of its preparation."""
    engine = database.open_database(f"sqlite:///{data / 'msnode.sqlite'}")
    inbox = Inbox(engine, data)
    rule, contract = Complete(), load_manifest(BUNDLE).input
    start = time.perf_counter()
    has = partial(has_wanted, contract=contract)
    (study,) = inbox.complete(time.time() + rule.quiet_s, rule, has)
    complete = time.perf_counter() - start
    start = time.perf_counter()
    (data / "work").mkdir()
    outcome = prepare_into(data / "work", study.paths, contract)
    prepared = time.perf_counter() - start
    if outcome.reason is not None or study.completion != "evidence":
        raise SystemExit(f"not as it should be: {study.completion}, {outcome.reason}")
    inbox.close()
    engine.dispose()
    return complete, prepared


def measure(folder: Path, scale: float) -> Found:
    """Each size in turn, several times over."""
    sizes = [round(size * scale) for size in SIZES]
    sources = {float(size): make_study(folder / f"study{size}", size) for size in sizes}
    runs: dict[float, list[Run]] = defaultdict(list)
    complete, prepared = (defaultdict[float, list[float]](list) for _ in range(2))
    for size, data, run in in_turn(folder, sources):
        runs[size].append(run)
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            found = process.submit(look, data).result()
        complete[size].append(found[0])
        prepared[size].append(found[1])
    rows = [
        row(size, runs[size], spread(complete[size], 2), spread(prepared[size], 2))
        for size in sizes
    ]
    curves = {
        "seconds to receive": seconds_by_size(runs),
        "seconds to find it complete": medians(complete),
        "seconds to prepare": medians(prepared),
    }
    return Found("Images of a study", HEAD, rows, "images", curves, NOTES)


def row(size: float, runs: Sequence[Run], *after: str) -> list[str]:
    """One size."""
    rates = [size / run.seconds for run in runs]
    weight = f"{runs[0].weight / 1e9:.2f}"
    return [f"{size:,.0f}", weight, spread(rates), *memory_cells(runs), *after]
