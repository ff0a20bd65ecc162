"""Retention asks PostgreSQL the same questions as SQLite, and waits for who holds a study."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode.records.uid_hash import uid_hash
from msnode.store import database
from tests.unit.receive.datasets import STUDY, kept, mr, rows
from tests.unit.retention.test_expiry import DAY, Node


@pytest.fixture
def node(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path / "data", monkeypatch, database_url)


def test_what_is_delivered_and_old_goes(node: Node) -> None:
    node.send(mr(), mr())
    node.receipt(node.analyse())
    node.send(mr(StudyInstanceUID="1.2.3"))
    node.analyse()  # and delivered nowhere
    node.now += 31 * DAY
    assert node.apply() == ["images"]
    assert len(kept(node.folder)) == 1
    node.now += 60 * DAY
    assert node.apply() == ["results"]
    assert len(rows(node.engine, database.results)) == 2
    node.inbox.close()
    node.engine.dispose()


def test_a_study_that_is_changed_just_now_is_spared(node: Node) -> None:
    """The receiver holds the study's row, and what it writes is seen before anything goes."""
    node.send(mr())
    node.receipt(node.analyse())
    node.now += 31 * DAY
    (due,) = node.rules().due()
    gone: list[bool] = []
    deleting = threading.Thread(target=lambda: gone.append(node.rules()._delete(due)))
    with node.engine.begin() as connection:
        mine = database.studies.c.study_key == uid_hash(STUDY)
        connection.execute(sa.select(database.studies).where(mine).with_for_update())
        deleting.start()
        deleting.join(0.5)
        assert deleting.is_alive(), "it does not wait"
        connection.execute(database.studies.update().where(mine).values(state="receiving"))
    deleting.join(20)
    assert gone == [False]
    assert len(kept(node.folder)) == 1
    node.inbox.close()
    node.engine.dispose()
