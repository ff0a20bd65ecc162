"""Results to a FHIR R4 server by the flow, whoever is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from msnode.config import Config, Describe, Folder
from msnode.deliver.deliveries import Deliveries
from msnode.flow import Flow
from msnode.records.images import Study
from msnode.records.results import Report
from msnode.report.fhir_bundle import write_bundle
from msnode.store.receipts import Receipts
from msnode.twin import Twin
from tests import reports
from tests.fhir_server import Answer, Server
from tests.flows import leave, register
from tests.integration.fhir_results import hospital, result, server

KILLS = int(os.environ.get("MSNODE_KILLS", "4"))


@pytest.fixture
def ehr() -> Iterator[Server]:
    with hospital() as running:
        yield running


@pytest.fixture
def made(tmp_path: Path) -> Report:
    return result(tmp_path / "source")


@dataclass
class Node:
    """A flow over one study; the inbox and the model are what a report says."""

    flow: Flow
    study: Study
    receipts: Receipts

    def deliver(self, name: str, attempt: int) -> tuple[bool, bool]:
        came = self.flow.deliver(self.study.key, 1, name, attempt)
        return came["delivered"], came["pause_s"] is not None


@pytest.fixture
def node(ehr: Server, database: sa.Engine, tmp_path: Path) -> Node:
    made = reports.synthetic(tmp_path, 5)
    study = Study(made.study_instance_uid, 1, "evidence", made.evidence, time.time())
    leave(made, tmp_path / "data/work" / study.key / "1")
    register(database, study)
    archive = Folder("archive", folder=tmp_path / "archive")
    config = Config(data=tmp_path / "data", destinations=(archive, server(ehr)))
    inbox: Any = SimpleNamespace(study=lambda *_: study)
    runner: Any = SimpleNamespace(info=made.model)
    flow = Flow(config, inbox, runner, Deliveries(database), Twin(database))
    return Node(flow, study, Receipts(database))


def test_the_flow_brings_a_result_and_a_receipt(node: Node, ehr: Server) -> None:
    ehr.faults.append(lambda _: (503, {}))
    assert node.flow.report(node.study.key, 1, None, {}, 1_700_000_000.0) == "present"
    assert node.deliver("archive", 1) == (True, False)
    assert node.deliver("ehr", 1) == (False, True)
    assert node.flow.report(node.study.key, 1, None, {}, 1_700_000_000.0) == "present"
    assert node.deliver("ehr", 2) == node.deliver("ehr", 3) == (True, False)
    first, second = ehr.received
    assert first == second
    receipts = node.receipts.of(node.study.key, 1)
    (kept,) = [one for one in receipts if one.destination == "ehr"]
    assert (kept.delivered, kept.attempts) == (True, 2)
    assert kept.sop_instance_uid == json.loads(first)["id"]


def test_whoever_is_killed_when_the_server_has_one_result(
    made: Report, ehr: Server, database_url: str, tmp_path: Path
) -> None:
    """Killed before the request, while it is carried out, before the answer and after it."""
    chance = random.Random(int(os.environ.get("MSNODE_SEED", "7")))
    path = write_bundle(made, Describe(), server(ehr), tmp_path / "bundle.json")
    host = [sys.executable, "-m", "tests.integration.fhir_host", database_url, str(path), ehr.url]
    for number in range(KILLS):
        here = Event()
        ehr.faults[:] = [_before(here), _after(here)][number % 2 : number % 2 + 1]
        process = subprocess.Popen([*host, str(number + 1)])
        if number % 4 < 2:
            assert here.wait(30), "it was not sent"
        else:
            time.sleep(chance.uniform(0.5, 2.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        ehr.faults.clear()
        assert len(ehr.all_of("DiagnosticReport")) <= number + 1
        subprocess.run([*host, str(number + 1)], check=True, timeout=60)
        assert len(ehr.all_of("DiagnosticReport")) == 1
        assert len(ehr.all_of("Observation")) == 7
        assert len(ehr.all_of("RiskAssessment")) == len(ehr.all_of("ImagingStudy")) == 1
    assert len(set(ehr.received)) == 1


def _before(here: Event) -> Callable[[Any], None]:
    def fault(_: Any) -> None:
        here.set()
        time.sleep(0.3)

    return fault


def _after(here: Event) -> Callable[[Any], Answer]:
    def fault(do: Callable[[], Answer]) -> Answer:
        answer = do()
        here.set()
        time.sleep(0.1)
        return answer

    return fault
