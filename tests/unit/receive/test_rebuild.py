"""What an inbox finds again after a crash."""

import os
import time
import tracemalloc
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode import metrics
from msnode.receive import Inbox
from msnode.records.uid_hash import uid_hash
from msnode.store.database import instances, studies
from tests.unit.receive.datasets import STUDY, arrive, kept, mr, rows, store

KEY = uid_hash(STUDY)


def test_a_file_that_cannot_be_kept_aside_stays(inbox: Inbox, tmp_path: Path) -> None:
    broken = tmp_path / "instances" / KEY / "broken.dcm"
    broken.parent.mkdir()
    broken.write_bytes(b"no DICOM")
    (tmp_path / "quarantine").rmdir()
    assert inbox.rebuild() == 0
    assert broken.exists()


def test_rebuild_makes_the_rows_that_a_power_loss_took(
    inbox: Inbox, engine: sa.Engine, tmp_path: Path
) -> None:
    images = [mr() for _ in range(3)]
    for image in images:
        store(inbox, image)
    before = rows(engine, instances)
    with engine.begin() as connection:
        connection.execute(instances.delete())
        connection.execute(studies.delete())
    assert inbox.rebuild() == 3
    unstable = ("id", "received_at")
    plain = [{k: v for k, v in row.items() if k not in unstable} for row in before]
    after = [{k: v for k, v in row.items() if k not in unstable} for row in rows(engine, instances)]
    assert sorted(plain, key=str) == sorted(after, key=str)
    assert inbox.rebuild() == 0
    assert store(inbox, images[0]) == "duplicate"


def test_beside_living_receivers_only_old_files_are_adopted(
    inbox: Inbox, engine: sa.Engine, tmp_path: Path
) -> None:
    store(inbox, mr())
    with engine.begin() as connection:
        connection.execute(instances.delete())
    assert inbox.rebuild(age_s=60) == 0
    (place,) = kept(tmp_path)
    os.utime(place, (time.time() - 61,) * 2)
    assert inbox.rebuild(age_s=60) == 1


def test_rebuild_keeps_a_cut_off_file_aside(
    inbox: Inbox, engine: sa.Engine, tmp_path: Path
) -> None:
    image = mr()
    store(inbox, image)
    (place,) = kept(tmp_path)
    place.write_bytes(place.read_bytes()[:-10])
    with engine.begin() as connection:
        connection.execute(instances.delete())
    before = metrics.QUARANTINED.labels("inbox")._value.get()
    assert inbox.rebuild() == 0
    assert metrics.QUARANTINED.labels("inbox")._value.get() == before + 1
    assert [path.name for path in (tmp_path / "quarantine").glob("*/*")] == [place.name]
    assert kept(tmp_path) == []
    assert store(inbox, image) == "stored", "its sender was not answered and sends it again"


def test_rebuild_does_not_hold_all_paths_in_memory(
    inbox: Inbox, engine: sa.Engine, tmp_path: Path
) -> None:
    store(inbox, mr())
    (study,), (image,) = rows(engine, studies), rows(engine, instances)
    keys = [f"{number:016x}" for number in range(100)]
    with engine.begin() as connection:
        connection.execute(studies.insert(), [study | {"study_key": key} for key in keys])
        images = [
            {**image, "id": None, "study_key": key, "sop_instance_uid": f"1.{n}",
             "path": f"instances/{key}/{n}.dcm"}
            for key in keys for n in range(100)
        ]  # fmt: skip
        connection.execute(instances.insert(), images)
    for key in keys:
        (tmp_path / "instances" / key).mkdir()
        (tmp_path / "instances" / key / "1.dcm").touch()
    assert inbox.rebuild() == 0
    tracemalloc.start()
    assert inbox.rebuild() == 0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000, "10,000 paths take more than a megabyte"


@pytest.mark.parametrize("size", [0, 127, 141, 143, 152, 155, 300])
def test_rebuild_goes_on_after_a_file_that_ends_early(
    inbox: Inbox, engine: sa.Engine, tmp_path: Path, size: int
) -> None:
    store(inbox, mr())
    (place,) = kept(tmp_path)
    os.truncate(place, size)
    store(inbox, mr())
    with engine.begin() as connection:
        connection.execute(instances.delete())
    assert inbox.rebuild() == 1
    assert (tmp_path / "quarantine" / place.parent.name / place.name).exists()


def test_rebuild_goes_on_after_a_file_that_the_disk_does_not_give_back(
    inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "instances" / KEY
    folder.mkdir()
    (folder / "gone.dcm").symlink_to(tmp_path / "nowhere")
    assert inbox.rebuild() == 0
    assert (folder / "gone.dcm").is_symlink(), "the disk may give it back at the next start"


def test_rebuild_deletes_what_a_dead_process_left(
    engine: sa.Engine, inbox: Inbox, tmp_path: Path
) -> None:
    _, living = arrive(inbox, mr())
    dead = Inbox(engine, tmp_path)
    _, left = arrive(dead, mr())
    dead._lock_file.close()  # as the end of its process would
    assert len(list((tmp_path / "incoming").glob("*/*.part"))) == 2
    inbox.rebuild()
    assert list((tmp_path / "incoming").iterdir()) == [Path(inbox.new_path()).parent]
    left.close()
    living.close()


def test_the_folder_of_a_process_that_died_at_its_start_goes_too(
    inbox: Inbox, tmp_path: Path
) -> None:
    beginning, dead = (tmp_path / "incoming" / name for name in ("beginning", "dead"))
    for folder in (beginning, dead):
        folder.mkdir()
    os.utime(dead, (time.time() - 100,) * 2)
    inbox.rebuild()
    assert beginning.exists()
    assert not dead.exists()
