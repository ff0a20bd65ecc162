"""Fixtures for all tests."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa

from msnode import sample
from msnode.store.database import open_database
from msnode.store.schema import migrate
from tests.dicom import secondary_capture
from tests.patience import PATIENCE

TIMEOUT_S = 300
"""Of a test that names none; see `tests.patience`."""
UNTOUCHED = logging.getLogger("msnode").level

# no test is timed: beside others the first example alone, which imports, may take seconds
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the time that a slow machine needs for it."""
    for item in items:
        marker = item.get_closest_marker("timeout")
        seconds = marker.args[0] if marker is not None else TIMEOUT_S
        item.add_marker(pytest.mark.timeout(PATIENCE * seconds), append=False)


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """The program's logger as it was: the command line, run in a test, sets how much it says.

    Before each test as well, as a fixture of a module may have run it.
    """
    logging.getLogger("msnode").setLevel(UNTOUCHED)
    yield
    logging.getLogger("msnode").setLevel(UNTOUCHED)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database of today's schema."""
    engine = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the repository (MSNODE_SHARED, or ../shared); else skip."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("MSNODE_SHARED", beside)) / "data"
    if not (folder / "dicom").is_dir():
        pytest.skip(f"no real data at {folder}; MSNODE_SHARED names the folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def sample_study(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """The sample study's 36 files, written once; not to be changed."""
    return sample.write_study(tmp_path_factory.mktemp("sample_study"))


@pytest.fixture
def save_dicom(tmp_path: Path) -> Callable[..., Path]:
    """Write a small Secondary Capture under its SOPInstanceUID; attributes by keyword."""

    def save(uid: str, **attributes: object) -> Path:
        path = tmp_path / f"{uid}.dcm"
        dataset = secondary_capture(SOPInstanceUID=uid, **attributes)
        dataset.save_as(path, enforce_file_format=True)
        return path

    return save


@pytest.fixture(scope="session")
def smear_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Swin Transformer that `msnode train` made of drawn cells."""
    from tests import smears

    return smears.train(tmp_path_factory.mktemp("smears"))
