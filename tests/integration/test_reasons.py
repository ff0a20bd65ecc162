"""Why a study was not analysed reaches the report in the reader's language."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from msnode import report
from msnode.config import Config, Describe, Folder
from msnode.deliver.deliveries import Deliveries
from msnode.flow import Flow
from msnode.records.images import Study
from msnode.records.sentences import Sentence, to_json
from msnode.store.database import open_database
from msnode.store.schema import migrate
from msnode.twin import Twin
from tests import reports
from tests.flows import leave, register


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (to_json(Sentence("nothing_bright")), "PixelData: in den Bildern ist nichts Helles"),
        ("the head is too small", "the head is too small"),
    ],
    ids=["this version", "a job begun by an older one"],
)
def test_a_stored_reason_is_reported(tmp_path: Path, stored: Any, said: str) -> None:
    made = reports.synthetic(tmp_path, 3)
    study = Study(made.study_instance_uid, 1, "evidence", made.evidence, time.time())
    config = Config(
        data=tmp_path / "data",
        destinations=(Folder("pacs", folder=tmp_path / "pacs"),),
        report=Describe(language="de"),
    )
    work = config.data / "work" / study.key / "1"
    leave(made, work)
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    register(database, study)
    inbox: Any = SimpleNamespace(study=lambda *_: study)
    runner: Any = SimpleNamespace(info=made.model)
    twin = Twin(database)
    flow = Flow(config, inbox, runner, Deliveries(database), twin)
    assert flow.report(study.key, 1, stored, {}, time.time()) == "not_analysed"
    assert report.read(work / "minimal" / "sr.dcm").reason == f"Nicht ausgewertet: {said}"
    kept = twin.history("p")[-1].reason
    assert kept == (stored if isinstance(stored, str) else stored["text"])
    database.dispose()
