"""Retention of what was fetched: images that nobody took, and visits that are old."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from msnode.retention.fetched_expiry import hand_over
from msnode.store import database
from tests.unit.receive.datasets import STUDY, mr, rows
from tests.unit.retention.test_expiry import DAY, KEY, NOW, Node


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    node = Node(tmp_path, monkeypatch)
    yield node
    node.inbox.close()
    node.engine.dispose()


def test_images_that_were_fetched_and_nobody_took_go_after_a_day(node: Node) -> None:
    place = node.folder / "fetched" / KEY
    place.mkdir()
    (place / "late.dcm").write_bytes(b"an image")
    node.now = place.stat().st_ctime + 0.9 * DAY
    assert node.apply() == []
    node.now += 0.2 * DAY
    assert node.apply() == ["fetched"]
    assert not place.exists()


@pytest.mark.parametrize("is_sent", [False, True])
def test_visits_that_were_fetched_go_like_those_of_studies(node: Node, is_sent: bool) -> None:
    """Unless the study was sent here as well: then by the rule for its own results."""
    if is_sent:
        node.send(mr())
    row = {"study_key": "a" * 16, "prior_key": KEY, "source": "pacs", "state": "kept",
           "study_instance_uid": STUDY, "study_date": "20200101", "reason": "", "series": "{}",
           "asked_at": NOW, "kept_at": NOW}  # fmt: skip
    with node.engine.begin() as connection:
        connection.execute(database.prior_studies.insert(), row)
    place = node.folder / "visits" / KEY / "0"
    place.mkdir(parents=True)
    node.now = NOW + 400 * DAY
    assert node.apply(visits_days=None) == []
    assert node.apply(visits_days=500.0) == []
    assert node.apply(visits_days=300.0) == ([] if is_sent else ["fetched_visits"])
    assert place.exists() == is_sent
    [known] = rows(node.engine, database.prior_studies)
    assert known["state"] == ("kept" if is_sent else "deleted")
    assert node.apply(visits_days=300.0) == []


def test_a_visit_that_serves_another_study_is_its_own_once_the_first_is_forgotten(
    node: Node,
) -> None:
    row = {"prior_key": KEY, "source": "pacs", "study_instance_uid": STUDY, "reason": "",
           "study_date": "20200101", "series": "{}", "asked_at": NOW}  # fmt: skip
    mine = {"study_key": "a" * 16, "state": "kept", "kept_at": NOW, "patient_key": "f" * 32}
    other = {"study_key": "b" * 16, "state": "here", "kept_at": None, "patient_key": ""}
    with node.engine.begin() as connection:
        connection.execute(database.prior_studies.insert(), [row | mine, row | other])
        hand_over(connection, "a" * 16)
        forgotten = database.prior_studies.c.study_key == "a" * 16
        connection.execute(database.prior_studies.delete().where(forgotten))
    [known] = rows(node.engine, database.prior_studies)
    assert (known["state"], known["patient_key"]) == ("kept", "f" * 32)
    node.now = NOW + 400 * DAY
    (node.folder / "visits" / KEY / "0").mkdir(parents=True)
    assert node.apply(visits_days=300.0) == ["fetched_visits"], "it grows old as before"
