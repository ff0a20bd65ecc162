"""A process that runs the engine over a flow which notes its steps and dies at one of them."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from msnode.engine.durable import Engine
from msnode.store.database import open_database
from msnode.store.schema import migrate


class NotedFlow:
    """Steps that append their name to a file; the first run of `fatal` is killed in its midst."""

    def __init__(self, notes: Path, fatal: str) -> None:
        self.destinations = {"pacs": None, "archive": None}
        self._notes = notes
        self._fatal = fatal

    def prepare(self, study_key: str, generation: int) -> dict[str, Any]:
        self._note("prepare")
        return {"reason": None, "seconds": 0.1}

    def outline(self, *_: object) -> dict[str, Any]:
        return {"reason": None, "seconds": {"outline": 0.1}}

    def classify(self, study_key: str, generation: int) -> dict[str, Any]:
        self._note("classify")
        return {"reason": None, "seconds": 0.1}

    def report(self, *_: object) -> str:
        self._note("report")
        return "present"

    def deliver(self, study_key: str, generation: int, name: str, attempt: int) -> dict[str, Any]:
        self._note(f"deliver {name} {attempt}")
        again = name == "pacs" and attempt == 1
        return {"delivered": not again, "pause_s": 0.3 if again else None}

    def finish(self, study_key: str, generation: int) -> None:
        self._note("finish")

    def _note(self, step: str) -> None:
        begun = step in self._notes.read_text().splitlines()
        with self._notes.open("a") as notes:
            notes.write(f"{step}\n")
            os.fsync(notes.fileno())
        if step == self._fatal and not begun:
            os.kill(os.getpid(), signal.SIGKILL)
        with self._notes.open("a") as notes:
            notes.write(f"{step} done\n")


def main(url: str, notes: Path, fatal: str, name: str) -> None:
    database = open_database(url)
    migrate(database)
    flow: Any = NotedFlow(notes, fatal)
    engine = Engine(database, name, flow, silent_s=2.0)
    engine.launch()
    if name == "host-1":  # host-2 has only what it takes over
        engine.submit("0123456789abcdef", 1)
    deadline = time.monotonic() + 30
    ends = {"finish done", "deliver pacs 2 done", "deliver archive 1 done"}
    while time.monotonic() < deadline and not ends <= set(notes.read_text().splitlines()):
        engine.beat()
        time.sleep(0.1)
    os._exit(0)  # a stop would wait for the engine's threads, and every test twice


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4])
