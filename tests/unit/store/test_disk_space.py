"""Watermarks of the data disk: said once, kept with some slack, left by themselves."""

import errno
import logging
import os
from collections import namedtuple
from pathlib import Path

import pytest

from msnode.store import disk_space
from msnode.store.disk_space import DiskSpace, Level

GB = 1024**3
Usage = namedtuple("Usage", "total used free")


class Disk:
    """Free bytes by folder; whatever has no entry is ample."""

    def __init__(self) -> None:
        self.free: dict[str, int] = {}

    def usage(self, path: Path) -> Usage:
        free = self.free.get(path.name, 100 * GB)
        return Usage(100 * GB, 100 * GB - free, free)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    for name in disk_space.FOLDERS:
        (tmp_path / name).mkdir(exist_ok=True)
    disk = Disk()
    monkeypatch.setattr("shutil.disk_usage", disk.usage)
    monkeypatch.setattr(disk_space, "FRESH_S", 0.0)
    return disk


def test_levels_go_down_at_the_mark_and_up_well_above_it(disk: Disk, tmp_path: Path) -> None:
    watched = DiskSpace(tmp_path, 20 * GB, 2 * GB)
    steps = [(30, Level.AMPLE), (20, Level.AMPLE), (19.9, Level.LOW), (21, Level.LOW),
             (22.1, Level.AMPLE), (2, Level.LOW), (1.9, Level.FULL), (2.1, Level.FULL),
             (2.3, Level.LOW), (0, Level.FULL), (50, Level.AMPLE)]  # fmt: skip
    levels = []
    for free, _ in steps:
        disk.free[tmp_path.name] = int(free * GB)
        levels.append(watched.level())
    assert levels == [level for _, level in steps]


def test_the_fullest_disk_counts(disk: Disk, tmp_path: Path) -> None:
    watched = DiskSpace(tmp_path, 20 * GB, 2 * GB)
    disk.free = {"instances": 5 * GB, "work": 1 * GB}
    assert watched.free_bytes() == 1 * GB
    assert watched.level() == Level.FULL


def test_a_disk_that_does_not_answer_has_no_room(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = DiskSpace(tmp_path, 20 * GB, 2 * GB)

    def stale(path: Path) -> Usage:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))

    monkeypatch.setattr("shutil.disk_usage", stale)
    assert (watched.level(), watched.free_bytes()) == (Level.FULL, 0)
    monkeypatch.setattr("shutil.disk_usage", disk.usage)
    assert watched.level() == Level.AMPLE
    assert DiskSpace(tmp_path / "gone", 20 * GB, 2 * GB).level() == Level.FULL


def test_a_level_is_logged_once(
    disk: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = DiskSpace(tmp_path, 20 * GB, 2 * GB)
    with caplog.at_level(logging.INFO):
        for free in (30, 10, 10, 9, 1, 1, 0, 10, 10, 30, 30):
            disk.free[tmp_path.name] = free * GB
            watched.level()
    assert [
        (record.levelname, record.message.split(" free_bytes")[0]) for record in caplog.records
    ] == [
        ("WARNING", "room is low"),
        ("ERROR", "no room"),
        ("WARNING", "room again"),
        ("WARNING", "room again"),
    ]


def test_without_watermarks_there_is_always_room(disk: Disk, tmp_path: Path) -> None:
    disk.free[tmp_path.name] = 0
    assert DiskSpace(tmp_path).level() == Level.AMPLE


def test_the_disk_is_asked_once_a_second(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_space, "FRESH_S", 60.0)
    watched = DiskSpace(tmp_path, 20 * GB, 2 * GB)
    watched.free_bytes()
    disk.free[tmp_path.name] = 0
    assert watched.free_bytes() == 100 * GB
