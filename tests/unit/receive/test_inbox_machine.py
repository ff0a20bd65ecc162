"""Whatever happens to an inbox, in whatever order: nothing that it took is lost or doubled."""

import itertools
import sqlite3
import tempfile
import time
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from pydicom.dataset import Dataset

from msnode import config
from msnode.receive.dicom.dimse_status import StoreRefused
from msnode.receive.inbox import inbox as inbox_module
from msnode.receive.inbox.inbox import Inbox
from msnode.records.receipt import Receipt
from msnode.records.uid_hash import uid_hash
from msnode.store import database, schema
from msnode.store.database import instances, results, studies
from msnode.store.receipts import Receipts
from tests.unit.receive.datasets import SR, arrive, digest, encode, kept, mr, rows

PATIENTS = {"1.2.1": "4711", "1.2.2": "4712"}
"""PatientID by StudyInstanceUID."""
UIDS = {uid_hash(uid): uid for uid in PATIENTS}
RULE = config.Complete(quiet_s=5, idle_s=60, cap_s=1800)
OWN = "2.25.4711"


@cache
def empty_database() -> bytes:
    """A migrated SQLite database that knows one result of ours."""
    with tempfile.TemporaryDirectory() as folder:
        engine = database.open_database(f"sqlite:///{folder}/msnode.sqlite")
        schema.migrate(engine)
        Receipts(engine).save(Receipt("pacs", OWN, 0, True, 1), "0" * 16, 1)
        content = snapshot(engine)
        engine.dispose()
    return content


def snapshot(engine: sa.Engine) -> bytes:
    """The database as a power loss would leave it now."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver.serialize()


class InboxMachine(RuleBasedStateMachine):
    """Scanners that send, a flow that takes what is complete, and ends of the process.

    Rows that are late stay so until something writes them: the thread that does so sleeps.
    """

    @initialize(conflicts=st.sampled_from(["keep", "keep", "replace", "refuse"]))
    def begin(self, conflicts: config.Conflicts) -> None:
        self.slow = patch.object(inbox_module, "LAG_S", 3600.0)
        self.slow.start()
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name)
        self.conflicts = conflicts
        self.numbers = itertools.count(1)
        self.sent: list[Dataset] = []
        self.now = time.time()
        self.acknowledged: dict[tuple[str, str, str], bytes] = {}  # study, image, digest
        self.news: dict[str, set[str]] = {uid: set() for uid in PATIENTS}  # in no generation yet
        self.generations = dict.fromkeys(PATIENTS, 0)
        self.queued: set[str] = set()
        self.chosen: dict[str, str] = {}  # SOPInstanceUID -> digest of the study's content
        self.may_change: set[str] = set()  # studies whose contents may be replaced
        self.durable = empty_database()
        self.open_again()

    def open_again(self) -> None:
        url = f"sqlite:///{self.folder / 'msnode.sqlite'}"
        if not (self.folder / "msnode.sqlite").exists():
            (self.folder / "msnode.sqlite").write_bytes(self.durable)
        self.engine = database.open_database(url)
        self.inbox = Inbox(self.engine, self.folder, conflicts=self.conflicts)

    def teardown(self) -> None:
        if not hasattr(self, "inbox"):
            return
        self.inbox.flush()
        self.assert_every_row_is_there()
        self.close()
        self.slow.stop()
        self.temporary.cleanup()

    def close(self) -> None:
        self.inbox.close()
        self.engine.dispose()

    def send(self, dataset: Dataset) -> str:
        """Bring an image in; the sender's answer is what the machine goes by."""
        arrival, spool = arrive(self.inbox, dataset, self.now)
        try:
            outcome = self.inbox.store(arrival, spool)
        finally:
            spool.close()
        if outcome == "stored":
            study, uid = str(dataset.StudyInstanceUID), str(dataset.SOPInstanceUID)
            is_new = all(known[1] != uid for known in self.acknowledged)
            self.acknowledged[study, uid, digest(dataset)] = encode(dataset)
            if is_new and dataset.SOPClassUID != SR:
                self.news[study].add(uid)
        return outcome

    def fresh(self, study: str, **attributes: str) -> Dataset:
        uid = f"{study}.{next(self.numbers)}"
        wanted = {"PatientID": PATIENTS[study], "SOPInstanceUID": uid} | attributes
        return mr(StudyInstanceUID=study, **wanted)

    @rule(
        data=st.data(),
        study=st.sampled_from(["1.2.1", "1.2.1", "1.2.2"]),
        what=st.sampled_from(["new", "new", "other", "other", "again", "nothing"]),
    )
    def something_comes(self, data: st.DataObject, study: str, what: str) -> None:
        """One rule for all, so that none is left out of a whole run."""
        if what == "new" or not self.sent:
            image = self.fresh(study)
            assert self.send(image) == "stored"
            self.sent.append(image)
            return
        image = self.sent[data.draw(st.integers(0, len(self.sent) - 1))]
        if what == "again":
            assert self.send(image) == "duplicate"
        elif what == "other":
            self.it_comes_with_other_content(image, data.draw(st.integers(9, 11)))
        else:
            kinds = ["companion", "own", "another patient's", "finish"]
            self.something_comes_that_begins_nothing(image, data.draw(st.sampled_from(kinds)))

    def it_comes_with_other_content(self, image: Dataset, rows: int) -> None:
        other = mr(**{element.keyword: element.value for element in image} | {"Rows": rows})
        key = str(image.StudyInstanceUID), str(image.SOPInstanceUID), digest(other)
        if self.conflicts != "refuse" or key in self.acknowledged:
            expected = "duplicate" if key in self.acknowledged else "stored"
            assert self.send(other) == expected
            return
        with pytest.raises(StoreRefused) as refused:
            self.send(other)
        assert refused.value.status == 0xC002

    def something_comes_that_begins_nothing(self, image: Dataset, what: str) -> None:
        study = str(image.StudyInstanceUID)
        if what == "companion":
            assert self.send(self.fresh(study, SOPClassUID=SR)) == "stored"
        elif what == "own":
            assert self.send(self.fresh(study, SOPClassUID=SR, SOPInstanceUID=OWN)) == "own"
        elif what == "finish":  # of a generation that is over, or never was
            for generation in (self.generations[study] - 1, self.generations[study] + 1):
                self.inbox.studies.finish(uid_hash(study), generation)
        else:
            with pytest.raises(StoreRefused) as refused:
                self.send(self.fresh(study, PatientID="another"))
            assert refused.value.status == 0xA900

    @rule(data=st.data(), outcome=st.sampled_from(["", "", "absent", "not_analysed"]))
    def the_flow_goes_on(self, data: st.DataObject, outcome: str) -> None:
        """It takes what is complete, or has a result."""
        if outcome and self.queued:
            uid = data.draw(st.sampled_from(sorted(self.queued)))
            self.a_study_has_its_result(uid, outcome)
        else:
            self.what_is_complete_is_taken()

    def what_is_complete_is_taken(self) -> None:
        self.now += 10
        taken = self.inbox.complete(self.now, RULE, lambda _: True)
        self.assert_every_row_is_there()
        for study in taken:
            uid = study.study_instance_uid
            assert uid not in self.queued, "handed out twice"
            assert study.generation == self.generations[uid] + 1
            assert self.news[uid] or self.conflicts == "replace" or uid in self.may_change
            self.assert_whole(uid, study.paths)
            self.generations[uid] += 1
            self.queued.add(uid)
            self.news[uid].clear()
            self.durable = snapshot(self.engine)
        assert all(uid in self.queued for uid, news in self.news.items() if news), "left lying"

    def a_study_has_its_result(self, uid: str, outcome: str) -> None:
        row = {"study_key": uid_hash(uid), "generation": self.generations[uid], "outcome": outcome}
        with self.engine.begin() as connection:
            values = row | {"model_digest": "", "created_at": 0.0, "folder": ""}
            connection.execute(results.insert(), values)
        if outcome == "not_analysed":
            self.may_change.add(uid)
        self.inbox.studies.finish(uid_hash(uid), self.generations[uid])
        self.queued.remove(uid)
        self.durable = snapshot(self.engine)

    @rule(how=st.sampled_from(["not", "stopped", "killed", "without power"]))
    def the_process_ends_and_begins(self, how: str) -> None:
        """Without power only what was committed with a flush is left of the database."""
        if how == "not":
            assert self.inbox.flush()
            self.assert_every_row_is_there()
            return
        if how != "stopped":
            self.inbox._late.clear()
        self.close()
        if how == "without power":
            for path in self.folder.glob("msnode.sqlite*"):
                path.unlink()
            self.chosen.clear()  # of what lost its rows any content may be the first
        self.open_again()
        found = self.inbox.rebuild()
        assert found == 0 or how != "stopped"
        assert self.inbox.rebuild() == 0
        self.assert_every_row_is_there()

    @invariant()
    def the_files_are_those_that_were_acknowledged(self) -> None:
        if not hasattr(self, "inbox"):
            return
        found = {path: path.read_bytes() for path in kept(self.folder)}
        places = {self.place(key): content for key, content in self.acknowledged.items()}
        assert found.keys() == places.keys()
        assert all(found[path].endswith(content) for path, content in places.items())
        assert list((self.folder / "quarantine").iterdir()) == []

    @invariant()
    def states_and_generations_are_what_was_handed_out(self) -> None:
        if not hasattr(self, "inbox"):
            return
        queued = {(UIDS[key], generation) for key, generation in self.inbox.studies.queued()}
        assert queued == {(uid, self.generations[uid]) for uid in self.queued}
        for row in rows(self.engine, studies):
            assert row["generation"] == self.generations[str(row["study_instance_uid"])]

    @invariant()
    def of_several_contents_one_is_the_studys_and_stays_it(self) -> None:
        if not hasattr(self, "inbox"):
            return
        found: dict[str, str] = {}
        for row in rows(self.engine, instances):
            if not row["conflict"]:
                uid = str(row["sop_instance_uid"])
                assert uid not in found, "two contents of one image are the study's"
                found[uid] = str(row["sha256"])
        for uid, sha256 in self.chosen.items():
            study = uid.rpartition(".")[0]
            assert uid in found, "none of its contents is the study's"
            if self.conflicts != "replace" and study not in self.may_change:
                assert found[uid] == sha256, "replaced in silence"
        self.chosen = found

    def place(self, key: tuple[str, str, str]) -> Path:
        study, uid, sha256 = key
        name = f"{uid_hash(uid)}-{sha256[:32]}.dcm"
        return self.folder / "instances" / uid_hash(study) / name

    def assert_every_row_is_there(self) -> None:
        """Each acknowledged content has one row, and there is no other."""
        found = rows(self.engine, instances)
        names = [(UIDS[str(r["study_key"])], r["sop_instance_uid"], r["sha256"]) for r in found]
        assert sorted(names, key=str) == sorted(self.acknowledged, key=str)

    def assert_whole(self, study: str, paths: tuple[Path, ...]) -> None:
        """A generation has one content of every image of the study that was acknowledged."""
        known = {self.place(key): key[1] for key in self.acknowledged if key[0] == study}
        assert sorted(known[path] for path in paths) == sorted(set(known.values()))


TestInbox = InboxMachine.TestCase
TestInbox.settings = settings(
    max_examples=18,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)
