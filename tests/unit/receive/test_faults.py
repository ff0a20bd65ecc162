"""Disk or database fails at every point of an image's way in: nothing is lost or doubled."""

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from msnode.receive import Inbox
from msnode.store.database import instances
from tests.faults import FAULTY, FULL, Faults, every_point, installed
from tests.unit.receive.datasets import encode, kept, mr, rows
from tests.unit.receive.test_c_store_scp import pass_through

REFUSALS = {FULL: {0xA700}, FAULTY: {0xA700}}
"""Where it is the database that does not take it, it is out of resources either way."""


@pytest.fixture(params=[FULL, FAULTY], ids=["full", "faulty"])
def faults(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Faults]:
    faults = Faults(tmp_path, request.param)
    with installed(faults):
        yield faults


def images(study: str) -> list[Dataset]:
    """The first of a study, which is decided in the database, and one that is not."""
    return [mr(StudyInstanceUID=study, SeriesInstanceUID=generate_uid()) for _ in range(2)]


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "lasting"])
def test_an_image_is_stored_once_or_refused(
    inbox: Inbox, engine: sa.Engine, tmp_path: Path, faults: Faults, lasts: bool
) -> None:
    sent: list[Dataset] = []
    refused = itertools.count()

    def arrive(point: int) -> None:
        for image in images(generate_uid()):
            status = pass_through(inbox, image)[0]
            sent.append(image)
            if status:
                next(refused)
                assert status in REFUSALS[faults._number], (hex(status), faults.fired)
        inbox.flush()
        faults.clear()
        inbox.flush()
        for image in sent[-2:]:  # what was refused comes again, and so does what was not
            assert pass_through(inbox, image)[0] == 0x0000, faults.fired
        inbox.flush()
        assert_each_once(engine, tmp_path, sent[-2:], str(faults.fired))
        for left in (tmp_path / "incoming").glob("*/*.part"):
            assert str(faults.fired).startswith("unlink") or lasts, faults.fired
            left.unlink()

    points = every_point(faults, arrive, lasts=lasts)
    assert points >= 15
    assert next(refused) > points / 3
    assert_each_once(engine, tmp_path, sent, "at the end")
    assert len(kept(tmp_path)) == len(sent)
    assert inbox.rebuild() == 0


def test_what_was_acknowledged_is_there_after_a_crash(
    engine: sa.Engine, tmp_path: Path, faults: Faults
) -> None:
    """The process ends with the fault: what it answered for is found by the next one."""

    def arrive(point: int) -> None:
        faults.clear()
        inbox = Inbox(engine, tmp_path)
        faults.arm(point, lasts=True)
        taken = [image for image in images(generate_uid()) if pass_through(inbox, image)[0] == 0]
        faults.clear()
        inbox._late.clear()  # as if it had been killed
        inbox.close()
        after = Inbox(engine, tmp_path)
        after.rebuild()
        after.close()
        assert_each_once(engine, tmp_path, taken, str(faults.fired))

    assert every_point(faults, arrive, lasts=True) >= 15


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "lasting"])
def test_what_cannot_be_put_aside_is_put_aside_later(
    inbox: Inbox, tmp_path: Path, faults: Faults, lasts: bool
) -> None:
    def rebuild(point: int) -> None:
        study = tmp_path / "instances" / f"{point:016x}"
        bad = study / f"{point:016x}-{'0' * 32}.dcm"
        faults.clear()
        study.mkdir()
        bad.write_bytes(b"half an image")
        faults.arm(point, lasts=lasts)
        assert inbox.rebuild() == 0
        faults.clear()
        inbox.rebuild()
        assert not bad.exists(), faults.fired
        assert (tmp_path / "quarantine" / study.name / bad.name).read_bytes() == b"half an image"

    assert every_point(faults, rebuild, lasts=lasts) >= 2


def assert_each_once(engine: sa.Engine, folder: Path, sent: list[Dataset], when: str) -> None:
    """Each has one row and one whole file; nothing half is left."""
    by_uid: dict[object, list[dict[str, object]]] = {}
    for row in rows(engine, instances):
        by_uid.setdefault(row["sop_instance_uid"], []).append(row)
    for image in sent:
        (row,) = by_uid[str(image.SOPInstanceUID)]
        path = folder / str(row["path"])
        assert path.stat().st_size == row["size"], when
        assert row["sha256"] == hashlib.sha256(encode(image)).hexdigest(), when
        assert pydicom.dcmread(path).PixelData == image.PixelData, when
