"""A receiver as a process of its own, to be killed: `python -m tests.integration.receiver`."""

import logging
import signal
import sys
import threading
from pathlib import Path

from msnode import config
from msnode.database import migrate, open_database
from msnode.receive import Inbox, Listener


def main(folder: Path) -> None:
    """Listen on a free port, print it, and go on until SIGTERM."""
    logging.basicConfig(level=logging.INFO)
    engine = open_database(f"sqlite:///{folder / 'msnode.sqlite'}")
    migrate(engine)
    inbox = Inbox(engine, folder)
    inbox.rebuild()
    listener = Listener(config.Receive(address="127.0.0.1", port=0, min_free_bytes=0), inbox)
    listener.start()
    print(listener.port, flush=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    listener.stop(2)
    inbox.close()
    engine.dispose()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
