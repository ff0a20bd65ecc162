"""Reports a study and brings it to an HL7 destination, in a process of its own, to be killed."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from msnode.config import Config, Folder, Hl7Destination
from msnode.deliver.deliveries import Deliveries
from msnode.flow import Flow
from msnode.records.images import Study
from msnode.store.database import open_database
from msnode.twin import Twin
from tests import reports
from tests.flows import leave, register
from tests.integration.crashing import Stop

AT = 1_700_000_000.0
"""When the study was processed: recorded by the engine, the same in every attempt."""


def prepared(folder: Path, database: sa.Engine) -> tuple[Study, Any]:
    """A study as the steps before the report leave it, and the model."""
    made = reports.synthetic(folder, 5)
    study = Study(made.study_instance_uid, 1, "evidence", made.evidence, time.time())
    leave(made, folder / "data/work" / study.key / "1")
    register(database, study)
    return study, made.model


def flow_of(
    folder: Path, database: sa.Engine, study: Study, model: Any, destination: Hl7Destination
) -> Flow:
    """A flow over one study; the inbox and the model are what the test says."""
    archive = Folder("archive", folder=folder / "archive")
    config = Config(data=folder / "data", destinations=(archive, destination))
    inbox: Any = SimpleNamespace(study=lambda *_: study)
    runner: Any = SimpleNamespace(info=model)
    return Flow(config, inbox, runner, Deliveries(database), Twin(database))


def main(
    folder: Path, study: Study, model: Any, destination: Hl7Destination, stop: Stop | None
) -> None:
    """Report and deliver until there is nothing to do any more, or killed."""
    if stop is not None:
        stop.arm()
    database = open_database(f"sqlite:///{folder / 'msnode.sqlite'}")
    flow = flow_of(folder, database, study, model, destination)
    flow.report(study.key, 1, None, {}, AT)
    attempt = 1
    while flow.deliver(study.key, 1, destination.name, attempt)["pause_s"] is not None:
        attempt += 1
        time.sleep(0.05)
