"""Forgetting a study: all of it, and nothing else."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from msnode import config
from msnode.cli.main import main
from msnode.receive import Inbox
from msnode.records.images import Study
from msnode.records.uid_hash import uid_hash
from msnode.retention.forget import TABLES
from msnode.service.message_intake import MessageIntake
from msnode.store import database, schema
from msnode.store.evidence_tables import judgements, study_values
from msnode.store.hl7_tables import hl7_messages, orders
from msnode.store.page_tables import feedback, study_labels, verdicts
from msnode.store.shadow_tables import shadow_results
from tests.hl7_messages import order
from tests.unit.receive.datasets import STUDY, mr, store

KEY = uid_hash(STUDY)
OTHER = "1.2.3"
LABEL: dict[str, object] = dict.fromkeys((c.name for c in study_labels.columns), "")
LABEL["labelled_at"] = 0.0


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """Of a node with two studies, each analysed and delivered, without a job on record."""
    engine = database.open_database(config.Config(data=tmp_path).database_url)
    schema.migrate(engine)
    inbox = Inbox(engine, tmp_path)
    for uid in (STUDY, OTHER):
        store(inbox, mr(StudyInstanceUID=uid))
        store(inbox, mr(StudyInstanceUID=uid))
    for study in inbox.complete(9999, config.Complete(), lambda _: True):
        conclude(inbox, study)
    yield inbox
    inbox.close()
    engine.dispose()


def conclude(inbox: Inbox, study: Study) -> None:
    """Leave behind what the flow leaves of a generation."""
    folder = Path("work") / study.key / str(study.generation)
    (inbox.folder / folder / "minimal").mkdir(parents=True)
    (inbox.folder / folder / "minimal" / "sr.dcm").write_bytes(b"a result")
    same: dict[str, object] = {"study_key": study.key, "generation": study.generation}
    result = {"outcome": "absent", "model_digest": "", "created_at": 0.0, "folder": str(folder)}
    receipt: dict[str, object] = {
        "destination": "pacs",
        "sop_instance_uid": f"2.25.{int(study.key, 16)}",
    }
    receipt |= {"delivered": True, "attempts": 1, "detail": "", "retry": False, "updated_at": 0.0}
    request: dict[str, object] = {
        "transaction_uid": f"2.25.{int(study.key, 16)}",
        "destination": "pacs",
    }
    request |= {"requested_at": 0.0, "state": "settled"}
    aside = inbox.folder / "quarantine" / study.key
    aside.mkdir()
    (aside / "cut-off.dcm").write_bytes(b"half an image")
    with inbox.engine.begin() as connection:
        sender = {"process": "p", "association": 1, "calling_ae_title": "MRI1", "state": "broken"}
        connection.execute(database.senders.insert(), same | sender)
        connection.execute(database.commitments.insert(), same | request)
        connection.execute(database.results.insert(), same | result)
        told = {"study_key": study.key, "made_at": 0.0, "told": "{}"}
        connection.execute(database.expectations.insert(), told)
        connection.execute(database.receipts.insert(), same | receipt)
        connection.execute(study_labels.insert(), LABEL | {"study_key": study.key})
        said = {"given_at": 0.0, "given_by": "anna"}
        connection.execute(feedback.insert(), same | said | {"kind": "agree", "note": ""})
        connection.execute(verdicts.insert(), same | said | {"told": "{}"})
        evidence(connection, same)
        beside: dict[str, object] = dict.fromkeys(("shadow", "shadow_digest", "shadow_version"), "")
        beside |= {"digest_in_force": "", "outcome_in_force": "absent", "state": "compared"}
        beside |= {"attempts": 0, "detail": "", "result_at": 0.0, "updated_at": 0.0}
        connection.execute(shadow_results.insert(), same | beside)
        search = same | {"source": "pacs", "began_at": 0.0, "wait_until": 0.0, "state": "done",
                         "failures": 0, "missed": 0, "news": False, "detail": ""}  # fmt: skip
        connection.execute(database.prior_searches.insert(), search)
    fetched(inbox, study.key, study.key[::-1])
    inbox.studies.finish(study.key, study.generation)


def evidence(connection: sa.Connection, same: dict[str, object]) -> None:
    """What was said of a study by others, and what it measured."""
    judged: dict[str, object] = {"identity": same["study_key"], "source": "csv", "judged": "ms"}
    judged |= {"reader": "", "given_at": 0.0, "seen_at": 0.0, "why": "", "replaces": "[]"}
    connection.execute(judgements.insert(), same | judged | {"state": "counted"})
    values = {"recorded_at": 0.0, "scanner": "", "sequence": "", "sex": "", "told": "{}"}
    connection.execute(study_values.insert(), same | values)


def fetched(inbox: Inbox, study: str, prior: str) -> None:
    """An earlier study was fetched for a study, and its visit is kept."""
    row = {"study_key": study, "prior_key": prior, "source": "pacs", "state": "kept",
           "study_instance_uid": f"1.{int(prior, 16)}", "study_date": "20200101", "reason": "",
           "series": "{}", "asked_at": 1.0, "kept_at": 1.0}  # fmt: skip
    with inbox.engine.begin() as connection:
        connection.execute(database.prior_studies.insert(), row)
    for kind in ("visits/%s/0", "fetched/%s"):
        place = inbox.folder / (kind % prior)
        place.mkdir(parents=True, exist_ok=True)
        (place / "left.dcm").write_bytes(b"an image")


def forget(inbox: Inbox, uid: str = STUDY, *options: str) -> Result:
    file = inbox.folder / "msnode.yaml"
    file.write_text(f"data: {inbox.folder}\n")
    given = options or ("--yes",)
    return CliRunner().invoke(main, ["forget", uid, "--config", str(file), *given])


def left(inbox: Inbox, study: str) -> dict[str, int]:
    """Rows and files of a study."""
    with inbox.engine.connect() as connection:
        counts = {
            table.name: connection.scalar(
                sa.select(sa.func.count()).select_from(table).where(table.c.study_key == study)
            )
            or 0
            for table in TABLES
        }
    return counts | {
        kind: len(list((inbox.folder / kind / study).rglob("*.dcm")))
        for kind in ("instances", "work", "quarantine")
    }


def test_a_study_is_forgotten_and_no_other(inbox: Inbox) -> None:
    before = left(inbox, uid_hash(OTHER))
    assert min(left(inbox, KEY).values()) > 0
    answer = forget(inbox)
    assert answer.exit_code == 0
    assert answer.output.startswith("2 image(s), 1 result(s), 1 receipt(s), 4 file(s)")
    assert answer.output.endswith("\nforgotten, 2 instance(s)\n")
    assert set(left(inbox, KEY).values()) == {0}
    gone = {"expectations": 0}  # they may have been made from the study, which is of one patient
    assert left(inbox, uid_hash(OTHER)) == before | gone
    assert not (inbox.folder / "instances" / KEY).exists()
    assert inbox.rebuild() == 0


def test_what_was_fetched_for_it_goes_unless_it_serves_another(inbox: Inbox) -> None:
    mine, shared, other = KEY[::-1], "ab" * 8, uid_hash(OTHER)
    fetched(inbox, KEY, shared)
    fetched(inbox, other, shared)
    assert forget(inbox).exit_code == 0
    for kind in ("visits", "fetched"):
        names = {path.name for path in (inbox.folder / kind).iterdir()}
        assert names == {shared, other[::-1]}
    with inbox.engine.connect() as connection:
        rows = connection.execute(sa.select(database.prior_studies)).all()
    assert {(row.study_key, row.prior_key) for row in rows} == {
        (other, shared), (other, other[::-1]),
    }  # fmt: skip
    assert forget(inbox, OTHER).exit_code == 0
    assert not list((inbox.folder / "visits").iterdir())
    assert mine not in {row.prior_key for row in rows}


def test_a_study_that_was_fetched_is_forgotten_by_itself(inbox: Inbox) -> None:
    prior = uid_hash(OTHER)[::-1]
    assert forget(inbox, prior).exit_code == 0
    assert not (inbox.folder / "visits" / prior).exists()
    with inbox.engine.connect() as connection:
        kept = connection.scalars(sa.select(database.prior_studies.c.prior_key)).all()
    assert kept == [KEY[::-1]]


def test_a_study_is_forgotten_by_its_key(inbox: Inbox) -> None:
    """As logs and job IDs name it."""
    assert forget(inbox, KEY).exit_code == 0
    assert set(left(inbox, KEY).values()) == {0}


def test_copies_of_the_database_forget_too(inbox: Inbox) -> None:
    engine_table = "CREATE TABLE workflow_status (workflow_uuid TEXT, inputs TEXT)"
    names = [
        f"{kind}.{study}.1" for study in (KEY, uid_hash(OTHER)) for kind in ("study", "deliver")
    ]
    file = inbox.folder / "msnode.sqlite.0002.bak"
    with (
        closing(sqlite3.connect(inbox.folder / "msnode.sqlite")) as source,
        closing(sqlite3.connect(file)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute(engine_table)
        copy.executemany("INSERT INTO workflow_status VALUES (?, '')", [(n,) for n in names])
        copy.commit()
        told = copy.execute("SELECT study_key FROM expectations").fetchall()
    assert {key for (key,) in told} == {KEY, uid_hash(OTHER)}
    assert KEY.encode() in file.read_bytes()
    assert forget(inbox).exit_code == 0
    assert KEY.encode() not in file.read_bytes()
    with closing(sqlite3.connect(file)) as copy:
        assert copy.execute("SELECT study_key FROM studies").fetchall() == [(uid_hash(OTHER),)]
        assert len(copy.execute("SELECT * FROM workflow_status").fetchall()) == 2
        assert copy.execute("SELECT * FROM expectations").fetchall() == []


def test_a_copy_that_is_none_is_named(inbox: Inbox) -> None:
    (inbox.folder / "msnode.sqlite.0001.bak").write_bytes(b"no database" * 1000)
    answer = forget(inbox)
    assert answer.exit_code == 1
    assert "copy of the database (*.bak): file is not a database" in answer.output
    assert min(left(inbox, KEY).values()) > 0


def test_the_audit_trail_hears_of_it(inbox: Inbox) -> None:
    assert forget(inbox).exit_code == 0
    (message,) = (inbox.folder / "audit").glob("*-delete.log")
    text = message.read_text()
    assert STUDY in text
    assert "4711" in text, "the patient's ID"


def test_sent_again_it_is_a_new_study(inbox: Inbox) -> None:
    assert forget(inbox).exit_code == 0
    assert store(inbox, mr(), at=100) == "stored"
    (study,) = inbox.complete(9999, config.Complete(), lambda _: True)
    assert (study.generation, len(study.paths)) == (1, 1)
    assert all(path.is_file() for path in study.paths)


def test_a_study_that_is_being_analysed_is_refused(inbox: Inbox) -> None:
    store(inbox, mr(), at=100)
    inbox.complete(9999, config.Complete(), lambda _: True)
    before = left(inbox, KEY)
    answer = forget(inbox)
    assert answer.exit_code == 1
    assert "is being analysed" in answer.output
    assert left(inbox, KEY) == before


def test_an_unknown_study_is_an_error(inbox: Inbox) -> None:
    answer = forget(inbox, "1.2.9")
    assert answer.exit_code == 1
    assert "there is no study of this StudyInstanceUID here" in answer.output


def test_what_cannot_be_deleted_keeps_its_rows(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise PermissionError(13, os.strerror(13), str(path))

    with monkeypatch.context() as broken:
        broken.setattr("shutil.rmtree", fail)
        answer = forget(inbox)
    assert answer.exit_code == 1
    assert "Permission denied" in answer.output
    assert min(left(inbox, KEY).values()) > 0
    assert forget(inbox).exit_code == 0
    assert set(left(inbox, KEY).values()) == {0}


def with_events(inbox: Inbox, *ids: str) -> None:
    """Clinical events of some patients, one each."""
    file = inbox.folder / "msnode.yaml"
    file.write_text(f"data: {inbox.folder}\n")
    text = "".join(f"{patient},,sex,F\n" for patient in ids)
    (inbox.folder / "events.csv").write_text("patient,date,kind,value\n" + text)
    command = ["twin", "import", str(inbox.folder / "events.csv"), "--config", str(file)]
    assert CliRunner().invoke(main, command).exit_code == 0


def events_left(path: Path) -> int:
    with closing(sqlite3.connect(path)) as copy:
        return int(copy.execute("SELECT count(*) FROM clinical_events").fetchone()[0])


def test_clinical_events_go_with_the_patients_last_study(inbox: Inbox) -> None:
    with_events(inbox, "4711", "4712")
    live, copy = inbox.folder / "msnode.sqlite", inbox.folder / "msnode.sqlite.0009.bak"
    with closing(sqlite3.connect(live)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
    first = forget(inbox)
    assert first.exit_code == 0
    assert "clinical event" not in first.output
    assert (events_left(live), events_left(copy)) == (2, 2), "the other study is still there"
    look = forget(inbox, OTHER, "--dry-run")
    assert "1 clinical event(s), as it is the patient's last study" in look.output
    assert forget(inbox, OTHER).exit_code == 0
    assert (events_left(live), events_left(copy)) == (1, 1)


def test_what_was_told_by_hl7_goes_with_the_patients_last_study(inbox: Inbox) -> None:
    intake = MessageIntake(inbox.engine, inbox.secret, "P", lambda: True)
    for patient in ("4711", "4712"):
        assert intake.take(order(patient=f"PID|1||{patient}", placer=patient), "HIS") is not None
    assert forget(inbox).exit_code == 0
    assert told_left(inbox) == (2, 2), "the patient has another study"
    look = forget(inbox, OTHER, "--dry-run")
    assert "and 2 HL7 v2 message(s) and order(s), likewise" in look.output
    assert forget(inbox, OTHER).exit_code == 0
    assert told_left(inbox) == (1, 1)


def told_left(inbox: Inbox) -> tuple[int, int]:
    """Messages and orders."""
    with inbox.engine.connect() as connection:
        found = [
            connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in (hl7_messages, orders)
        ]
    return found[0], found[1]


def test_what_was_told_of_a_patient_without_studies_can_be_forgotten(inbox: Inbox) -> None:
    intake = MessageIntake(inbox.engine, inbox.secret, "P", lambda: True)
    assert intake.take(order(patient="PID|1||4713"), "HIS") is not None
    file = inbox.folder / "msnode.yaml"
    file.write_text(f"data: {inbox.folder}\n")
    command = ["twin", "forget", "4713", "--yes", "--config", str(file)]
    done = CliRunner().invoke(main, command)
    assert "and 2 HL7 v2 message(s) and order(s)" in done.output
    assert told_left(inbox) == (0, 0)
    again = CliRunner().invoke(main, command)
    assert (again.exit_code, "nothing is on record" in again.output) == (1, True)
