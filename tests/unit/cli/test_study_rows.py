"""What `msnode studies` knows, also once retention has been there."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from msnode.cli.study_rows import StudyRow, Wanted, as_day, find

from msnode.config import Complete, Config, Folder
from msnode.errors import MsnodeError
from msnode.receive import Inbox
from msnode.records.uid_hash import uid_hash
from msnode.store import database, schema
from msnode.store.database import receipts, results
from msnode.store.receipts import Receipts
from tests.dicom import secondary_capture
from tests.unit.receive.datasets import STUDY, mr, store

KEY = uid_hash(STUDY)
WHO = "4711"
RECEIPT = {
    "study_key": KEY, "generation": 1, "status": 0, "delivered": True, "attempts": 1, "detail": "",
    "retry": False, "updated_at": 5.0,
}  # fmt: skip


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """Two studies of two patients, neither analysed."""
    engine = database.open_database(settings(tmp_path).database_url)
    schema.migrate(engine)
    inbox = Inbox(engine, tmp_path)
    store(inbox, mr(), at=1)
    store(inbox, mr(StudyInstanceUID="1.2.3", PatientID="other", PatientName="Doe^Jane"), at=2)
    yield inbox
    inbox.close()
    engine.dispose()


def settings(folder: Path) -> Config:
    names = ("archive", "pacs")
    return Config(data=folder, destinations=tuple(Folder(n, folder=folder / n) for n in names))


def found(inbox: Inbox, **wanted: str | int) -> list[StudyRow]:
    return find(inbox.engine, settings(inbox.folder), replace(Wanted(), **wanted))  # type: ignore[arg-type]


def report(inbox: Inbox) -> None:
    """Leave the first study's result as the flow does."""
    for study in inbox.complete(9999, Complete(), lambda _: True):
        folder = inbox.folder / "work" / study.key / "1" / "minimal"
        folder.mkdir(parents=True)
        dataset = secondary_capture(PatientID=WHO, PatientName="Roe^Joe")
        dataset.save_as(folder / "sr.dcm", enforce_file_format=True)
        inbox.studies.finish(study.key, 1)
    row = {"study_key": KEY, "generation": 1, "outcome": "present", "probability": 0.9,
           "model_digest": "d", "created_at": 3.0, "folder": "", "study_date": "20260102"}  # fmt: skip
    with inbox.engine.begin() as connection:
        connection.execute(results.insert(), row)


def test_the_newest_is_last_and_the_limit_keeps_it(inbox: Inbox) -> None:
    assert [row.study for row in found(inbox)] == [KEY, uid_hash("1.2.3")]
    assert [row.study for row in found(inbox, limit=1)] == [uid_hash("1.2.3")]
    assert {row.state for row in found(inbox)} == {"receiving"}


def test_a_patient_is_found_by_id_or_name(inbox: Inbox) -> None:
    assert [row.study for row in found(inbox, patient=WHO)] == [KEY]
    assert [row.study for row in found(inbox, patient="jane")] == [uid_hash("1.2.3")]
    assert found(inbox, patient="47") == []


def test_a_patient_is_found_by_id_when_every_file_is_gone(inbox: Inbox) -> None:
    report(inbox)
    shutil.rmtree(inbox.folder / "instances" / KEY)
    (row,) = found(inbox, patient=WHO)
    assert row.header is not None, "read from the result"
    assert row.header.patient_name == "Roe^Joe"
    shutil.rmtree(inbox.folder / "work" / KEY)
    (row,) = found(inbox, patient=WHO)
    assert (row.study, row.header, row.study_date) == (KEY, None, "20260102")
    assert found(inbox, accession="A1") == []


def test_what_is_over_says_what_came_of_it(inbox: Inbox) -> None:
    report(inbox)
    states = {row.study: (row.state, row.outcome) for row in found(inbox)}
    assert states == {KEY: ("done", "present"), uid_hash("1.2.3"): ("failed", None)}


def test_each_destination_has_one_word(inbox: Inbox) -> None:
    report(inbox)

    def told() -> dict[str, str]:
        return {one.destination: one.state for one in found(inbox, patient=WHO)[0].deliveries}

    assert told() == {"archive": "waiting", "pacs": "waiting"}
    with inbox.engine.begin() as connection:
        for uid in ("1", "2"):
            mine = {"destination": "archive", "sop_instance_uid": uid}
            connection.execute(receipts.insert(), RECEIPT | mine)
        half = {"destination": "pacs", "sop_instance_uid": "1", "delivered": False}
        connection.execute(receipts.insert(), RECEIPT | half)
    assert told() == {"archive": "delivered", "pacs": "dead"}
    for change, word in (({"sent": True}, "sent"), ({"sent": False, "retry": True}, "waiting"),
                         ({"superseded": True}, "superseded")):  # fmt: skip
        with inbox.engine.begin() as connection:
            pacs = receipts.c.destination == "pacs"
            connection.execute(receipts.update().where(pacs).values(change))
        assert told()["pacs"] == word
    assert Receipts(inbox.engine).renew("archive", KEY, 1) == 2
    assert told()["archive"] == "waiting"


def test_a_day_is_written_in_two_ways() -> None:
    assert as_day("2026-11-28") == as_day("20261128") == "20261128"
    for wrong in ("28.11.2026", "2026-13-01", "today"):
        with pytest.raises(MsnodeError, match="is no date"):
            as_day(wrong)
