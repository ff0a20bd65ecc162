"""A node in a process of its own that fetches earlier studies, to be killed: all but the networks.

Listener, inbox, database, engine, upkeep and search are the real ones. What analyses notes with
which visits each generation was compared.
"""

import json
import logging
import os
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from msnode import config
from msnode.engine.durable import Engine
from msnode.engine.jobs import OPEN, Jobs
from msnode.fetch.way import Taking
from msnode.flow.prior_step import PriorStep, Reading
from msnode.receive import Inbox, Listener
from msnode.receive.c_get_scu import receiver
from msnode.receive.dicomweb.wado_body import body_receiver
from msnode.records.uid_hash import uid_hash
from msnode.service.upkeep import Upkeep
from msnode.store.database import open_database, prior_searches, studies
from msnode.store.files import replacing
from msnode.store.prior_searches import PriorSearches
from msnode.store.schema import migrate
from msnode.twin import Twin
from tests.acceptance import peers
from tests.integration.crashing import Stop
from tests.integration.priors_site import Visits

COMPLETE = config.Complete(quiet_s=0.1, idle_s=0.1, cap_s=60.0)


class DurableVisits(Visits):
    """A visit is a file."""

    def is_here(self, study_key: str) -> bool:
        return (self.folder / "visits" / study_key).exists()

    def keep(self, study_instance_uid: str) -> str | None:
        place = self.folder / "visits" / uid_hash(study_instance_uid)
        place.parent.mkdir(exist_ok=True)
        with replacing(place) as file:
            file.write(b"visit")
        return None


class Analysis:
    """The steps of a study, as far as earlier ones matter."""

    def __init__(self, data: Path, database: sa.Engine) -> None:
        self.destinations: dict[str, Any] = {}
        self._data = data
        self._twin = Twin(database)
        self._searches = PriorSearches(database)
        self.studies: Any = None

    def prepare(self, *_: object) -> dict[str, Any]:
        return {"reason": None, "seconds": 0.0}

    classify = prepare

    def outline(self, key: str, generation: int) -> dict[str, Any]:
        others = self._searches.looked(key, generation, partial(self._twin.others, study_key=key))
        with replacing(self._data / f"compared-{generation}.json") as file:
            file.write(json.dumps(others).encode())
        return {"reason": None, "seconds": {"outline": 0.0}}

    def report(self, key: str, generation: int, *_: object) -> str:
        awaited = self._searches.is_awaited(key, generation)
        with replacing(self._data / f"reported-{generation}.json") as file:
            file.write(json.dumps(awaited).encode())
        return "present"

    def finish(self, key: str, generation: int) -> None:
        self.studies.finish(key, generation)


def main(data: Path, settings: config.Config, is_waiting: bool, stop: Stop | None) -> None:
    """Be the node until all is done, or until stopped.

    Args:
        data: its folder.
        settings: its configuration.
        is_waiting: the result waits for the earlier studies; else they come too late.
        stop: where it is killed.
    """
    log = os.open(data.with_suffix(".log"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(log, 2)
    logging.basicConfig(level=logging.INFO)
    if stop is not None:
        stop.arm()
    database = open_database(settings.database_url)
    migrate(database)
    inbox = Inbox(database, data)
    inbox.rebuild()
    Listener(settings.receive, inbox).start()
    analysis: Any = Analysis(data, database)
    analysis.studies = inbox.studies
    analysis.has_wanted = lambda _: True
    analysis.deliveries = SimpleNamespace(reported=lambda: ())
    analysis.expectations = SimpleNamespace(measure=lambda: None)
    glance: Any = SimpleNamespace(call=lambda _, function, *args: function(*args))
    visits: Any = DurableVisits(data)
    from msnode.audit import SILENT

    step = PriorStep(
        settings,
        database,
        inbox.studies,
        Reading(glance, lambda _: True, ("FLAIR",)),
        visits,
        Taking(receiver(settings.receive, inbox), body_receiver(settings.receive, inbox)),
        SILENT,
    )
    if not is_waiting:  # the source is slow
        fetch = step.fetch
        step.fetch = lambda *args: (  # type: ignore[method-assign]
            peers.wait(lambda: (data / "reported-1.json").exists(), 20, "the first result"),
            fetch(*args),
        )[1]
    engine = Engine(database, "msnode", analysis, priors=step)
    engine.launch()
    retention: Any = SimpleNamespace(apply=lambda _: [])
    upkeep = Upkeep(settings, inbox, engine, analysis, retention, step.searches)
    upkeep.periodic.start()
    jobs = Jobs(database)
    while not is_done(database, jobs):
        time.sleep(0.1)
    os._exit(0)


def is_done(database: sa.Engine, jobs: Jobs) -> bool:
    """Whether the study has its last result and every job has ended."""
    with database.connect() as connection:
        states = list(connection.scalars(sa.select(studies.c.state)))
        searches = connection.execute(sa.select(prior_searches)).all()
    settled = searches and all(row.state != "open" and not row.news for row in searches)
    return bool(settled) and states == ["done"] and not jobs.list(OPEN)
