"""When a study is complete."""

from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.uid import CTImageStorage, RawDataStorage

from msnode.config import Complete
from msnode.errors import NotAnalysable
from msnode.metrics import COMPLETIONS, QUEUE_DEPTH
from msnode.receive import Inbox
from msnode.receive.inbox.senders import Senders
from msnode.records.images import Study
from msnode.records.uid_hash import uid_hash
from msnode.store.database import results, senders
from tests.unit.receive.datasets import SR, STUDY, mr, rows, store

KEY = uid_hash(STUDY)
RULE = Complete(quiet_s=5, idle_s=60, cap_s=1800)


class Evidence:
    """Has what is wanted from so many files on; remembers how often it was asked."""

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.asked = 0

    def __call__(self, paths: Sequence[Path]) -> bool:
        self.asked += 1
        assert all(path.is_file() for path in paths)
        return len(paths) >= self.enough


def complete(inbox: Inbox, now: float, enough: int = 1) -> list[Study]:
    return inbox.complete(now, RULE, Evidence(enough))


def test_by_evidence_after_a_short_quiet(inbox: Inbox) -> None:
    before = COMPLETIONS.labels("evidence")._value.get()
    store(inbox, mr(), at=100)
    store(inbox, mr(), at=102)
    assert complete(inbox, 106.9) == []
    (study,) = complete(inbox, 107)
    assert (study.study_instance_uid, study.generation) == (STUDY, 1)
    assert (study.completion, study.last_instance_at) == ("evidence", 102)
    assert len(study.paths) == 2
    assert COMPLETIONS.labels("evidence")._value.get() == before + 1


def test_idle_without_evidence(inbox: Inbox) -> None:
    store(inbox, mr(), at=100)
    assert complete(inbox, 159, enough=9) == []
    (study,) = complete(inbox, 160, enough=9)
    assert study.completion == "idle"


def test_capped_if_it_never_rests(inbox: Inbox) -> None:
    for at in range(100, 1901, 50):
        store(inbox, mr(), at=at)
    (study,) = complete(inbox, 1900, enough=99)
    assert study.completion == "cap"


def test_an_association_that_is_open_proves_nothing(inbox: Inbox) -> None:
    sender = inbox.senders.begin("MRI1")
    store(inbox, mr(), at=100)
    sender.sends(KEY)
    assert complete(inbox, 130) == []
    sender.end(is_released=True)
    (study,) = complete(inbox, 130)
    assert study.completion == "evidence"


def test_an_association_that_broke_off_proves_nothing(inbox: Inbox) -> None:
    sender = inbox.senders.begin("MRI1")
    store(inbox, mr(), at=100)
    sender.sends(KEY)
    inbox.flush()
    sender.end(is_released=False)
    assert complete(inbox, 159) == []
    (study,) = complete(inbox, 160)
    assert study.completion == "interrupted"
    inbox.studies.finish(*inbox.studies.queued()[0])
    store(inbox, mr(), at=200)
    (study,) = complete(inbox, 206)
    assert study.completion == "evidence", "what ended the first generation does not stay"


@pytest.mark.parametrize(("caller", "times"), [("MRI1", [0, 1]), ("MRI2", [0, 0])])
def test_only_whoever_broke_off_makes_it_good(inbox: Inbox, caller: str, times: list[int]) -> None:
    for title, is_released in ("MRI1", False), (caller, True):
        sender = inbox.senders.begin(title)
        store(inbox, mr(), at=100)
        sender.sends(KEY)
        sender.end(is_released)
        assert len(complete(inbox, 110)) == times.pop(0)


def test_an_open_association_of_a_process_that_died_has_broken_off(
    inbox: Inbox, engine: sa.Engine, tmp_path: Path
) -> None:
    store(inbox, mr(), at=100)
    dead = tmp_path / "incoming" / "dead"
    dead.mkdir()
    (dead / "lock").touch()
    other = Senders(engine, dead.name)
    other.begin("MRI1").sends(KEY)
    assert other.write()
    assert complete(inbox, 110) == []
    inbox.rebuild()
    (study,) = complete(inbox, 160)
    assert study.completion == "interrupted"


def test_the_rows_of_associations_that_were_released_at_once_are_never_written(
    inbox: Inbox, engine: sa.Engine
) -> None:
    for _ in range(3):
        sender = inbox.senders.begin("MRI1")
        sender.sends(KEY)
        sender.end(is_released=True)
    inbox.flush()
    assert rows(engine, senders) == []


def test_each_study_is_handed_out_once(inbox: Inbox) -> None:
    store(inbox, mr(), at=100)
    store(inbox, mr(StudyInstanceUID="1.2.3"), at=100)
    assert len(complete(inbox, 200)) == 2
    assert complete(inbox, 300) == []
    assert len(inbox.studies.queued()) == 2
    assert {inbox.studies.study(*one).study_instance_uid for one in inbox.studies.queued()} == {
        STUDY,
        "1.2.3",
    }


def test_evidence_is_asked_for_only_when_there_is_news(inbox: Inbox) -> None:
    evidence = Evidence(enough=3)
    store(inbox, mr(SeriesInstanceUID="1.2.1"), at=100)
    for now in (101, 105, 106, 107):
        assert inbox.complete(now, RULE, evidence) == []
    assert evidence.asked == 1
    store(inbox, mr(SeriesInstanceUID="1.2.2"), at=108)
    store(inbox, mr(SeriesInstanceUID="1.2.3"), at=109)
    inbox.complete(110, RULE, evidence)
    assert evidence.asked == 1
    assert len(inbox.complete(114, RULE, evidence)) == 1
    assert evidence.asked == 2


def test_evidence_is_one_image_a_series(inbox: Inbox) -> None:
    evidence = Evidence(enough=2)
    for _ in range(3):
        store(inbox, mr(SeriesInstanceUID="1.2.1"), at=100)
    assert inbox.complete(107, RULE, evidence) == []
    assert evidence.asked == 1


def test_unreadable_evidence_is_none(inbox: Inbox) -> None:
    def broken(paths: Sequence[Path]) -> bool:
        raise NotAnalysable("EchoTime is missing")

    store(inbox, mr(), at=100)
    assert inbox.complete(110, RULE, broken) == []
    assert len(inbox.complete(160, RULE, broken)) == 1


def test_late_images_make_another_generation_of_all(inbox: Inbox) -> None:
    store(inbox, mr(), at=100)
    (first,) = complete(inbox, 110)
    inbox.studies.finish(KEY, 1)
    store(inbox, mr(), at=500)
    (second,) = complete(inbox, 510)
    assert (second.generation, len(second.paths), second.last_instance_at) == (2, 2, 500)
    assert inbox.studies.study(KEY, 1) == first
    assert inbox.studies.study(KEY, 2) == second
    inbox.studies.finish(KEY, 2)
    assert inbox.studies.queued() == []
    assert complete(inbox, 9999) == []


def test_images_that_come_while_it_is_queued_wait_for_its_end(inbox: Inbox) -> None:
    store(inbox, mr(), at=100)
    complete(inbox, 110)
    store(inbox, mr(), at=111)
    assert complete(inbox, 200) == []
    inbox.studies.finish(KEY, 1)
    (study,) = complete(inbox, 200)
    assert (study.generation, study.last_instance_at, len(study.paths)) == (2, 111, 2)


def test_the_cap_counts_from_the_first_late_image(inbox: Inbox) -> None:
    store(inbox, mr(), at=100)
    complete(inbox, 110)
    inbox.studies.finish(KEY, 1)
    for at in range(5000, 6801, 50):
        store(inbox, mr(), at=at)
    assert complete(inbox, 6799, enough=99) == []
    (study,) = complete(inbox, 6800, enough=99)
    assert study.completion == "cap"


@pytest.mark.parametrize("companion", [SR, RawDataStorage])
def test_companions_alone_never_begin_an_analysis(inbox: Inbox, companion: str) -> None:
    store(inbox, mr(SOPClassUID=companion), at=50)
    assert complete(inbox, 9999) == []
    store(inbox, mr(), at=10000)
    (study,) = complete(inbox, 10010)
    assert len(study.paths) == 2
    inbox.studies.finish(KEY, 1)
    store(inbox, mr(SOPClassUID=companion), at=10020)
    assert complete(inbox, 99999) == []


def test_a_duplicate_begins_nothing(inbox: Inbox) -> None:
    image = mr()
    store(inbox, image, at=100)
    complete(inbox, 110)
    inbox.studies.finish(KEY, 1)
    assert store(inbox, image, at=200) == "duplicate"
    assert complete(inbox, 9999) == []


def test_a_conflict_begins_nothing_and_is_not_analysed(inbox: Inbox) -> None:
    store(inbox, mr(SOPInstanceUID="1.2.3"), at=100)
    store(inbox, mr(SOPInstanceUID="1.2.3", Rows=9), at=101)
    (study,) = complete(inbox, 110)
    assert len(study.paths) == 1
    assert study.conflicts == 1
    inbox.studies.finish(KEY, 1)
    store(inbox, mr(SOPInstanceUID="1.2.3", Rows=10), at=200)
    assert complete(inbox, 9999) == []
    assert inbox.studies.study(KEY, 1).conflicts == 1, "what came since is not this generation's"


def test_finishing_twice_or_another_generation_changes_nothing(inbox: Inbox) -> None:
    store(inbox, mr(), at=100)
    complete(inbox, 110)
    inbox.studies.finish(KEY, 2)
    assert len(inbox.studies.queued()) == 1
    inbox.studies.finish(KEY, 1)
    store(inbox, mr(), at=200)
    complete(inbox, 210)
    inbox.studies.finish(KEY, 1)
    assert [generation for _, generation in inbox.studies.queued()] == [2]


def test_an_unknown_generation_is_a_lookup_error(inbox: Inbox) -> None:
    with pytest.raises(LookupError, match="generation 1"):
        inbox.studies.study(KEY, 1)


def result(inbox: Inbox, generation: int, outcome: str) -> None:
    """Note a result and finish its generation, as the flow does."""
    values = {"study_key": KEY, "generation": generation, "outcome": outcome}
    values |= {"model_digest": "", "created_at": 0.0, "folder": ""}
    with inbox.engine.begin() as connection:
        connection.execute(results.insert(), values)
    inbox.studies.finish(KEY, generation)


def contents(study: Study) -> list[int]:
    """Bytes of pixels of each image, which tell the contents apart."""
    return [len(pydicom.dcmread(path).PixelData) for path in study.paths]


@pytest.mark.parametrize("when", ["before", "queued", "done"])
def test_a_study_cut_off_and_sent_again_whole_is_analysed(
    inbox: Inbox, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    uids = ["1.2.3", "1.2.4"]

    def again() -> None:
        for uid in uids:
            assert store(inbox, mr(SOPInstanceUID=uid), at=103) == "stored"

    for uid in uids:
        store(inbox, mr(SOPInstanceUID=uid, PixelData=bytes(40)), at=100)
    if when == "before":
        again()
    (first,) = complete(inbox, 110)
    assert contents(first) == [40, 40]
    if when == "queued":
        again()
        assert complete(inbox, 999) == []
    result(inbox, 1, "not_analysed")
    if when == "done":
        again()
    (second,) = complete(inbox, 999)
    assert (second.generation, contents(second)) == (2, [128, 128])
    assert "other content under a known UID" in caplog.text
    assert "1.2.3" not in caplog.text
    assert inbox.studies.study(KEY, 1).key == KEY, "its result may still be on the way"
    result(inbox, 2, "not_analysed")
    assert complete(inbox, 9999) == [], "the contents that lost do not come again"


def test_a_good_result_stands_whatever_is_sent_again(inbox: Inbox) -> None:
    store(inbox, mr(SOPInstanceUID="1.2.3"), at=100)
    complete(inbox, 110)
    result(inbox, 1, "absent")
    store(inbox, mr(SOPInstanceUID="1.2.3", PixelData=bytes(40)), at=200)
    assert complete(inbox, 9999) == []
    store(inbox, mr(SOPInstanceUID="1.2.4"), at=300)
    (study,) = complete(inbox, 9999)
    assert contents(study) == [128, 128]


def test_a_report_sent_again_otherwise_begins_nothing(inbox: Inbox) -> None:
    store(inbox, mr(), at=100)
    store(inbox, mr(SOPClassUID=SR, SOPInstanceUID="1.2.3"), at=100)
    complete(inbox, 110)
    result(inbox, 1, "not_analysed")
    store(inbox, mr(SOPClassUID=SR, SOPInstanceUID="1.2.3", Rows=9), at=200)
    assert complete(inbox, 9999) == []


def test_classes_accepted_by_configuration_are_only_stored(inbox: Inbox) -> None:
    store(inbox, mr(SOPClassUID=CTImageStorage, Modality="CT"), at=100)
    assert complete(inbox, 9999) == []
    store(inbox, mr(), at=10000)
    (study,) = complete(inbox, 10010)
    assert len(study.paths) == 2, "prepare looks at all and takes MR images alone"


def test_a_study_of_companions_is_no_study_to_wait_for(inbox: Inbox) -> None:
    store(inbox, mr(SOPClassUID=SR), at=100)
    store(inbox, mr(SOPClassUID=SR, StudyInstanceUID="1.2.3"), at=100)
    store(inbox, mr(StudyInstanceUID="1.2.3"), at=100)
    assert complete(inbox, 101) == []
    assert QUEUE_DEPTH.labels("receiving")._value.get() == 1
    assert len(complete(inbox, 110)) == 1
    assert QUEUE_DEPTH.labels("receiving")._value.get() == 0
    assert QUEUE_DEPTH.labels("queued")._value.get() == 1


def test_a_clock_set_back_does_not_make_a_study_rest(inbox: Inbox) -> None:
    store(inbox, mr(), at=5000)
    (study,) = inbox.complete(1000, RULE, Evidence(enough=99))
    assert study.completion == "idle"
