"""A C-STORE from its command set to its answer."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

from msnode import config, metrics
from msnode.receive import Inbox
from msnode.receive.c_store_scp import CStore
from msnode.receive.dicom.dimse import C_STORE_RQ, Command
from msnode.receive.dicom.negotiation import Context
from msnode.store.database import studies
from msnode.store.disk_space import DiskSpace
from tests.unit.receive.datasets import encode, kept, mr, rows

Answer = tuple[int, str, str]


def receive(inbox: Inbox, dataset: Any, **said: Any) -> Answer:
    """Pass a dataset through, which leaves nothing behind in incoming."""
    answer = pass_through(inbox, dataset, **said)
    assert list((inbox.folder / "incoming").glob("*/*.part")) == []
    return answer


def pass_through(inbox: Inbox, dataset: Any, **said: Any) -> Answer:
    """Pass a dataset through; ``said`` overrides what the command set says."""
    command: dict[str, Any] = {
        "field": C_STORE_RQ,
        "message_id": 1,
        "sop_class_uid": str(dataset.SOPClassUID),
        "sop_instance_uid": str(dataset.SOPInstanceUID),
        "has_dataset": True,
    }
    context = Context(said.pop("context", MRImageStorage), ExplicitVRLittleEndian)
    receive = said.pop("receive", config.Receive(min_free_bytes=0))
    reception = CStore(Command(**command | said), context, "MRI1", receive, inbox)
    encoded = memoryview(encode(dataset))
    reception.write(encoded[:100])
    reception.write(encoded[100:])
    return reception.finish()


def test_stored(inbox: Inbox, tmp_path: Path) -> None:
    before = metrics.RECEIVED_BYTES._value.get()
    image = mr()
    assert receive(inbox, image) == (0x0000, "", "stored")
    assert receive(inbox, image) == (0x0000, "", "duplicate")
    assert len(kept(tmp_path)) == 1
    assert metrics.RECEIVED_BYTES._value.get() == before + len(encode(image))


@pytest.mark.parametrize(
    ("said", "status", "comment"),
    [
        ({"context": CTImageStorage}, 0x0122, "AffectedSOPClassUID is not the context's"),
        (
            {"sop_class_uid": CTImageStorage, "context": CTImageStorage},
            0xA900,
            "SOPClassUID is not the AffectedSOPClassUID",
        ),
        ({"sop_instance_uid": "1.2.9"}, 0xA900, "SOPInstanceUID is not the AffectedSOPInstanceUID"),
        ({"sop_instance_uid": ""}, 0xA900, "AffectedSOPInstanceUID is missing"),
        ({"sop_instance_uid": "../x"}, 0xA900, "AffectedSOPInstanceUID is no UID"),
        ({"sop_instance_uid": "1" * 65}, 0xA900, "AffectedSOPInstanceUID is longer than 64"),
    ],
)
def test_refused(
    inbox: Inbox, tmp_path: Path, said: dict[str, str], status: int, comment: str
) -> None:
    answer = receive(inbox, mr(), **said)
    assert (answer[0], answer[2]) == (status, "refused")
    assert answer[1].startswith(comment)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("call", ["open", "write", "fsync"])
def test_a_failing_disk(
    inbox: Inbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
) -> None:
    def fail(*_: Any) -> Any:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        answer = receive(inbox, mr())
    assert (answer[0], answer[2]) == (0xA700, "failed")
    assert receive(inbox, mr())[0] == 0x0000, "the next one is received again"


def test_a_dead_database_is_out_of_resources(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox.engine.dispose()
    (inbox.folder / "msnode.sqlite").write_bytes(b"no database any more" * 100)
    status, comment, outcome = receive(inbox, mr())
    assert (status, comment, outcome) == (0xA700, "Database unavailable", "failed")


def test_no_dataset_at_all(inbox: Inbox) -> None:
    command = Command(C_STORE_RQ, 1, MRImageStorage, "1.2.3", has_dataset=False)
    context = Context(MRImageStorage, ExplicitVRLittleEndian)
    reception = CStore(command, context, "MRI1", config.Receive(min_free_bytes=0), inbox)
    assert reception.finish()[0] == 0xA900


def test_no_room_left_while_an_image_comes_in(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [3, 3, 1]
    monkeypatch.setattr("msnode.store.disk_space.FRESH_S", 0.0)
    room = DiskSpace(tmp_path, min_bytes=2)
    monkeypatch.setattr(room, "_disks", lambda: iter([free.pop(0)]))
    inbox = Inbox(engine, tmp_path, room)
    answer = receive(inbox, mr())
    assert (answer[0], answer[2]) == (0xA700, "failed")
    assert answer[1] == "Less free space than receive.min_free_bytes"
    assert kept(tmp_path) == []
    free += [3, 3, 3]
    assert receive(inbox, mr())[0] == 0x0000, "there is room again"
    inbox.close()


@pytest.mark.parametrize(("priority", "stat"), [(0, False), (1, True), (2, False)])
def test_high_priority_makes_a_study_urgent(inbox: Inbox, priority: int, stat: bool) -> None:
    receive(inbox, mr(), priority=0)
    receive(inbox, mr(), priority=priority)
    receive(inbox, mr(), priority=0)
    inbox.flush()
    (study,) = rows(inbox.engine, studies)
    assert study["stat"] is stat
