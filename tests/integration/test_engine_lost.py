"""A delivery that ends the node again and again is given up, and somebody hears of it."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from msnode.engine.durable import Engine
from msnode.engine.jobs import Jobs
from msnode.store.database import open_database
from msnode.store.schema import migrate

ROOT = Path(__file__).parents[2]
STUDY = "0123456789abcdef"


def main(url: str) -> None:
    """A study whose delivery waits for its next attempt, and is then what a crash loop leaves."""
    database = open_database(url)
    migrate(database)
    flow: Any = SimpleNamespace(
        destinations={"pacs": None},
        prepare=lambda *_: {"reason": "none", "seconds": 0.0},
        report=lambda *_: "not_analysed",
        deliver=lambda *_: {"delivered": False, "pause_s": 3600.0},
        finish=lambda *_: None,
    )
    engine = Engine(database, "host", flow)
    engine.launch()
    engine.submit(STUDY, 1)
    jobs = Jobs(database)
    while not jobs.list(["waiting"]):
        time.sleep(0.05)
    assert engine.lost() == []
    schema = None if database.dialect.name == "sqlite" else "dbos"
    table = sa.table("workflow_status", sa.column("status"), schema=schema)
    given_up = {"status": "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}
    with database.begin() as connection:
        connection.execute(sa.update(table).where(table.c.status == "DELAYED").values(given_up))
    [dead] = jobs.list(["dead"])
    assert engine.stopped() == {"dead": 1}
    assert engine.lost() == [(STUDY, "pacs")]
    assert engine.lost() == [], "told once"
    assert [job.id for job in jobs.list(["cancelled"])] == [dead.id]
    assert engine.stopped() == {"cancelled": 1}
    jobs.retry(dead.id)
    while len(jobs.list(["waiting"])) < 1:
        time.sleep(0.05)
    assert not engine.stopped()
    retried_as_the_newest(jobs, database, table)
    assert engine.unworked([(STUDY, 1), (STUDY, 2)]) == ([(STUDY, 2)], []), "one took its place"
    os._exit(0)


def retried_as_the_newest(jobs: Jobs, database: sa.Engine, table: Any) -> None:
    """A dead study is done again as a new one would be: with its lesions."""
    [done] = [job for job in jobs.list(["done"]) if job.kind == "study"]
    failed = sa.update(table).where(sa.column("workflow_uuid") == done.id).values(status="ERROR")
    with database.begin() as connection:
        connection.execute(failed)
    jobs.retry(done.id)
    names = jobs._client.list_workflows(workflow_id_prefix="study.", load_output=False)
    assert [job.name for job in names] == ["study.v2"]


def test_it_is_told_once_and_can_be_taken_up_again(database_url: str) -> None:
    command = [sys.executable, "-m", "tests.integration.test_engine_lost", database_url]
    subprocess.run(command, timeout=60, check=True, cwd=ROOT)


if __name__ == "__main__":
    main(sys.argv[1])
