"""The flow writes a message and brings it to an HL7 v2 system, with receipts and after kills.

The long run is `MSNODE_KILLS=20 pytest` with this file.
"""

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import trustme

from msnode.config import Hl7Destination, Retry
from msnode.flow import Flow
from msnode.records.images import Study
from msnode.records.receipt import Receipt
from msnode.store.receipts import Receipts
from tests.hl7_server import Ris
from tests.integration.crashing import MESSAGING, Stop
from tests.integration.hl7_sender_host import AT, flow_of, main, prepared

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.integration.hl7_sender_host"])
KILLS = int(os.environ.get("MSNODE_KILLS", 3))
SEED = int(os.environ.get("MSNODE_SEED", 1))
POINTS = [f"{when} {name}" for name in MESSAGING for when in ("before", "after")]


@pytest.fixture
def ris() -> Iterator[Ris]:
    with Ris() as running:
        yield running


@dataclass
class Node:
    flow: Flow
    study: Study
    receipts: Receipts

    def report(self, reason: str | None = None) -> str:
        return self.flow.report(self.study.key, 1, reason, {}, AT)

    def deliver(self, attempt: int) -> tuple[bool, bool]:
        """Whether an attempt delivered, and whether there is to be another."""
        came = self.flow.deliver(self.study.key, 1, "ris", attempt)
        return came["delivered"], came["pause_s"] is not None

    def receipt(self) -> Receipt:
        (found,) = self.receipts.at("ris", self.study.key, 1)
        return found


def destination(ris: Ris, **settings: Any) -> Hl7Destination:
    return Hl7Destination("ris", "127.0.0.1", ris.port, timeout_s=5.0, **settings)


def node_of(tmp_path: Path, database: sa.Engine, to: Hl7Destination) -> Node:
    study, model = prepared(tmp_path, database)
    return Node(flow_of(tmp_path, database, study, model, to), study, Receipts(database))


def test_a_system_that_is_not_ready_gets_the_same_message_later(
    ris: Ris, database: sa.Engine, tmp_path: Path
) -> None:
    node, ris.answers = node_of(tmp_path, database, destination(ris)), ["AR"]
    assert node.report() == "present"
    assert node.deliver(1) == (False, True)
    waiting = node.receipt()
    assert (waiting.delivered, waiting.retry, waiting.detail) == (False, True, "AR")
    assert node.report() == "present"  # as after a crash
    assert node.deliver(2) == (True, False)
    settled = node.receipt()
    assert (settled.delivered, settled.attempts) == (True, 2)
    assert node.deliver(3) == (True, False)  # what was delivered is not sent again
    first, second = ris.received
    assert first == second
    assert first.split("|")[9] == settled.sop_instance_uid


def test_a_study_that_was_not_analysed_is_told_too(
    ris: Ris, database: sa.Engine, tmp_path: Path
) -> None:
    node = node_of(tmp_path, database, destination(ris))
    assert node.report("Modality is CT") == "not_analysed"
    assert node.deliver(1) == (True, False)
    assert "|NOT_ANALYSED^Not analysed^99MSNODE|" in ris.received[0]
    assert "Modality is CT" in ris.received[0]


def test_a_template_that_fails_keeps_no_result_back(
    ris: Ris, database: sa.Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / "own.hl7"
    own.write_text("MSH|{{ nobody }}")
    node = node_of(tmp_path, database, destination(ris, template=own))
    assert node.report() == "present"
    assert node.deliver(1) == (True, False)
    assert "the usual template is used instead" in caplog.text
    assert ris.received[0].startswith("MSH|^~\\&|MSNODE|")


def test_what_leaves_is_audited_and_names_nobody_in_the_log(
    ris: Ris, database: sa.Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    node, ris.answers = node_of(tmp_path, database, destination(ris)), ["AE"]
    node.report()
    node.deliver(1)
    patient = ris.received[0].split("\r")[1].split("|")[3].split("^")[0]
    assert patient
    assert patient not in caplog.text


def test_a_system_of_another_authority_gets_nothing(
    ris: Ris, database: sa.Engine, tmp_path: Path
) -> None:
    from tests.integration.test_deliver_tls import issue

    tls = issue(trustme.CA(), tmp_path / "tls", "localhost")
    node = node_of(tmp_path, database, destination(ris, tls=tls))
    node.report()
    assert node.deliver(1) == (False, True)
    assert ris.received == []


@pytest.mark.timeout(60 + 15 * KILLS)
def test_whoever_is_killed_when_it_arrives_and_is_one_message(
    ris: Ris, database: sa.Engine, tmp_path: Path
) -> None:
    quick = Retry(first_s=0.1, longest_s=0.1, give_up_s=60.0)
    to = replace(destination(ris), retry=quick)
    study, model = prepared(tmp_path, database)
    choose = random.Random(SEED)
    for _ in range(KILLS):
        with database.begin() as connection:  # as if nothing had been delivered yet
            connection.execute(sa.text("DELETE FROM receipts"))
        point = choose.choice(POINTS)
        assert live(tmp_path, study, model, to, Stop(point)) == -signal.SIGKILL, point
    assert live(tmp_path, study, model, to, None) == 0
    assert len(set(ris.received)) == 1
    (receipt,) = Receipts(database).at("ris", study.key, 1)
    assert receipt.delivered
    assert receipt.sop_instance_uid == ris.received[0].split("|")[9]


def live(folder: Path, study: Study, model: Any, to: Hl7Destination, stop: Stop | None) -> int:
    """One life of the sender; returns how it ended."""
    process = PROCESSES.Process(target=main, args=(folder, study, model, to, stop))
    process.start()
    process.join(60)
    code = process.exitcode
    assert code is not None
    process.close()
    return code
