"""The engine's own tables cannot be written, at every point: each step's end is recorded once."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from msnode.engine import workflows
from msnode.engine.durable import Engine
from msnode.store.database import open_database
from msnode.store.schema import migrate
from tests.faults import FAULTY, FULL, Faults, every_point, installed

ROOT = Path(__file__).parents[2]
STEPS = ["prepare", "classify", "report", "deliver", "finish"]
CLEAR_S = 0.3  # how long a fault lasts
LONGEST_S = 20.0
STRIDE = int(os.environ.get("MSNODE_STRIDE", "10"))
"""1 tries every point, which takes minutes."""


class CountingFlow:
    """Counts how often each step of each study ends; the disk is full at its first `prepare`."""

    def __init__(self, number: int) -> None:
        self.destinations = {"pacs": None}
        self.done: Counter[tuple[str, str]] = Counter()
        self._number = number
        self._lock = threading.Lock()

    def prepare(self, study_key: str, generation: int) -> dict[str, Any]:
        self._end(study_key, "tried")
        if self.done[study_key, "tried"] == 1:
            raise OSError(self._number, os.strerror(self._number))
        return self._stage(study_key, "prepare")

    def outline(self, *_: object) -> dict[str, Any]:
        return {"reason": None, "seconds": {"outline": 0.1}}

    def classify(self, study_key: str, generation: int) -> dict[str, Any]:
        return self._stage(study_key, "classify")

    def report(self, study_key: str, *_: object) -> str:
        self._end(study_key, "report")
        return "absent"

    def deliver(self, study_key: str, *_: object) -> dict[str, Any]:
        self._end(study_key, "deliver")
        return {"delivered": True, "pause_s": None}

    def finish(self, study_key: str, generation: int) -> None:
        self._end(study_key, "finish")

    def fail(self, study_key: str, generation: int) -> None:
        self._end(study_key, "fail")

    def _stage(self, study_key: str, name: str) -> dict[str, Any]:
        self._end(study_key, name)
        return {"reason": None, "seconds": 0.0}

    def _end(self, study_key: str, name: str) -> None:
        with self._lock:
            self.done[study_key, name] += 1


def main(url: str, number: int, folder: Path) -> None:
    """A study for each point, until one gets through without a fault."""
    hurry()
    database = open_database(url)
    migrate(database)
    flow: Any = CountingFlow(number)
    engine = Engine(database, "host", flow)
    engine.launch()
    faults = Faults(folder / "nowhere", number)

    def analyse(point: int) -> None:
        study = f"{point:016x}"
        over = threading.Event()
        clearing = threading.Thread(target=clear, args=(faults, over))
        clearing.start()
        deadline = time.monotonic() + LONGEST_S
        while not finished(flow, study):
            assert time.monotonic() < deadline, (faults.fired, dict(flow.done), engine.unsettled())
            try:
                engine.submit(study, 1)
            except Exception as error:  # noqa: BLE001 - as the sweeper does
                print(type(error).__name__, flush=True)
            time.sleep(0.05)
        while engine.unsettled():
            assert time.monotonic() < deadline, (faults.fired, "a job is left")
            time.sleep(0.05)
        over.set()
        clearing.join()
        assert [flow.done[study, step] for step in STEPS] == [1] * len(STEPS), faults.fired

    with installed(faults):
        print("points", every_point(faults, analyse, lasts=True, stride=STRIDE), flush=True)
    os._exit(0)


def clear(faults: Faults, over: threading.Event) -> None:
    """End the fault a while after it has begun, which on a busy machine takes its time."""
    while faults.fired is None and not over.wait(0.02):
        continue
    time.sleep(CLEAR_S)
    faults.clear()


def finished(flow: CountingFlow, study: str) -> bool:
    return bool(flow.done[study, "finish"] and flow.done[study, "deliver"])


def hurry() -> None:
    """Pauses that are right in a hospital are too long for a test."""
    workflows.PAUSE_S = workflows.ROOM_S = 0.05
    short: Any = SimpleNamespace(**vars(time))
    short.sleep = lambda seconds: time.sleep(min(seconds, 0.1))
    vars(import_module("dbos._sys_db"))["time"] = short


@pytest.mark.parametrize("number", [FULL, FAULTY], ids=["full", "faulty"])
def test_each_step_ends_once_whatever_the_tables_do(number: int, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'msnode.sqlite'}"
    command = [sys.executable, "-m", "tests.integration.test_engine_faults", url, str(number)]
    done = subprocess.run(
        [*command, str(tmp_path)],
        timeout=280,
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert int(done.stdout.split()[-1]) >= 40 / STRIDE


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
