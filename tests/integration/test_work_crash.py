"""Kill the worker, or cut its power, before and after each step: one result, once, at the PACS.

The flow is the real one. What is told of the database holds on SQLite, which loses its power with
the rest, and on a PostgreSQL on another machine, which remembers what the worker said to it last.
"""

import multiprocessing
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
import yaml
from pydicom.uid import generate_uid

from msnode import sample
from msnode.receive import Inbox
from msnode.store.database import open_database
from msnode.store.schema import migrate
from tests.acceptance import peers
from tests.acceptance.small_model import small_model
from tests.integration.crashing import Stop
from tests.integration.disk import Disk, is_possible
from tests.integration.worker import main
from tests.unit.receive.datasets import store

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([main.__module__])
PATIENCE_S = 240.0  # for a worker, on a machine that has much else to do
ALL = [
    (database, way, *stop)
    for database, way in (("sqlite", "c-store"), ("postgresql", "c-store"), ("sqlite", "stow"))
    for stop in (
        ("after prepare", 1),
        ("after classify", 1),
        ("before report", 1),
        ("after report", 1),
        ("before enqueue", 2),  # the study's own job was the first
        ("after enqueue", 2),
        ("before receipt", 1),
        ("after receipt", 1),  # of two
        ("after deliver", 1),
        ("before finish", 1),
        ("after finish", 1),
    )
]
FEW = [
    ("sqlite", "c-store", "before enqueue", 2),
    ("postgresql", "c-store", "after receipt", 1),
    ("sqlite", "stow", "before receipt", 1),
]
CHOSEN = [pytest.param(*one, marks=[] if one in FEW else pytest.mark.long) for one in ALL]
"""Always few, as test_engine.py kills at every step of a flow that costs nothing."""


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Orthanc]:
    with peers.orthanc(tmp_path_factory.mktemp("pacs")) as pacs:
        yield pacs


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if not is_possible():
        pytest.skip("a disk whose power can be cut needs root, to mount it")
    disk = Disk(tmp_path / "disk", tmp_path / "mounted", peers.tool)
    yield disk
    disk.unmount()
    (tmp_path / "disk").unlink()


def configure(
    folder: Path, database: str, data: Path, destination: dict[str, Any], bundle: Path
) -> Path:
    """Write the worker's configuration."""
    settings = {
        "name": "worker",
        "data": str(data),
        "database": None if database == "sqlite" else database,
        "classify": {"device": "cpu", "threads": 1, "bundle": str(bundle)},
        "lesions": {"bundle": None},  # not what this is about, and it takes seconds
        "destinations": [destination],
        "http": {"port": 0},
    }
    file = folder / "worker.yaml"
    file.write_text(yaml.safe_dump({k: v for k, v in settings.items() if v is not None}))
    return file


def receive(url: str, data: Path, folder: Path) -> str:
    """Put a complete study into the inbox; returns its UID."""
    uid = str(generate_uid())
    engine = open_database(url)
    migrate(engine)
    inbox = Inbox(engine, data)
    for path in sample.write_study(folder, study_uid=uid):
        assert store(inbox, pydicom.dcmread(path), at=time.time() - 3600) == "stored"
    inbox.close()
    engine.dispose()
    return uid


def work(file: Path, stop: Stop | None) -> int:
    """Run the worker to its end; returns its exit status."""
    process = PROCESSES.Process(target=main, args=(file, stop))
    process.start()
    process.join(PATIENCE_S)
    process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.timeout(3 * PATIENCE_S)
@pytest.mark.parametrize(("database", "way", "point", "count"), CHOSEN)
def test_one_result_whatever_step_dies(
    database: str,
    way: str,
    point: str,
    count: int,
    disk: Disk,
    pacs: peers.Orthanc,
    bundle: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    data = disk.folder / "data"
    data.mkdir()
    if database == "postgresql":
        database = url = request.getfixturevalue("postgresql_url")
    else:
        url = f"sqlite:///{data / 'msnode.sqlite'}"
    destination = peers.destination("pacs", pacs.ae_title, pacs.port)
    if way == "stow":
        destination = {
            "name": "pacs",
            "stow": f"http://127.0.0.1:{pacs.http_port}/dicom-web",
            "verify": "qido",
        }
    file = configure(tmp_path, database, data, destination, bundle)
    uid = receive(url, data, tmp_path / "study")
    disk.sync()
    assert work(file, Stop(point, count, disk.folder)) == -signal.SIGKILL
    disk.remount()
    assert work(file, None) == 0, file.with_suffix(".log").read_text()[-2000:]
    assert pacs.modalities(uid) == ["OT", "SR"]
