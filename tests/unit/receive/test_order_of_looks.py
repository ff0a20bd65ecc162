"""In which order studies are looked at, and handed out."""

import time
from collections.abc import Sequence
from pathlib import Path

import pydicom

from msnode.config import Complete
from msnode.receive import Inbox
from tests.unit.receive.datasets import mr, store

RULE = Complete(quiet_s=5, idle_s=60, cap_s=1800)


def test_who_comes_now_is_not_behind_headers_of_a_backlog(inbox: Inbox) -> None:
    """A look ends after a time, and reading a header takes some: so the latest go first."""
    for number in range(3):
        store(inbox, mr(StudyInstanceUID=f"1.2.{number}"), at=100 + number)
    asked: list[str] = []

    def slow(paths: Sequence[Path]) -> bool:
        asked.append(pydicom.dcmread(paths[0]).StudyInstanceUID)
        time.sleep(0.05)
        return True

    def look() -> list[str]:
        while not (taken := inbox.complete(112, RULE, slow, limit_s=0.02)):
            pass  # asking the database took as long
        return [study.study_instance_uid for study in taken]

    assert look() == ["1.2.2"]
    store(inbox, mr(StudyInstanceUID="1.2.9"), at=106)
    assert [look() for _ in range(3)] == [["1.2.9"], ["1.2.1"], ["1.2.0"]]
    assert asked == ["1.2.2", "1.2.9", "1.2.1", "1.2.0"]


def test_what_is_taken_together_is_handed_out_in_the_order_it_came(inbox: Inbox) -> None:
    for uid, at in (("1.2.2", 102), ("1.2.1", 101), ("1.2.3", 103)):
        store(inbox, mr(StudyInstanceUID=uid), at=at)
    assert [one.study_instance_uid for one in inbox.complete(110, RULE, lambda _: True)] == [
        "1.2.1",
        "1.2.2",
        "1.2.3",
    ]
