"""Disk or database fails at every write of a step: nothing half is left, then all is well."""

import errno
import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode import audit, classify, prepare, report
from msnode.config import Config, Describe, Folder
from msnode.deliver.deliveries import deliver
from msnode.errors import TryLater
from msnode.records.images import Prepared
from msnode.records.receipt import Receipt
from msnode.records.results import Report
from msnode.records.uid_hash import uid_hash
from msnode.store.database import metadata, open_database, results, studies
from msnode.store.receipts import Receipts
from msnode.store.schema import migrate
from msnode.twin import Entry, Twin
from tests import reports
from tests.acceptance.peers import wait
from tests.faults import FAULTY, FULL, Faults, every_point, installed

STUDY = uid_hash(reports.STUDY)


@dataclass
class Place:
    """What a step writes from, and where to."""

    made: Report
    folder: Path
    database: sa.Engine


def save_prepared(place: Place) -> None:
    made = place.made
    assert made.slices is not None
    slices = replace(made.slices, pixels=made.slices.pixels[:, :, :9, :9])
    prepare.save(Prepared(slices, made.series, made.evidence), place.folder)


def save_scores(place: Place) -> None:
    made = place.made
    assert made.scores is not None
    assert made.finding is not None
    classify.save_info(made.model, place.folder)
    prepare.save_series(made.series, place.folder)
    scores = replace(made.scores, saliency=made.scores.saliency[:, :9, :9].copy())
    classify.save_scores(scores, made.finding, place.folder)


def write_objects(place: Place) -> None:
    report.write(place.made, Describe(), "minimal", place.folder)


def write_signal(place: Place) -> None:
    report.write_signal(place.made, [], place.folder / "signal.json")


def copy_to_folder(place: Place) -> None:
    """A destination says in its receipts whether it makes sense to try again."""
    destination = Folder("archive", folder=place.folder)
    for receipt in deliver(place.made.evidence[:2], destination, "MSNODE"):
        if not receipt.delivered:
            assert receipt.retry
            raise OSError(errno.EIO, receipt.detail)


def keep_receipts(place: Place) -> None:
    receipts = Receipts(place.database)
    for number in range(2):
        receipt = Receipt("pacs", f"1.2.{number}", 0, delivered=True, attempts=1)
        receipts.save(receipt, STUDY, 1)


def record_twin(place: Place) -> None:
    Twin(place.database).record(Entry(STUDY, 1, "absent", 0.1, "absent", None, "", 1.0, ""))


STEPS = [save_prepared, save_scores, write_objects, write_signal, copy_to_folder, keep_receipts,
         record_twin]  # fmt: skip
MANY: dict[Callable[[Place], None], int] = {write_objects: 150}
"""Where points are thousands, one for each DICOM element, not each is tried."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return reports.synthetic(tmp_path_factory.mktemp("study"), 3)


@pytest.fixture
def where(made: Report, tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """An empty folder and a database with the study in it."""
    engines = []

    def make(name: str) -> Place:
        folder = tmp_path / name
        folder.mkdir()
        engine = open_database(f"sqlite:///{tmp_path / f'{name}.sqlite'}")
        engines.append(engine)
        migrate(engine)
        row = {"study_key": STUDY, "study_instance_uid": "1.2", "patient_key": "", "generation": 1,
               "state": "queued", "first_at": 0.0, "last_at": 0.0}  # fmt: skip
        with engine.begin() as connection:
            connection.execute(studies.insert().values(row))
        return Place(made, folder, engine)

    yield make
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("number", [FULL, FAULTY], ids=["full", "faulty"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_a_step_leaves_nothing_half_and_can_be_repeated(
    step: Callable[[Place], None], number: int, where: Callable[[str], Place], tmp_path: Path
) -> None:
    good = where("good")
    step(good)
    place = where("tried")
    faults = Faults(tmp_path, number)

    def attempt(point: int) -> None:
        try:
            step(place)
        except (OSError, TryLater, sa.exc.OperationalError):
            assert faults.fired is not None
        assert files(place).items() <= files(good).items(), faults.fired
        faults.clear()
        step(place)
        assert files(place) == files(good), faults.fired
        assert rows(place) == rows(good), faults.fired
        for path in place.folder.iterdir():
            path.unlink()
        with place.database.begin() as connection:
            connection.execute(results.delete())

    with installed(faults):
        assert every_point(faults, attempt, lasts=True, stride=MANY.get(step, 1)) >= 2


def files(place: Place) -> dict[str, str]:
    """What a reader would find: unfinished files have another name."""
    found = (path for path in place.folder.rglob("*") if path.is_file())
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
        if path.suffix != ".part"
    }


def rows(place: Place) -> dict[str, list[tuple[object, ...]]]:
    """All rows, but for the times of their writing."""
    with place.database.connect() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(
                    sa.select(*(column for column in table.c if column.name != "updated_at"))
                )
            ]
            for table in metadata.sorted_tables
        }


@pytest.mark.parametrize("number", [FULL, FAULTY], ids=["full", "faulty"])
def test_the_audit_trail_is_whole_once_the_disk_is(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msnode.audit.trail.PAUSE_S", (0.02, 0.02))
    logging.getLogger("msnode.audit").setLevel(logging.CRITICAL)
    faults = Faults(tmp_path, number)

    def attempt(point: int) -> None:
        faults.clear()
        settings = Config(data=tmp_path / str(point))
        trail = audit.open_trail(settings, "serve")
        faults.arm(point, lasts=True)
        trail.started()
        trail.stopped()
        time.sleep(0.05)
        faults.clear()
        file = settings.data / "audit" / "msnode-serve.log"
        wait(lambda: file.exists() and file.read_text().count("\n") == 2, 5, str(faults.fired))
        trail.close()
        lines = file.read_text().splitlines()
        assert [line.count("AuditMessage") for line in lines] == [2, 2], faults.fired

    with installed(faults):
        assert every_point(faults, attempt, lasts=True) >= 2
