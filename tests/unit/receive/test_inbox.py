"""The durable inbox: what is kept, what is refused, and what a crash leaves."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import pytest
import sqlalchemy as sa

from msnode import metrics
from msnode.errors import TryLater
from msnode.receive import Inbox
from msnode.receive.dicom.dimse_status import StoreRefused
from msnode.receive.inbox.inbox import LAG_S
from msnode.records.uid_hash import uid_hash
from msnode.store.database import (
    SQLITE_PATIENCE_S,
    instances,
    open_database,
    receipts,
    studies,
)
from msnode.store.merges import merge
from msnode.store.patients import patient_key
from msnode.store.schema import migrate
from tests.unit.receive.datasets import SR, STUDY, arrive, digest, kept, mr, rows, store

KEY = uid_hash(STUDY)


def test_an_instance_gets_a_file_and_a_row(inbox: Inbox, engine: sa.Engine, tmp_path: Path) -> None:
    image = mr(PatientID="4711")
    assert store(inbox, image, at=5.0) == "stored"
    (row,) = rows(engine, instances)
    path = tmp_path / str(row["path"])
    assert path.parent == tmp_path / "instances" / KEY
    assert row["sop_instance_uid"] == image.SOPInstanceUID
    assert row["sha256"] == digest(image)
    assert row["size"] == path.stat().st_size
    assert row["calling_ae_title"] == "MRI1"
    assert (row["generation"], row["conflict"], row["received_at"]) == (None, False, 5.0)
    (study,) = rows(engine, studies)
    assert (study["state"], study["generation"]) == ("receiving", 0)
    assert "4711" not in str(study)


def test_the_same_again_is_a_duplicate(inbox: Inbox, engine: sa.Engine, tmp_path: Path) -> None:
    image = mr()
    assert [store(inbox, image) for _ in range(3)] == ["stored", "duplicate", "duplicate"]
    assert len(rows(engine, instances)) == len(kept(tmp_path)) == 1


def test_other_content_is_kept_beside_it(inbox: Inbox, engine: sa.Engine, tmp_path: Path) -> None:
    before = metrics.CONFLICTS._value.get()
    first, second = mr(SOPInstanceUID="1.2.3"), mr(SOPInstanceUID="1.2.3", Rows=9)
    assert [store(inbox, first), store(inbox, second)] == ["stored", "stored"]
    assert store(inbox, second) == "duplicate"
    assert [row["conflict"] for row in rows(engine, instances)] == [False, True]
    assert metrics.CONFLICTS._value.get() == before + 1
    assert len(kept(tmp_path)) == 2


def test_patients_are_never_mixed(inbox: Inbox, engine: sa.Engine, tmp_path: Path) -> None:
    store(inbox, mr(PatientID="4711"))
    store(inbox, mr(PatientID="4711", IssuerOfPatientID="HOSPITAL"))
    store(inbox, mr(PatientID=""))
    for other in ({"PatientID": "4712"}, {"PatientID": "4711", "IssuerOfPatientID": "CLINIC"}):
        with pytest.raises(StoreRefused) as refused:
            store(inbox, mr(**other))
        assert refused.value.status == 0xA900
        assert "PatientID" in refused.value.comment
        assert "471" not in refused.value.comment
    assert len(rows(engine, instances)) == len(kept(tmp_path)) == 3


def test_nobody_waits_long_for_a_database_that_another_process_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msnode.receive.inbox.inbox.PATIENCE_S", 0.3)
    engine = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(engine)
    inbox = Inbox(engine, tmp_path)
    began = time.monotonic()
    with engine.begin(), pytest.raises(TryLater):
        store(inbox, mr())
    assert time.monotonic() - began < SQLITE_PATIENCE_S / 2
    assert store(inbox, mr()) == "stored", "the lock is gone"
    inbox.close()
    engine.dispose()


def send_out(engine: sa.Engine, sop_instance_uid: str) -> None:
    """Note a receipt, as deliver does for what it sends."""
    receipt = {
        "destination": "PACS",
        "sop_instance_uid": sop_instance_uid,
        "study_key": KEY,
        "generation": 1,
        "delivered": True,
        "retry": False,
        "attempts": 1,
        "detail": "",
        "updated_at": 0.0,
    }
    with engine.begin() as connection:
        connection.execute(receipts.insert(), receipt)


def test_our_own_results_are_not_kept(inbox: Inbox, engine: sa.Engine, tmp_path: Path) -> None:
    store(inbox, mr())
    send_out(engine, "2.25.99")
    assert store(inbox, mr(SOPClassUID=SR, SOPInstanceUID="2.25.99")) == "own"
    assert len(kept(tmp_path)) == 1
    assert store(inbox, mr(SOPClassUID=SR)) == "stored", "somebody else's report"


def test_a_kept_report_that_turns_out_to_be_ours_stays(
    inbox: Inbox, engine: sa.Engine, tmp_path: Path
) -> None:
    report = mr(SOPClassUID=SR, SOPInstanceUID="2.25.99")
    assert store(inbox, report) == "stored"
    send_out(engine, "2.25.99")
    assert store(inbox, report) == "own"
    assert len(kept(tmp_path)) == 1, "it has a row, so its file must stay"


def test_many_senders_at_once(inbox: Inbox, engine: sa.Engine, tmp_path: Path) -> None:
    images = [mr(StudyInstanceUID=f"1.2.{i % 3}") for i in range(60)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda image: store(inbox, image), images * 2))
    assert outcomes.count("stored") == 60
    assert outcomes.count("duplicate") == 60
    assert len(rows(engine, instances)) == len(kept(tmp_path)) == 60
    assert len(rows(engine, studies)) == 3


def test_one_wrong_patient_does_not_spoil_the_batch(inbox: Inbox) -> None:
    store(inbox, mr())

    def attempt(number: int) -> str:
        try:
            return store(inbox, mr(PatientID="other" if number % 5 == 0 else "4711"))
        except StoreRefused:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(40)))
    assert outcomes == ["refused" if number % 5 == 0 else "stored" for number in range(40)]


def test_without_the_database_nothing_is_acknowledged(
    inbox: Inbox, engine: sa.Engine, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE instances RENAME TO away"))
    image = mr()
    with pytest.raises(TryLater):
        store(inbox, image)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO instances"))
    assert store(inbox, image) == "stored"
    assert len(kept(tmp_path)) == 1


def test_late_rows_survive_an_outage_of_the_database(
    inbox: Inbox, engine: sa.Engine, tmp_path: Path
) -> None:
    store(inbox, mr())
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE instances RENAME TO away"))
    for _ in range(3):
        arrival, spool = arrive(inbox, mr())
        assert inbox.store(arrival, spool) == "stored", "the file is safe, the patient is known"
        spool.close()
    assert not inbox.flush()
    with pytest.raises(TryLater):
        store(inbox, mr(StudyInstanceUID="1.2.3"))
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO instances"))
    assert inbox.flush()
    assert len(rows(engine, instances)) == 4
    assert len(kept(tmp_path)) == 5, "the one that was not acknowledged waits for its sender"


def test_late_rows_are_written_soon_and_at_the_end(engine: sa.Engine, tmp_path: Path) -> None:
    inbox = Inbox(engine, tmp_path)
    store(inbox, mr())
    for count in (2, 3):
        arrival, spool = arrive(inbox, mr())
        inbox.store(arrival, spool)
        spool.close()
        if count == 2:
            time.sleep(20 * LAG_S)
            assert len(rows(engine, instances)) == 2
    inbox.close()
    assert len(rows(engine, instances)) == 3


def test_a_long_backlog_makes_senders_wait_for_the_database(
    inbox: Inbox, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msnode.receive.inbox.inbox.BACKLOG", 0)
    store(inbox, mr())
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE instances RENAME TO away"))
    with pytest.raises(TryLater):
        store(inbox, mr())


@pytest.mark.parametrize("fault", [MemoryError(), RuntimeError("a bug")])
def test_whatever_goes_wrong_nothing_is_acknowledged_or_lost(
    inbox: Inbox,
    engine: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:
    store(inbox, mr())
    late, deciding = mr(), mr(StudyInstanceUID="1.2.3")
    with monkeypatch.context() as broken:
        broken.setattr("msnode.receive.inbox.rows.Ledger.write", Mock(side_effect=fault))
        arrival, spool = arrive(inbox, late)
        assert inbox.store(arrival, spool) == "stored", "the file is safe, the patient is known"
        spool.close()
        with pytest.raises(TryLater):
            store(inbox, deciding)
        time.sleep(5 * LAG_S)
        assert inbox._writer.is_alive()
    assert inbox.flush()
    assert len(rows(engine, instances)) == 2
    assert len(kept(tmp_path)) == 3, "the one that was not acknowledged waits for its sender"
    assert store(inbox, deciding) == "stored"


def test_whoever_waits_for_a_flush_that_fails_is_not_answered(
    inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        time.sleep(0.1)  # the others are waiting by now
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr("msnode.receive.inbox.rows.Ledger.write", fail)
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(store, inbox, mr()) for _ in range(4)]
    assert [type(answer.exception()) for answer in answers] == [TryLater] * 4
    assert len(kept(tmp_path)) == 4


def test_an_error_of_the_flush_itself_leaves_the_writer_alive(
    inbox: Inbox, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(inbox, mr())
    monkeypatch.setattr("msnode.receive.inbox.inbox.RETRY_S", LAG_S)
    with monkeypatch.context() as broken:
        broken.setattr(inbox, "flush", Mock(side_effect=MemoryError))
        arrival, spool = arrive(inbox, mr())
        inbox.store(arrival, spool)
        spool.close()
        time.sleep(5 * LAG_S)
    time.sleep(20 * LAG_S)
    assert len(rows(engine, instances)) == 2


def test_close_does_not_wait_for_a_database_that_hangs(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msnode.receive.inbox.inbox.CLOSE_S", 0.1)
    inbox = Inbox(engine, tmp_path)
    store(inbox, mr())
    with inbox._committing:
        arrival, spool = arrive(inbox, mr())
        inbox.store(arrival, spool)
        spool.close()
        start = time.monotonic()
        inbox.close()
        assert time.monotonic() - start < 2
        inbox._late.clear()  # as the end of the process would
    again = Inbox(engine, tmp_path)
    assert again.rebuild() == 1
    again.close()


def test_a_full_disk_is_an_os_error(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("msnode.receive.inbox.folders.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store(inbox, mr())


def test_the_patient_key_is_made_once_and_only_ours_to_read(
    inbox: Inbox, engine: sa.Engine, tmp_path: Path
) -> None:
    again = Inbox(engine, tmp_path)
    assert again.secret == inbox.secret
    again.close()
    assert len(inbox.secret) == 32
    assert (tmp_path / "patient.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("patient.key*")] == ["patient.key"]


def test_a_study_goes_on_under_the_id_that_its_patient_was_merged_with(
    inbox: Inbox, engine: sa.Engine
) -> None:
    store(inbox, mr(PatientID="OLD"))
    with pytest.raises(StoreRefused):
        store(inbox, mr(PatientID="4711", IssuerOfPatientID="HOSPITAL"))
    old, new = (patient_key(inbox.secret, one, "") for one in ("OLD", "4711"))
    with engine.begin() as connection:
        merge(connection, old, new, "somebody")
    assert store(inbox, mr(PatientID="4711", IssuerOfPatientID="HOSPITAL")) == "stored"
    with pytest.raises(StoreRefused):
        store(inbox, mr(PatientID="4712"))
