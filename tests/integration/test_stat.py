"""Urgent studies go before routine ones, and nobody waits for ever; on both databases."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from msnode.engine.durable import EPOCH, LEAD_S, Engine, place
from msnode.store.database import open_database
from msnode.store.schema import migrate

ROOT = Path(__file__).parents[2]
NOW = EPOCH + 30 * 86400
QUEUE = {
    "routine-1": (NOW, False),
    "routine-2": (NOW + 1, False),
    "stat-1": (NOW + 60, True),
    "stat-2": (NOW + 61, True),
    "waited-long": (NOW - 2 * LEAD_S, False),
    "routine-3": (NOW + 62, False),
    "stat-3": (NOW + LEAD_S + 2, True),
}
"""In order of submission: since when each waits, and whether it is urgent."""
LATE = "stat-2"
"""Is in the queue as a routine study when its urgent order comes."""
ORDER = ["waited-long", "stat-1", "stat-2", "routine-1", "routine-2", "stat-3", "routine-3"]


class PatientFlow:
    """Notes the studies in the order in which they are begun; the first two wait for a sign."""

    def __init__(self, notes: Path, sign: threading.Event) -> None:
        self.destinations: dict[str, None] = {}
        self._notes = notes
        self._sign = sign

    def prepare(self, study_key: str, generation: int) -> dict[str, Any]:
        if study_key.startswith("busy"):
            self._sign.wait(30)
        else:
            with self._notes.open("a") as notes:
                notes.write(f"{study_key}\n")
            time.sleep(0.4)  # longer than a look at the queue: they are begun in pairs
        return {"reason": "none", "seconds": 0.0}

    def report(self, *_: object) -> str:
        return "not_analysed"

    def finish(self, study_key: str, generation: int) -> None:
        """Nothing is to be done."""


def main(url: str, notes: Path) -> None:
    """Keep both workers busy, fill the queue, let it run."""
    database = open_database(url)
    migrate(database)
    sign = threading.Event()
    flow: Any = PatientFlow(notes, sign)
    engine = Engine(database, "host", flow)
    engine.launch()
    for number in range(2):
        engine.submit(f"busy-{number}", 1)
    time.sleep(1)  # both have begun
    for study, (since, stat) in QUEUE.items():
        engine.submit(study, 1, since=since, stat=stat and study != LATE)
    engine.hurry(LATE, 1, QUEUE[LATE][0])
    sign.set()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and len(notes.read_text().split()) < len(QUEUE):
        time.sleep(0.1)
    os._exit(0)


def test_stat_before_routine_but_not_before_who_waited_long(
    database_url: str, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    command = [sys.executable, "-m", "tests.integration.test_stat", database_url, str(notes)]
    subprocess.run(command, timeout=90, check=True, cwd=ROOT)
    begun = notes.read_text().split()
    # two workers: within a pair the order is the scheduler's
    pairs = [set(ORDER[i : i + 2]) for i in range(0, len(ORDER), 2)]
    assert [set(begun[i : i + 2]) for i in range(0, len(ORDER), 2)] == pairs


def test_nobody_waits_for_those_that_came_much_later() -> None:
    """However many urgent studies come, a routine one overtakes all that came LEAD_S after it."""
    mine = place(NOW, stat=False)
    assert place(NOW + LEAD_S - 1, stat=True) < mine < place(NOW + LEAD_S + 1, stat=True)
    assert place(NOW, stat=True) < place(NOW + 1, stat=True)
    assert 0 < place(0, stat=True) <= place(EPOCH + 68 * 365.25 * 86400, stat=False) < 2**31


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
