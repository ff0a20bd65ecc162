"""How fast a patient is shown among many, and whether memory stays flat.

    python bench/twin_show.py [PATIENTS]

A new SQLite database is filled with patients of 20 studies and 20 clinical events each. Then
patients picked at random are shown, as `msnode twin show --json` does in its process: record,
state, rules, expectation, courses, as JSON. The start of the interpreter and its imports are not
in it; they are timed apart, as a command of its own.
"""

import gc
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import date, timedelta
from importlib import import_module
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.console import Console

from msnode.cli.twin_show import show
from msnode.cli.twin_similar import similar
from msnode.store.database import clinical_events, open_database, results, studies
from msnode.store.patients import patient_key, patient_secret
from msnode.store.schema import migrate
from msnode.twin import Twin
from msnode.twin.clinical.event_store import add
from msnode.twin.clinical.events import Event, Provenance, Recorded
from msnode.twin.expect.priors import load_priors
from msnode.twin.expectations import Expectations

STUDIES = 20
SHOWN = 200
ORIGIN = Provenance("csv", "bench.csv", 2, 0.0, "bench")


def day_of(number: int) -> date:
    """Of a study: one a half-year."""
    return date(2010, 1, 1) + timedelta(days=183 * number)


Rows = tuple[list[Any], list[Any], list[Recorded]]


def rows(patient: int, key: str, dice: random.Random) -> Rows:
    """A patient's studies, results and events."""
    mine, found, events = [], [], []
    for number in range(STUDIES):
        study, day = f"{patient:08x}{number:08x}", day_of(number)
        mine.append({"study_key": study, "study_instance_uid": f"2.25.{patient}.{number}",
                     "patient_key": key, "generation": 1, "state": "done", "first_at": 0.0,
                     "last_at": 0.0})  # fmt: skip
        prior = f"{day_of(number - 1):%Y%m%d}" if number else None
        found.append({"study_key": study, "generation": 1, "outcome": "present",
                      "model_digest": "d", "created_at": float(number), "folder": "f",
                      "study_date": f"{day:%Y%m%d}", "prior_date": prior, "lesion_count": 9,
                      "lesion_ml": 8 + number + dice.random(), "lesion_digest": "n",
                      "new_lesions": dice.randrange(4) if number else None,
                      "enlarging_lesions": 0})  # fmt: skip
        value = f"{dice.randrange(2, 12) / 2:.1f}"
        events.append(Recorded(key, Event("edss", day, value, identifier=f"{number}"), ORIGIN))
    return mine, found, events


def filled(engine: sa.Engine, secret: bytes, patients: int) -> None:
    """Put all patients on record."""
    dice = random.Random(0)
    pending = iter(range(patients))
    while portion := list(islice(pending, 500)):
        made = [rows(one, patient_key(secret, f"P{one}", ""), dice) for one in portion]
        with engine.begin() as connection:
            connection.execute(studies.insert(), [row for mine, _, _ in made for row in mine])
            connection.execute(results.insert(), [row for _, found, _ in made for row in found])
            add(connection, [event for _, _, events in made for event in events])


def shown(config: Path, patients: int) -> Iterator[float]:
    """Milliseconds of each of the patients that are shown."""
    dice = random.Random(1)
    for _ in range(SHOWN):
        began, text = time.perf_counter(), StringIO()
        with redirect_stdout(text):
            show(config, f"P{dice.randrange(patients)}", "", day_of(STUDIES), as_json=True)
        yield 1000 * (time.perf_counter() - began)
        assert len(json.loads(text.getvalue())["imaging"]) == STUDIES


def resident() -> float:
    """MiB of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def command(config: Path) -> float:
    """Seconds of the command, with the start of its process."""
    began = time.perf_counter()
    arguments = ["twin", "show", "P0", "--json", "--config", str(config)]
    subprocess.run([sys.executable, "-m", "msnode", *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


def similar_to_one(config: Path) -> tuple[float, float]:
    """Seconds to find who is like a patient, and MiB that it leaves."""
    import_module("msnode.lesions")  # with PyTorch, by which the command reads a kept visit
    before, began = resident(), time.perf_counter()
    with redirect_stdout(StringIO()):
        similar(config, "P0", "", as_json=True)
    looked = time.perf_counter() - began
    gc.collect()
    return looked, resident() - before


def main() -> None:
    """Print the figures."""
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        data.mkdir()
        config = Path(name) / "msnode.yaml"
        config.write_text(f"data: {data}\n")
        secret = patient_secret(data / "patient.key")
        engine = open_database(f"sqlite:///{data / 'msnode.sqlite'}")
        migrate(engine)
        filled(engine, secret, patients)
        with engine.connect() as connection:
            for table in (studies, clinical_events):
                count = connection.scalar(sa.select(sa.func.count()).select_from(table))
                console.print(f"{count} {table.name}")
        made = Expectations(Twin(engine), load_priors())
        began = time.perf_counter()
        for number in range(SHOWN):
            made.record(f"{number:08x}{STUDIES - 1:08x}", day_of(STUDIES - 1), "n")
        each = 1000 * (time.perf_counter() - began) / SHOWN
        console.print(f"a prediction put on record: {each:.1f} ms")
        engine.dispose()
        list(islice(shown(config, patients), 5))
        gc.collect()
        before = resident()
        times = sorted(shown(config, patients))
        gc.collect()
        grown = resident() - before
        looked, more = similar_to_one(config)
        console.print(f"twin similar: {looked:.1f} s; memory {more:+.1f} MiB beside PyTorch's")
        console.print(f"the command, with the start of its process: {command(config):.2f} s")
    console.print(
        f"twin show, in its process, {SHOWN} of {patients} patients x {STUDIES} studies: median "
        f"{statistics.median(times):.0f} ms, 95 % {times[int(0.95 * SHOWN)]:.0f} ms, most "
        f"{times[-1]:.0f} ms; memory {before:.0f} MiB, {grown:+.1f} MiB after {SHOWN} more"
    )


if __name__ == "__main__":
    main()
