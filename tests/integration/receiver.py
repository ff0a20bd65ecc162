"""A receiver as a process of its own, to be killed."""

import logging
import os
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from msnode import config
from msnode.receive import Inbox, Listener, WebListener
from msnode.store.database import open_database
from msnode.store.schema import migrate
from tests.integration.crashing import Stop


def main(
    folder: Path, ready: Connection, stop: Stop | None, lying: bool = False, by_web: bool = False
) -> None:
    """Listen on a free port, tell it, and go on until killed.

    Args:
        folder: the data folder; what the process says goes into a file beside it.
        ready: gets the port.
        stop: where to die.
        lying: nothing is ever fsynced.
        by_web: STOW-RS instead of C-STORE.
    """
    log = os.open(folder.with_suffix(".log"), os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(log, 2)
    logging.basicConfig(level=logging.INFO)
    if lying:
        os.fsync = lambda fd: None
    if stop is not None:
        stop.arm()
    engine = open_database(f"sqlite:///{folder / 'msnode.sqlite'}")
    migrate(engine)
    inbox = Inbox(engine, folder)
    inbox.rebuild()
    # short PDUs, so that an image comes in several pieces
    web = config.Dicomweb(port=0)
    receive = config.Receive(
        address="127.0.0.1", port=0, min_free_bytes=0, max_pdu=16384, dicomweb=web
    )
    listener = WebListener(receive, web, inbox) if by_web else Listener(receive, inbox)
    listener.start()
    ready.send(listener.port)
    threading.Event().wait()
