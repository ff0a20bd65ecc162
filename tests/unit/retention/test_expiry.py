"""Retention: what is delivered and old goes, a small record and all else stays."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from msnode import config, metrics
from msnode.cli.main import main
from msnode.receive import Inbox
from msnode.records.images import Study
from msnode.records.uid_hash import uid_hash
from msnode.retention.expiry import Retention
from msnode.store import database, schema
from tests.unit.receive.datasets import SR, STUDY, arrive, kept, mr, rows, store

DAY = 86400.0
NOW = 1000 * DAY
KEY = uid_hash(STUDY)


class Node:
    """An inbox with a clock, and what flow and deliveries leave behind."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, url: str = "") -> None:
        self.folder = folder
        self.now = NOW
        self.unsettled: set[str] = set()
        self.told: list[tuple[str, str]] = []
        self.engine = database.open_database(url or config.Config(data=folder).database_url)
        schema.migrate(self.engine)
        self.inbox = Inbox(self.engine, folder)
        monkeypatch.setattr("msnode.retention.expiry.time.time", lambda: self.now)

    def send(self, *images: Dataset) -> None:
        for image in images:
            assert store(self.inbox, image, self.now) == "stored"

    def analyse(self) -> Study:
        """Hand out the one study that is complete and write its result."""
        (study,) = self.inbox.complete(self.now + 99, config.Complete(), lambda _: True)
        folder = self.folder / "work" / study.key / str(study.generation) / "minimal"
        folder.mkdir(parents=True)
        (folder / "sr.dcm").write_bytes(b"a result")
        row = {"outcome": "absent", "model_digest": "", "created_at": self.now, "folder": "",
               "study_key": study.key, "generation": study.generation}  # fmt: skip
        with self.engine.begin() as connection:
            connection.execute(database.results.insert(), row)
        self.inbox.studies.finish(study.key, study.generation)
        return study

    def receipt(self, study: Study, destination: str = "pacs", **said: object) -> None:
        """What a destination said of a result."""
        row: dict[str, object] = {
            "destination": destination, "sop_instance_uid": f"2.25.{study.generation}",
            "study_key": study.key, "generation": study.generation, "delivered": True,
            "attempts": 1, "detail": "", "retry": False, "updated_at": self.now,
        }  # fmt: skip
        with self.engine.begin() as connection:
            connection.execute(database.receipts.insert(), row | said)

    def rules(self, **days: float | None) -> Retention:
        trail: Any = SimpleNamespace(deleted=lambda *whose: self.told.append(whose))
        settings = config.Retention(**days)  # type: ignore[arg-type]
        return Retention(self.engine, self.folder, settings, lambda: self.unsettled, trail)

    def apply(self, **days: float | None) -> list[str]:
        """Delete what is due; its kinds."""
        return [item.kind for item in self.rules(**days).apply()]

    def results(self) -> list[Path]:
        return sorted((self.folder / "work").glob("*/*/*/*.dcm"))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    node = Node(tmp_path, monkeypatch)
    yield node
    node.inbox.close()
    node.engine.dispose()


@pytest.fixture
def delivered(node: Node) -> Study:
    """A study of two images, analysed and delivered today."""
    node.send(mr(), mr())
    study = node.analyse()
    node.receipt(study)
    return study


def test_images_then_results_go_and_the_record_stays(node: Node, delivered: Study) -> None:
    steps = {29: [], 31: ["images"], 89: [], 91: ["results"], 365: []}
    for day, kinds in steps.items():
        node.now = NOW + day * DAY
        assert node.apply() == kinds, day
        assert bool(kept(node.folder)) == (day < 31), day
        assert bool(node.results()) == (day < 91), day
    assert not list((node.folder / "instances").iterdir())
    assert rows(node.engine, database.instances) == []
    assert len(rows(node.engine, database.results)) == 1
    assert len(rows(node.engine, database.receipts)) == 1
    (study,) = rows(node.engine, database.studies)
    assert study["patient_key"]
    assert study["images_deleted_at"] == NOW + 31 * DAY
    assert study["results_deleted_at"] == NOW + 91 * DAY
    assert node.told == [(STUDY, "4711")]
    assert node.inbox.rebuild() == 0


def test_it_counts_from_the_last_delivery(node: Node, delivered: Study) -> None:
    node.now += 10 * DAY
    node.receipt(delivered, "archive")
    node.now += 25 * DAY
    assert node.apply() == []
    node.now += 6 * DAY
    assert node.apply() == ["images"]


def test_null_keeps_for_ever(node: Node, delivered: Study) -> None:
    node.now += 10_000 * DAY
    assert node.apply(images_days=None, results_days=None) == []
    assert node.apply(images_days=None) == ["results"]


def delivered_in_part(node: Node) -> None:
    node.receipt(node.analyse())
    node.receipt(node.inbox.studies.study(KEY, 1), "archive", delivered=False, retry=True)


def refused(node: Node) -> None:
    node.receipt(node.analyse(), delivered=False)


def dead_or_open_job(node: Node) -> None:
    node.receipt(node.analyse())
    node.unsettled = {KEY}


def without_destination(node: Node) -> None:
    node.analyse()


def in_analysis(node: Node) -> None:
    node.inbox.complete(node.now + 99, config.Complete(), lambda _: True)


def still_coming(node: Node) -> None:
    """Nothing of it was ever handed out."""


def failed(node: Node) -> None:
    node.inbox.complete(node.now + 99, config.Complete(), lambda _: True)
    node.inbox.studies.finish(KEY, 1)


def revised_and_not_yet_delivered(node: Node) -> None:
    node.receipt(node.analyse())
    node.send(mr())
    node.analyse()


@pytest.mark.parametrize(
    "how",
    [delivered_in_part, refused, dead_or_open_job, without_destination, in_analysis, still_coming,
     failed, revised_and_not_yet_delivered],
)  # fmt: skip
def test_what_is_nowhere_else_is_kept(node: Node, how: Any) -> None:
    node.send(mr(), mr())
    how(node)
    node.now += 10_000 * DAY
    before = kept(node.folder), node.results()
    assert node.apply() == []
    assert (kept(node.folder), node.results()) == before


def test_a_study_without_anything_to_analyse_goes(node: Node) -> None:
    node.send(mr(SOPClassUID=SR))
    node.now += 31 * DAY
    assert node.apply() == ["images"]
    assert kept(node.folder) == []


def test_a_late_image_begins_the_next_generation(node: Node, delivered: Study) -> None:
    node.now += 31 * DAY
    assert node.apply() == ["images"]
    node.send(mr())
    study = node.analyse()
    assert (study.generation, len(study.paths), study.is_partial) == (2, 1, True)
    assert study.paths[0].is_file()
    node.now += 31 * DAY
    assert node.apply() == [], "the revised result is not delivered"
    node.receipt(study)
    node.now += 31 * DAY
    assert node.apply() == ["images"]
    node.now += 60 * DAY
    assert node.apply() == ["results"]
    assert not (node.folder / "work" / KEY).exists(), "of both generations"


def test_the_same_images_again_are_a_study_again(node: Node) -> None:
    image = mr()
    node.send(image)
    node.receipt(node.analyse())
    node.now += 31 * DAY
    node.apply()
    node.send(image)
    assert node.analyse().generation == 2


def test_what_comes_in_meanwhile_is_not_lost(
    node: Node, delivered: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image is linked, and answered for, before its row is written."""
    node.now += 31 * DAY
    (due,) = node.rules().due()
    arrival, spool = arrive(node.inbox, mr(), node.now)
    monkeypatch.setattr(node.inbox, "flush", lambda: True)
    assert node.inbox.store(arrival, spool) == "stored"
    assert node.rules()._delete(due)
    monkeypatch.undo()
    spool.close()
    node.inbox.flush()
    assert kept(node.folder) == [node.folder / arrival.place]
    (study,) = rows(node.engine, database.studies)
    assert study["state"] == "receiving"


def test_a_repeated_image_is_not_lost(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file was there when it came, and gone when its row was written."""
    image = mr()
    node.send(image)
    node.receipt(node.analyse())
    node.now += 31 * DAY
    arrival, spool = arrive(node.inbox, image, node.now)
    flush = node.inbox.flush

    def late() -> bool:
        assert node.apply() == ["images"]
        return flush()

    monkeypatch.setattr(node.inbox, "flush", late)
    assert node.inbox.store(arrival, spool) == "stored"
    spool.close()
    assert kept(node.folder) == [node.folder / arrival.place]
    (row,) = rows(node.engine, database.instances)
    assert row["path"] == arrival.place


def test_a_study_that_lives_again_is_spared(node: Node, delivered: Study) -> None:
    node.now += 31 * DAY
    (due,) = node.rules().due()
    node.send(mr())
    assert not node.rules()._delete(due)
    assert len(kept(node.folder)) == 3


def test_what_cannot_be_deleted_holds_nothing_else_up(
    node: Node, delivered: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "1.2.3"
    node.send(mr(StudyInstanceUID=other))
    node.receipt(node.analyse(), sop_instance_uid="1.2.4")
    node.now += 31 * DAY
    unlink = Path.unlink

    def fail(path: Path, missing_ok: bool = False) -> None:
        if KEY in path.parts:
            raise OSError(5, os.strerror(5), str(path))
        unlink(path, missing_ok)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", fail)
        assert node.apply() == ["images"]
    assert len(rows(node.engine, database.instances)) == 2, "its rows are still there"
    assert node.apply() == ["images"]
    assert kept(node.folder) == []


def test_quarantine_and_copies_go_by_age(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    aside = node.folder / "quarantine" / KEY
    aside.mkdir()
    for path in (aside / "a.dcm", node.folder / "quarantine" / "old.dcm",
                 node.folder / "msnode.sqlite.0001.bak"):  # fmt: skip
        path.write_bytes(b"12345")
    monkeypatch.undo()
    assert node.apply(quarantine_days=1, backups_days=1) == []
    assert node.apply(quarantine_days=1e-9, backups_days=1e-9) == [
        "quarantine",
        "quarantine",
        "backups",
    ]
    assert list((node.folder / "quarantine").iterdir()) == []
    assert (node.folder / "msnode.sqlite").exists()


def test_bytes_are_counted(node: Node, delivered: Study) -> None:
    before = metrics.DELETED_BYTES.labels("images")._value.get()
    size = sum(path.stat().st_size for path in kept(node.folder))
    node.now += 31 * DAY
    node.apply()
    assert metrics.DELETED_BYTES.labels("images")._value.get() == before + size > before


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(tmp_path, monkeypatch)
    monkeypatch.undo()
    node.now = 1.7e9  # 2023
    uid = generate_uid()
    node.send(mr(StudyInstanceUID=uid))
    node.receipt(node.analyse())
    node.inbox.close()
    file = tmp_path / "msnode.yaml"
    file.write_text(f"data: {tmp_path}\n")

    def run(*options: str) -> str:
        answer = CliRunner().invoke(main, ["retention", "--config", str(file), *options])
        assert answer.exit_code == 0, answer.output
        return answer.output

    listed = [json.loads(line) for line in run("--dry-run", "--json").splitlines()]
    assert [item["kind"] for item in listed] == ["images", "results"]
    assert {item["name"] for item in listed} == {uid_hash(uid)}
    assert "2 item(s)" in run("--dry-run")
    assert len(kept(tmp_path)) == 1
    assert "2 item(s)" in run()
    assert kept(tmp_path) == []
    assert "0 item(s)" in run()
    trail = (tmp_path / "audit" / "msnode-delete.log").read_text()
    assert uid in trail
    node.engine.dispose()


def test_a_round_has_an_end(node: Node, delivered: Study) -> None:
    node.now += 31 * DAY
    assert list(node.rules().apply(limit_s=-1)) == []
    assert len(kept(node.folder)) == 2
