"""A backup as docs/recipes.md has it, restored into an empty folder elsewhere: nothing is lost."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from msnode import sample
from tests.acceptance import peers
from tests.acceptance.conftest import Sent
from tests.acceptance.small_node import small_node
from tests.acceptance.test_admins_day import listed, msnode
from tests.acceptance.test_odd_worlds import await_result, results, running, send
from tests.patience import PATIENCE


def tar(*arguments: object) -> None:
    subprocess.run(["tar", *map(str, arguments)], check=True, timeout=60 * PATIENCE)


def later(study: Sent, folder: Path) -> Sent:
    """The patient's next study, a year on."""
    uid = str(generate_uid())
    paths = tuple(sample.write_study(folder, study_uid=uid))
    for path in paths:
        image = pydicom.dcmread(path)
        image.StudyDate = str(int(pydicom.dcmread(study.paths[0]).StudyDate) + 10000)
        image.save_as(path)
    return Sent(uid, folder, paths)


class Databases:
    """Where the node's database is, before and after it moves; SQLite moves with the folder."""

    def __init__(self, urls: tuple[str, str] | None, dump: Path) -> None:
        self._urls = urls
        self._dump = dump

    def settings(self, moved: int) -> dict[str, str]:
        """Of the configuration."""
        return {"database": self._urls[moved], "name": "node"} if self._urls else {}

    def move(self) -> None:
        """As docs/recipes.md has it."""
        if self._urls is None:
            return
        old, new = self._urls
        peers.run(peers.postgresql_tool("pg_dump"), "--format=custom", "--file", self._dump, old)
        peers.run(peers.postgresql_tool("pg_restore"), "--dbname", new, self._dump)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    dump = tmp_path / "msnode.dump"
    if request.param == "sqlite":
        yield Databases(None, dump)
        return
    with peers.postgresql() as old, peers.postgresql() as new:
        yield Databases((old, new), dump)


def test_a_node_goes_on_from_its_backup_in_an_empty_folder(
    tmp_path: Path, new_study: Callable[[], Sent], databases: Databases
) -> None:
    study = new_study()
    before = small_node(tmp_path, tmp_path / "data", **databases.settings(0))
    with running(before):
        send(before, study)
        await_result(before, study)
        (known,) = listed(before)
        assert before.terminate() < 10
    tar("--create", "--file", tmp_path / "msnode.tar", "--directory", tmp_path / "data", ".")
    shutil.rmtree(tmp_path / "data")
    databases.move()
    elsewhere = tmp_path / "elsewhere" / "data"
    elsewhere.mkdir(mode=0o700, parents=True)
    tar("--extract", "--file", tmp_path / "msnode.tar", "--directory", elsewhere)
    node = small_node(tmp_path, elsewhere, **databases.settings(1))
    with running(node):
        assert listed(node) == [known], "the study, its result and where it went"
        there = {one.SOPInstanceUID for one in results(node, study)}
        assert "Success" in send(node, study)
        again = later(study, tmp_path / "later")
        send(node, again)
        await_result(node, again)
        assert node.sum("msnode_studies_total") == 1, "only the new study is analysed"
        assert {one.SOPInstanceUID for one in results(node, study)} == there
        course = msnode(node, "twin", "show", "MSNODE-SAMPLE")
        assert course.returncode == 0, course.stderr
        assert "2024-01-15" in course.stdout, "the key of the patient is the same"
        assert "2025-01-15" in course.stdout
