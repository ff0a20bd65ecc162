"""The flow writes a signal and brings it to a webhook, with receipts on a real database."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from msnode.config import Config, Folder, Webhook
from msnode.deliver.deliveries import Deliveries
from msnode.flow import Flow
from msnode.records.images import Study
from msnode.records.receipt import Receipt
from msnode.store.receipts import Receipts
from msnode.twin import Twin
from tests import reports
from tests.flows import leave, register


@dataclass
class Ris:
    """A receiver that answers with one status after the other."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def ris() -> Iterator[Ris]:
    running = Ris()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            running.received.append(json.loads(self.rfile.read(length)))
            self.send_response(running.answers.pop(0))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield running
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Node:
    """A flow over one study; the inbox and the model are what a report says."""

    flow: Flow
    study: Study
    receipts: Receipts
    archive: Path

    def report(self, reason: str | None = None) -> str:
        return self.flow.report(self.study.key, 1, reason, {}, 1_700_000_000.0)

    def deliver(self, name: str, attempt: int) -> tuple[bool, bool]:
        """Whether an attempt delivered, and whether there is to be another."""
        came = self.flow.deliver(self.study.key, 1, name, attempt)
        return came["delivered"], came["pause_s"] is not None

    def receipts_of(self, name: str) -> list[Receipt]:
        return [r for r in self.receipts.of(self.study.key, 1) if r.destination == name]


@pytest.fixture
def node(ris: Ris, database: sa.Engine, tmp_path: Path) -> Node:
    made = reports.synthetic(tmp_path, 5)
    study = Study(made.study_instance_uid, 1, "evidence", made.evidence, time.time())
    leave(made, tmp_path / "data/work" / study.key / "1")
    register(database, study)
    archive = Folder("archive", folder=tmp_path / "archive")
    hook = Webhook("ris", url=ris.url, secret="0123456789abcdef")
    config = Config(data=tmp_path / "data", destinations=(archive, hook))
    inbox: Any = SimpleNamespace(study=lambda *_: study)
    runner: Any = SimpleNamespace(info=made.model)
    receipts = Receipts(database)
    flow = Flow(config, inbox, runner, Deliveries(database), Twin(database))
    return Node(flow, study, receipts, tmp_path / "archive")


def test_a_webhook_that_is_down_gets_the_same_signal_later(node: Node, ris: Ris) -> None:
    ris.answers = [503, 200]
    assert node.report() == "present"
    assert node.deliver("ris", 1) == (False, True)
    (waiting,) = node.receipts_of("ris")
    assert (waiting.delivered, waiting.retry, waiting.attempts) == (False, True, 1)
    assert waiting.detail == "HTTP 503 Service Unavailable"
    assert node.report() == "present"  # as after a crash
    assert node.deliver("ris", 2) == (True, False)
    (settled,) = node.receipts_of("ris")
    assert (settled.delivered, settled.attempts) == (True, 2)
    first, second = ris.received
    assert first == second
    assert first["id"] == settled.sop_instance_uid


def test_what_was_delivered_is_not_sent_again(node: Node, ris: Ris) -> None:
    ris.answers = [204]
    node.report()
    assert node.deliver("ris", 1) == node.deliver("ris", 1) == (True, False)
    assert len(ris.received) == 1


def test_a_webhook_that_refuses_is_given_up(node: Node, ris: Ris) -> None:
    ris.answers = [422]
    node.report()
    assert node.deliver("ris", 1) == (False, False)
    (receipt,) = node.receipts_of("ris")
    assert (receipt.delivered, receipt.retry) == (False, False)


def test_the_signal_names_what_the_others_got(node: Node, ris: Ris) -> None:
    ris.answers = [200]
    node.report()
    node.deliver("archive", 1)
    node.deliver("ris", 1)
    named = {one["sop_instance_uid"] for one in ris.received[0]["results"]}
    assert named == {receipt.sop_instance_uid for receipt in node.receipts_of("archive")}
    assert len(list(node.archive.iterdir())) == len(named) == 2


def test_a_study_that_was_not_analysed_is_signalled_too(node: Node, ris: Ris) -> None:
    ris.answers = [200]
    assert node.report("Modality is CT") == "not_analysed"
    assert node.deliver("ris", 1) == (True, False)
    assert ris.received[0]["reason"] == "Modality is CT"
    assert ris.received[0]["priority"] is None
