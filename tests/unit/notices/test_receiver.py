"""Who is told what, and how often."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from msnode.config import Config, Mail, Notices
from msnode.errors import TryLater
from msnode.notices import watch
from msnode.notices.conditions import Conditions, Problem
from msnode.notices.notice import Notice
from msnode.notices.receiver import OVER_S, Receiver, Told

DEAD = Problem("MsnodeDeadLetter", (("destination", "pacs"),), "critical", "Given up", False)
DISK = Problem("MsnodeDiskFilling", (), "warning", "The disk is filling up", True)
CONFIG = Notices(pause_s=900.0, again_s=86400.0)


@dataclass
class Taken:
    """A mail server that takes what it is sent, unless it is away."""

    is_away: bool = False
    notices: list[Notice] = field(default_factory=list)

    def __call__(self, notice: Notice) -> None:
        if self.is_away:
            raise TryLater("mail.example.org: away")
        self.notices.append(notice)


def receiver(taken: Callable[[Notice], None], told: dict[str, Told] | None = None) -> Receiver:
    return Receiver("mail-1", taken, "node", CONFIG, told or {})


def test_a_problem_is_told_once_and_again_after_a_day() -> None:
    taken = Taken()
    one = receiver(taken)
    for now in range(0, 86400, 15):
        one.look([DISK], 1e9 + now)
    assert [notice.new for notice in taken.notices] == [(DISK,)]
    one.look([DISK], 1e9 + 86400)
    assert list(taken.notices[1].still) == [DISK]
    assert taken.notices[1].lines == (
        "warning: The disk is filling up [MsnodeDiskFilling] (still)",
    )


def test_what_happens_in_the_pause_is_collected() -> None:
    taken = Taken()
    one = receiver(taken)
    one.look([DISK], 1e9)
    one.look([DISK, DEAD], 1e9 + 15)
    assert len(taken.notices) == 1
    one.look([DISK], 1e9 + 800)
    one.look([DISK], 1e9 + 901)
    assert taken.notices[1].new == (DEAD,), "it has happened, however long ago"


def test_what_happens_again_is_told_again_after_the_pause() -> None:
    taken = Taken()
    one = receiver(taken)
    for n in range(4):
        one.look([replace(DEAD, total=1.0 + n)], 1e9 + 600 * n)
    assert [notice.new[0].total for notice in taken.notices] == [1, 3]
    one.look([replace(DEAD, total=4.0)], 1e9 + 3000)
    assert [notice.new[0].total for notice in taken.notices] == [1, 3, 4]


def test_a_receiver_that_fails_in_an_unforeseen_way_is_tried_later_too() -> None:
    def broken(_: Notice) -> None:
        raise UnicodeError("secret")

    one = receiver(broken)
    assert not one.look([DEAD], 1e9)
    assert not one.told


def test_a_state_is_over_after_a_while_and_an_event_just_forgotten() -> None:
    taken = Taken()
    one = receiver(taken)
    one.look([DISK, DEAD], 1e9)
    one.look([], 1e9 + OVER_S - 1)
    assert len(taken.notices) == 1
    one.look([], 1e9 + OVER_S)
    assert taken.notices[1].over == ["MsnodeDiskFilling"]
    assert taken.notices[1].subject == "msnode node: all is well again"
    one.look([DEAD], 1e9 + 3 * OVER_S)
    assert taken.notices[2].new == (DEAD,)


def test_what_is_not_taken_is_sent_again_ever_more_rarely() -> None:
    taken = Taken(is_away=True)
    tries = []

    def send(notice: Notice) -> None:
        tries.append(notice)
        taken(notice)

    one = receiver(send)
    for now in range(0, 3600, 15):
        one.look([DEAD] if now < 60 else [], 1e9 + now)
    assert len(tries) == 6, "after 0, 1, 3, 7, 15 and 31 minutes"
    taken.is_away = False
    one.look([], 1e9 + 7200)
    assert taken.notices[0].new == (DEAD,)


def test_a_state_that_was_over_before_anybody_could_be_told_is_not_told() -> None:
    taken = Taken(is_away=True)
    one = receiver(taken)
    one.look([DISK], 1e9)
    taken.is_away = False
    one.look([], 1e9 + 100)
    assert not taken.notices


def test_a_start_ends_nothing_that_it_has_not_had_the_time_to_see() -> None:
    taken = Taken()
    one = receiver(taken, {DISK.key: Told(1e9, 1e9, True)})
    one.look([], 1e9 + 18000)
    one.look([], 1e9 + 18000 + OVER_S - 1)
    assert not taken.notices
    one.look([], 1e9 + 18000 + OVER_S)
    assert taken.notices[0].over == [DISK.key]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    mail = Mail("mail.example.org", ("admin@example.org",), "msnode@example.org")
    return Config(data=tmp_path, notices=Notices(mail=(mail,)))


def test_a_start_tells_nothing_again(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Taken()
    monkeypatch.setattr(watch, "senders", lambda _: {"mail-1": taken})
    monkeypatch.setattr(Conditions, "problems", lambda _self, _now: [DISK])
    watch.Watch(config, "serve").look(1e9)
    watch.Watch(config, "serve").look(1e9 + 2000)
    assert len(taken.notices) == 1
    (config.data / "notices-msnode-serve.json").write_text("{broken")
    watch.Watch(config, "serve").look(1e9 + 4000)
    assert len(taken.notices) == 2, "at worst it is told twice"


def test_nobody_to_tell_needs_no_watch(tmp_path: Path) -> None:
    assert watch.start(Config(data=tmp_path), "serve") is None
