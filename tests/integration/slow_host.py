"""A process that delivers five studies to two destinations, of which one never answers."""

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from msnode.engine.durable import Engine
from msnode.store.database import open_database
from msnode.store.schema import migrate

STUDIES = [f"{number:016x}" for number in range(5)]


class Flow:
    """Steps that do nothing, except that one destination holds its attempts for ever."""

    def __init__(self) -> None:
        self.destinations = {"slow": None, "fast": None}
        self.held: set[str] = set()
        self.delivered: set[str] = set()

    def prepare(self, study_key: str, generation: int) -> dict[str, Any]:
        return {"reason": None, "seconds": 0.1}

    def outline(self, *_: object) -> dict[str, Any]:
        return {"reason": None, "seconds": {"outline": 0.1}}

    def classify(self, study_key: str, generation: int) -> dict[str, Any]:
        return {"reason": None, "seconds": 0.1}

    def report(self, *_: object) -> str:
        return "present"

    def deliver(self, study_key: str, generation: int, name: str, attempt: int) -> dict[str, Any]:
        if name == "slow":
            self.held.add(study_key)
            threading.Event().wait()
        self.delivered.add(study_key)
        return {"delivered": True, "pause_s": None}

    def finish(self, study_key: str, generation: int) -> None:
        """Nothing is open."""


def main(folder: Path) -> None:
    """Exit with 0 once all is delivered that can be, while the other destination is stuck."""
    database = open_database(f"sqlite:///{folder / 'msnode.sqlite'}")
    migrate(database)
    flow: Any = Flow()
    engine = Engine(database, "host-1", flow)
    engine.launch()
    for study in STUDIES:
        engine.submit(study, 1)
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if flow.delivered == set(STUDIES) and flow.held:
            os._exit(0)
        time.sleep(0.1)
    print(f"held {flow.held}, delivered {flow.delivered}", file=sys.stderr)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
