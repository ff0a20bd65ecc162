"""A worker as a process of its own, to be killed: the whole flow, real files, a real PACS."""

import os
import time
from pathlib import Path

import sqlalchemy as sa

from msnode.config import load
from msnode.engine.jobs import OPEN, Jobs
from msnode.service import Service
from msnode.store.database import open_database, studies
from tests.integration.crashing import Stop


def main(file: Path, stop: Stop | None) -> None:
    """Work until nothing is left to do, or until stopped."""
    log = os.open(file.with_suffix(".log"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(log, 2)
    if stop is not None:
        stop.arm()
    config = load(file)
    database = open_database(config.database_url)
    with Service(config, receive=False):
        jobs = Jobs(database)
        while not is_done(database, jobs):
            time.sleep(0.1)
        os._exit(0)


def is_done(database: sa.Engine, jobs: Jobs) -> bool:
    """Whether every study has its result and every job has ended."""
    with database.connect() as connection:
        states = set(connection.scalars(sa.select(studies.c.state)))
    return states <= {"done"} and not jobs.list(OPEN)
