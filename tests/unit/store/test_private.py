"""Patients' data is its owner's alone, also in a folder that was there before."""

import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode.config.settings import OURS
from msnode.store.database import open_database
from msnode.store.private import make_private


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder as an administrator makes it, or an older version left it."""
    folder = tmp_path / "data"
    (folder / "instances").mkdir(parents=True)
    (folder / "work").mkdir()
    (folder / "patient.key").write_bytes(b"key")
    for path in (folder, folder / "instances", folder / "work"):
        path.chmod(0o755)
    (folder / "patient.key").chmod(0o644)
    return folder


def test_a_folder_that_was_there_is_closed(data: Path) -> None:
    make_private(data)
    assert {rights(path) for path in (data, data / "instances", data / "work")} == {0o700}
    assert rights(data / "patient.key") == 0o600


def test_every_folder_that_the_node_makes_is_closed(data: Path) -> None:
    for name in OURS:
        (data / name).mkdir(exist_ok=True)
        (data / name).chmod(0o755)
    make_private(data)
    assert {rights(path) for path in (data, *(data / name for name in OURS))} == {0o700}


def test_a_folder_with_other_things_stays_open_but_not_what_is_ours(data: Path) -> None:
    (data / "homepage").mkdir(mode=0o755)
    make_private(data)
    assert (rights(data), rights(data / "homepage")) == (0o755, 0o755)
    assert {rights(data / "instances"), rights(data / "work")} == {0o700}


@pytest.mark.parametrize("is_old", [False, True])
def test_a_database_is_its_owners(tmp_path: Path, is_old: bool) -> None:
    path = tmp_path / "msnode.sqlite"
    if is_old:
        path.touch()
        path.chmod(0o644)
    engine = open_database(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE told (what TEXT)"))
        assert {rights(one) for one in tmp_path.glob("msnode.sqlite*")} == {0o600}
        assert len(list(tmp_path.iterdir())) == 3
    engine.dispose()
