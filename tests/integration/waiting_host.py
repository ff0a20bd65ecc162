"""A worker whose model takes its time without taking the CPU, as one on a GPU does."""

import sys
import time
from typing import Any

from msnode.engine.durable import Engine
from msnode.store.database import open_database
from msnode.store.schema import migrate

WAIT_S = 2.0


class WaitingFlow:
    """Nothing but the wait for the device."""

    def __init__(self) -> None:
        self.destinations = {"pacs": None}

    def prepare(self, study_key: str, generation: int) -> dict[str, Any]:
        return {"reason": None, "seconds": 0.0}

    def outline(self, *_: object) -> dict[str, Any]:
        return {"reason": None, "seconds": {"outline": 0.1}}

    def classify(self, study_key: str, generation: int) -> dict[str, Any]:
        time.sleep(WAIT_S)
        return {"reason": None, "seconds": WAIT_S}

    def report(self, *_: object) -> str:
        return "present"

    def deliver(self, *_: object) -> dict[str, Any]:
        return {"delivered": True, "pause_s": None}

    def finish(self, study_key: str, generation: int) -> None:
        """Nothing is left to close."""


def main(url: str, name: str) -> None:
    """Say when it is ready; submit as many studies as it is told; work until killed."""
    database = open_database(url)
    migrate(database)
    flow: Any = WaitingFlow()
    engine = Engine(database, name, flow)
    engine.launch()
    print("ready", flush=True)
    for number in range(int(sys.stdin.readline())):
        engine.submit(f"{number:016x}", 1)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
