"""The inbox on SQLite and on PostgreSQL, with two hosts on one database and data folder."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from msnode.config import Complete
from msnode.receive import Inbox
from msnode.receive.dicom.dimse_status import StoreRefused
from msnode.records.uid_hash import uid_hash
from msnode.store.database import instances, metadata, open_database
from msnode.store.schema import migrate
from tests.unit.receive.datasets import STUDY, mr, store

KEY = uid_hash(STUDY)
RULE = Complete()


@pytest.fixture
def hosts(database_url: str, tmp_path: Path) -> Iterator[tuple[Inbox, Inbox]]:
    engines = [open_database(database_url) for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(migrate, engines))  # hosts may start at the same time
    first, second = (Inbox(engine, tmp_path / "data") for engine in engines)
    yield first, second
    for inbox in (first, second):
        inbox.close()
        inbox.engine.dispose()


def test_the_schema_is_what_the_tables_say(hosts: tuple[Inbox, Inbox]) -> None:
    with hosts[0].engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_study_received_by_two_hosts(hosts: tuple[Inbox, Inbox]) -> None:
    images = [mr() for _ in range(40)]
    work = [(hosts[number % 2], image) for number, image in enumerate(images * 2)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda job: store(job[0], job[1], at=100), work))
    assert sorted(set(outcomes)) == ["duplicate", "stored"]
    assert outcomes.count("stored") == 40
    with ThreadPoolExecutor() as pool:
        taken = list(pool.map(lambda inbox: inbox.complete(200, RULE, lambda _: True), hosts))
    (study,) = [study for studies in taken for study in studies]
    assert len(study.paths) == 40
    assert all(path.is_file() for path in study.paths)


def test_a_life_of_a_study(hosts: tuple[Inbox, Inbox]) -> None:
    first, second = hosts
    assert store(first, mr(SOPInstanceUID="1.2.3"), at=100) == "stored"
    assert store(second, mr(SOPInstanceUID="1.2.3", Rows=9), at=101) == "stored"
    with pytest.raises(StoreRefused):
        store(second, mr(PatientID="somebody else"))
    (study,) = second.complete(110, RULE, lambda _: True)
    assert first.studies.queued() == [(study.key, study.generation)]
    store(first, mr(), at=120)
    first.studies.finish(KEY, 1)
    (again,) = first.complete(130, RULE, lambda _: True)
    assert (again.generation, len(again.paths)) == (2, 2)
    second.studies.finish(KEY, 2)
    assert first.studies.queued() == []
    assert second.complete(9999, RULE, lambda _: True) == []


def test_rebuild(hosts: tuple[Inbox, Inbox]) -> None:
    for _ in range(3):
        store(hosts[0], mr())
    with hosts[0].engine.begin() as connection:
        connection.execute(sa.delete(instances).where(instances.c.id > 1))
    assert hosts[1].rebuild() == 2
    assert hosts[0].rebuild() == 0
