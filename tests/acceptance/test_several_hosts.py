"""Two receivers and three workers, each a process of its own, one PostgreSQL, one folder.

One of the workers hangs, and one is cut off from the network (or killed, where the test may not
make networks) in the midst of their work; a third takes over; then they come back.
"""

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode.engine.jobs import OPEN, Job, Jobs
from msnode.records.uid_hash import uid_hash
from msnode.store.database import instances, open_database, studies
from tests.acceptance import peers
from tests.acceptance.conftest import Sent
from tests.acceptance.node import Node
from tests.acceptance.small_model import small_model
from tests.integration.network import Cable, cable, is_possible

NewStudy = Callable[[], Sent]

TAKEN_OVER_S = 45.0
"""Stated in docs/install.md: 30 s without a heartbeat, 5 s between looks, and a busy machine."""
STUDIES = 8

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@dataclass(frozen=True)
class Hosts:
    """All of them, and the PACS."""

    receivers: list[Node]
    workers: list[Node]
    pacs: peers.Orthanc
    pacs_process: subprocess.Popen[bytes]
    database: sa.Engine
    wire: Cable | None
    """To the second worker."""

    def running(self) -> list[Job]:
        """Jobs in the hands of a worker."""
        return Jobs(self.database).list(("running",))

    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        with self.database.connect() as connection:
            states = set(connection.scalars(sa.select(studies.c.state)))
        return states == {"done"} and not Jobs(self.database).list(OPEN)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    folder = tmp_path_factory.mktemp("hosts")
    bundle = small_model(folder / "model")
    pacs = peers.configure_orthanc(folder / "pacs")
    with ExitStack() as stack:
        wire = stack.enter_context(cable()) if is_possible() else None
        url = stack.enter_context(peers.postgresql(*([wire.here] if wire else [])))
        orthanc = peers.program(pacs.command, folder / "orthanc.log")
        process = stack.enter_context(orthanc)
        peers.wait(pacs.answers, 20, "Orthanc to answer")

        def node(name: str, role: str, wire: Cable | None = None) -> Node:
            (folder / name).mkdir()
            settings = {
                "name": name,
                "data": str(folder / "data"),
                "database": url,
                "receive": {"address": "127.0.0.1", "port": peers.free_port()},
                "complete": {"quiet_s": 1.0, "idle_s": 2.0, "cap_s": 60.0},
                "classify": {"device": "cpu", "threads": 1, "bundle": str(bundle)},
                "lesions": {"bundle": None},  # not what this is about, and it takes seconds
                "destinations": [
                    peers.destination("pacs", pacs.ae_title, pacs.port)
                    | {"host": wire.here if wire else "127.0.0.1"}
                    | {"retry": {"first_s": 1.0, "longest_s": 2.0}}
                ],
                "http": {
                    "address": wire.there if wire else "127.0.0.1",
                    "port": peers.free_port(),
                },
            }
            return Node(settings, folder / name, role, tuple(wire.command) if wire else ())

        receiver, both = node("receiver", "receive"), node("both", "serve")
        workers = [node("worker-1", "work"), node("worker-2", "work", wire)]
        for host in (receiver, both, *workers):
            stack.callback(host.kill_if_alive)
        with ThreadPoolExecutor() as starts:  # at once, onto an empty database and folder
            list(starts.map(Node.start, (receiver, both, *workers)))
        database = open_database(url)
        stack.callback(database.dispose)
        yield Hosts([receiver, both], [*workers, both], pacs, process, database, wire)


def send(node: Node, *paths: Path) -> None:
    """As a modality would."""
    sent = peers.dcmtk("storescu", "-aec", "MSNODE", "127.0.0.1", node.port, *paths)
    assert sent.returncode == 0, sent.stdout


def test_images_at_different_receivers_become_one_study_and_one_result(
    hosts: Hosts, new_study: NewStudy
) -> None:
    study = new_study()
    with ThreadPoolExecutor() as associations:
        shares = [study.paths[start::2] for start in range(2)]
        list(associations.map(send, hosts.receivers, *zip(*shares, strict=True)))
    peers.wait(lambda: hosts.pacs.modalities(study.uid) == ["OT", "SR"], 60, "the result")
    with hosts.database.connect() as connection:
        (row,) = connection.execute(
            studies.select().where(studies.c.study_key == uid_hash(study.uid))
        )
        query = sa.select(instances.c.generation).where(instances.c.study_key == row.study_key)
        assert connection.scalars(query).all() == [1] * len(study.paths)
    assert row.generation == 1


def test_the_lost_are_taken_over_and_do_no_harm_when_they_come_back(
    hosts: Hosts, new_study: NewStudy
) -> None:
    suspended, lost, heir = hosts.workers
    sent = [new_study() for _ in range(STUDIES)]
    hosts.pacs_process.send_signal(signal.SIGSTOP)  # deliveries hang in the workers' hands
    for study in sent:
        send(hosts.receivers[0], *study.paths)

    def all_busy() -> bool:
        jobs = [job for job in hosts.running() if job.kind == "deliver"]
        return {job.host for job in jobs} == {worker.folder.name for worker in hosts.workers}

    peers.wait(all_busy, 60, "every worker to deliver something")
    suspended.send_signal(signal.SIGSTOP)
    hosts.wire.cut() if hosts.wire else lost.kill()
    hosts.pacs_process.send_signal(signal.SIGCONT)
    peers.wait(
        lambda: heir.log.read_text().count("fell silent; took over") == 2,
        TAKEN_OVER_S,
        "the heir to take over from both",
    )
    peers.wait(hosts.is_done, 2 * TAKEN_OVER_S, "the heir to finish everything")
    suspended.send_signal(signal.SIGCONT)
    hosts.wire.mend() if hosts.wire else lost.start()
    send(hosts.receivers[1], *new_study().paths)
    time.sleep(5)  # for whatever those who came back still believe to have to do
    peers.wait(hosts.is_done, 60, "the last study")
    assert [hosts.pacs.modalities(study.uid) for study in sent] == [["OT", "SR"]] * STUDIES
    assert Counter(job.state for job in Jobs(hosts.database).list(("dead", "cancelled"))) == {}
