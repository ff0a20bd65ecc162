"""An HL7 v2 listener: in the test's own process, or as one of its own, to be killed."""

import logging
import os
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import sqlalchemy as sa

from msnode import config
from msnode.receive import MllpListener
from msnode.service.message_intake import MessageIntake
from msnode.store.database import open_database
from msnode.store.schema import migrate
from tests.hl7_messages import SECRET
from tests.integration.crashing import Stop


def listener(database: sa.Engine, hl7: config.Hl7 | None = None, **limits: float) -> MllpListener:
    """One on a free port, started; whoever has it stops it."""
    intake = MessageIntake(database, SECRET, "P", lambda: True)
    receive = config.Receive(**limits)  # type: ignore[arg-type]
    started = MllpListener(receive, hl7 or config.Hl7(port=0), intake.take)
    started.start()
    return started


def main(url: str, log: Path, ready: Connection, stop: Stop | None) -> None:
    """Listen on a free port, tell it, and go on until killed."""
    told = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(told, 2)
    logging.basicConfig(level=logging.INFO)
    database = open_database(url)
    migrate(database)
    if stop is not None:
        stop.arm()
    ready.send(listener(database).port)
    threading.Event().wait()
