"""Killed at any moment, a node asks again for earlier studies, and doubles and loses nothing."""

import json
import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msnode import config
from msnode.config import DicomPeer, PeerSource, Retry, WebSource
from msnode.deliver.c_store import send
from msnode.receive import Inbox
from msnode.records.uid_hash import uid_hash
from msnode.store.database import open_database, prior_searches, prior_studies, studies
from msnode.store.schema import migrate
from tests.acceptance import peers
from tests.acceptance.archives import ASKER
from tests.integration.crashing import FETCHING, Stop
from tests.integration.priors_host import COMPLETE, main
from tests.integration.priors_site import NOW, THEN, image, saved
from tests.unit.receive.datasets import rows, store

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.integration.priors_host"])
KILLS = int(os.environ.get("MSNODE_KILLS", "3"))
SEED = int(os.environ.get("MSNODE_SEED", "1"))
OLDER = f"{THEN}1"
POINTS = [f"{when} {name}" for name in FETCHING for when in ("before", "after")]
PATIENCE_S = 60


WAYS = ("c-move", "c-get", "wado-rs")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[peers.Orthanc, int]]:
    """With two earlier studies; and the port to which it moves."""
    folder, port = tmp_path_factory.mktemp("archive"), peers.free_port()
    with peers.orthanc(folder, node_port=port) as started:
        had = [image(THEN, "20230115", n) for n in (1, 2, 3)]
        paths = saved(folder / "had", *had, image(OLDER, "20220115"))
        peer = DicomPeer("pacs", started.ae_title, "127.0.0.1", started.port)
        assert all(receipt.delivered for receipt in send(paths, peer, ASKER))
        yield started, port


def run(data: Path, settings: config.Config, is_waiting: bool, stop: Stop | None) -> int:
    """The node to its end; returns its exit status."""
    process = PROCESSES.Process(target=main, args=(data, settings, is_waiting, stop))
    process.start()
    process.join(PATIENCE_S)
    is_late = process.is_alive()
    process.kill()
    process.join()
    assert not is_late, data.with_suffix(".log").read_text()[-3000:]
    assert process.exitcode is not None
    return process.exitcode


def received(data: Path) -> None:
    """The present study has come."""
    data.mkdir(parents=True)
    database = open_database(f"sqlite:///{data / 'msnode.sqlite'}")
    migrate(database)
    inbox = Inbox(database, data)
    assert store(inbox, image(NOW, "20240115")) == "stored"
    inbox.close()
    database.dispose()


@pytest.mark.timeout(120 + 30 * KILLS)
def test_whoever_is_killed_when_asks_again_and_doubles_nothing(
    archive: tuple[peers.Orthanc, int], tmp_path: Path
) -> None:
    dice, kills, number = random.Random(SEED), 0, 0
    while kills < KILLS:
        number += 1
        is_waiting = bool(number % 2)
        data = tmp_path / str(number) / "data"
        received(data)
        settings = configured(data, *archive, dice.choice(WAYS))
        if not is_waiting:
            settings = patient(settings)
        while kills < KILLS and dice.random() < 0.8:
            stop = Stop(dice.choice(POINTS), dice.randint(1, 2))
            status = run(data, settings, is_waiting, stop)
            kills += status == -signal.SIGKILL
            if status == 0:
                break
        assert run(data, settings, is_waiting, None) == 0, data.with_suffix(".log").read_text()
        assert_once(data, is_waiting)


def configured(data: Path, archive: peers.Orthanc, port: int, by: str) -> config.Config:
    patience: dict[str, Any] = {"wait_s": 300.0, "retry": Retry(0.2, 0.5, 300.0)}
    source: config.PriorSource
    if by == "wado-rs":
        url = f"http://127.0.0.1:{archive.http_port}/dicom-web"
        source = WebSource("pacs", dicomweb=url, **patience)
    else:
        patience["by"] = by
        source = PeerSource("pacs", archive.ae_title, "127.0.0.1", archive.port, **patience)
    receive = config.Receive(address="127.0.0.1", port=port, min_free_bytes=0)
    return config.Config(data=data, receive=receive, complete=COMPLETE, priors=(source,))


def patient(settings: config.Config) -> config.Config:
    """The same where the result waits for next to nothing."""
    from dataclasses import replace

    [source] = settings.priors
    return replace(settings, priors=(replace(source, wait_s=0.1),))


def assert_once(data: Path, is_waiting: bool) -> None:
    """Both earlier studies are compared with, in the first result or in the one revised result."""
    database = open_database(f"sqlite:///{data / 'msnode.sqlite'}")
    priors = sorted([uid_hash(THEN), uid_hash(OLDER)])
    try:
        [study] = rows(database, studies)
        assert study["study_instance_uid"] == NOW, "what was fetched is no study of its own"
        found = {row["prior_key"]: row["state"] for row in rows(database, prior_studies)}
        assert {key: found.get(key) for key in priors} == dict.fromkeys(priors, "kept")
        [search] = rows(database, prior_searches)
        assert (search["state"], search["news"]) == ("done", False)
    finally:
        database.dispose()
    last = int(study["generation"])  # type: ignore[call-overload]
    assert last == 1 if is_waiting else last == 2, "one result, and one that revises it"
    compared = json.loads((data / f"compared-{last}.json").read_text())
    assert compared == priors
    assert json.loads((data / f"reported-{last}.json").read_text()) is False
    if not is_waiting:
        assert json.loads((data / "reported-1.json").read_text()) is True
    assert not list(data.glob("fetched/*/*.dcm"))
    assert len(list((data / "visits").iterdir())) == 2
