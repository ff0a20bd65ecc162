"""Upkeep: one task that fails keeps no other from being done."""

import errno
import logging
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from msnode import metrics
from msnode.config import Config, Hl7, NamedSource, Receive
from msnode.service import Service, node, upkeep
from msnode.service.message_intake import MessageIntake
from msnode.service.periodic import Periodic, Task
from msnode.service.upkeep import Upkeep
from msnode.service.work import Work
from msnode.store.disk_space import Level
from tests.hl7_messages import add_study, order, take


def made(
    sweep: Callable[[], None] = lambda: None,
    beat: Callable[[], None] = lambda: None,
    stopped: Callable[[], Counter[str]] = Counter,
) -> Upkeep:
    """Of a node without studies."""
    engine: Any = SimpleNamespace(sweep=sweep, beat=beat, lost=list, stopped=stopped)
    engine.is_alone, engine.pace = False, lambda _: None
    engine.unworked = lambda _: ([], [])
    studies = SimpleNamespace(queued=lambda *_: [], are_under_way=False)
    inbox: Any = SimpleNamespace(complete=lambda *_: [], rebuild=lambda _: 0, studies=studies)
    inbox.engine = sa.create_engine("sqlite://")
    deliveries = SimpleNamespace(reported=lambda: ())
    expectations = SimpleNamespace(measure=lambda: None)
    flow: Any = SimpleNamespace(
        deliveries=deliveries, has_wanted=lambda _: True, expectations=expectations
    )
    retention: Any = SimpleNamespace(apply=lambda _: [])
    return Upkeep(Config(), inbox, engine, flow, retention)


def failures(task: str) -> float:
    """How often a task has failed so far."""
    return float(metrics.PERIODIC_FAILURES.labels(task)._value.get())


def test_cleaning_that_fails_does_not_stop_the_rest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the watchdog would start the node again and again."""
    tried = []

    def sweep() -> None:
        tried.append(time.monotonic())
        raise KeyError("Doe^Jane")

    monkeypatch.setattr(upkeep, "ROUND_S", 0.01)
    before, running = failures("delete_old"), made(sweep).periodic
    with caplog.at_level(logging.INFO):
        running.start()
        while not tried or running.last_sign < tried[0]:
            time.sleep(0.01)  # the test's own limit of time ends it
        running.stop()
    assert len(tried) == failures("delete_old") - before == 1, "it is tried again a minute later"
    assert running.last_sign > tried[0]
    assert "error=KeyError" in caplog.text
    assert "Doe" not in caplog.text


def test_every_task_has_its_turn_and_its_metric() -> None:
    ran: list[str] = []

    def fail() -> None:
        ran.append("bad")
        raise ValueError

    def more() -> bool:
        ran.append("more")
        return len(ran) < 4

    tasks = (Task("bad", 0.0, fail), Task("more", 3600.0, more), Task("rare", 3600.0, lambda: None))
    running = Periodic(tasks, 60.0)
    before = running.last_sign
    for _ in range(3):
        running.round()
    assert ran == ["bad", "more", "bad", "more", "bad"], "what has more to do comes again at once"
    assert failures("bad") == 3
    assert running.last_sign == before, "something was amiss in every round"
    assert metrics.PERIODIC_SECONDS.labels("rare")._sum.get() >= 0


def test_a_trouble_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    errors = [OSError(errno.ENOSPC, "full"), OSError(errno.ENOSPC, "full"), KeyError("Doe^Jane")]

    def fail() -> None:
        raise errors.pop(0)

    running = Periodic([Task("bad", 0.0, fail)], 60.0)
    before = running.last_sign
    for _ in range(2):
        running.round()
    assert caplog.text.count("a disk is full") == 1
    assert running.last_sign > before, "to be started anew would not help a full disk"
    running.round()
    assert "task bad" in caplog.text
    assert "Doe" not in caplog.text


def test_jobs_that_stopped_are_shown_until_they_are_taken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shown() -> list[float]:
        return [metrics.STOPPED_JOBS.labels(state)._value.get() for state in ("dead", "cancelled")]

    monkeypatch.setattr(upkeep, "COUNT_S", 0.0)
    found = [Counter(), Counter({"dead": 2, "cancelled": 1})]
    running = made(stopped=found.pop).periodic
    running.round()
    assert shown() == [2, 1]
    running.round()
    assert shown() == [0, 0]


def test_a_host_is_alive_however_many_studies_it_looks_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "BEAT_S", 0.01)
    beats = []

    def beat() -> None:
        beats.append(1)
        raise sa.exc.OperationalError("UPDATE", {}, Exception("away"))

    running = made(beat=beat)
    for _ in range(3):
        assert running._has_wanted([Path("image")])
        time.sleep(0.02)
    assert len(beats) == 3


def test_a_listener_that_has_ended_is_unhealthy() -> None:
    node = Service(Config(), work=False)
    listener: Any = SimpleNamespace(is_alive=True)
    node._started, node._listeners = True, [listener]
    assert node._alive() == (True, "receiving")
    listener.is_alive = False
    assert node._alive() == (False, "a listener has ended")


def test_a_failed_device_starves_the_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every later call would fail as well: only a new process can use the device again."""
    service, told = Service(Config(), receive=False), list[str]()
    monkeypatch.setattr(node, "_notify", told.append)
    room: Any = SimpleNamespace(level=lambda: Level.AMPLE)
    runner: Any = SimpleNamespace(is_sound=True, device="cuda")
    service._started, service._room = True, room
    service._periodic = periodic = made().periodic
    service._working = Work(runner, periodic)
    service.watch()
    assert told == ["WATCHDOG=1"]
    runner.is_sound = False
    service.watch()
    assert told == ["WATCHDOG=1"]
    assert service._alive() == (False, "cuda has failed: the node must be started anew")


def test_a_waiting_study_is_hurried_when_its_urgent_order_comes(
    database: sa.Engine, intake: MessageIntake
) -> None:
    hurried: list[tuple[str, int, float]] = []
    engine: Any = SimpleNamespace(hurry=lambda *one: hurried.append(one))
    study = SimpleNamespace(last_instance_at=7.0)
    inbox: Any = SimpleNamespace(engine=database, studies=SimpleNamespace(study=lambda *_: study))
    nothing: Any = None
    config = Config(receive=Receive(hl7=Hl7()))
    upkeep = Upkeep(config, inbox, engine, nothing, nothing)
    key = add_study(database)
    for _ in range(2):  # the same order once more is none
        assert take(intake, order()) == "AA"
        for task in upkeep._tasks():
            if task.name == "hurry_ordered":
                task.run()
    assert hurried == [(key, 1, 7.0)]


@pytest.mark.parametrize(("stat", "waited"), [(False, 120.0), (True, 0.0)])
def test_an_urgent_result_waits_for_no_earlier_study(
    database: sa.Engine, stat: bool, waited: float
) -> None:
    begun: list[dict[str, float]] = []
    submitted: list[float] = []
    study: Any = SimpleNamespace(
        key="a", generation=1, last_instance_at=1.0, stat=stat, completion="evidence"
    )
    searches: Any = SimpleNamespace(
        begin=lambda _, __, waits, **___: begun.append(waits),
        open_of=lambda _: {"pacs": 1},
        holds=lambda _: {"a": begun[0]["pacs"]} if begun[0]["pacs"] else {},
    )
    engine: Any = SimpleNamespace(
        search=lambda *_: None,
        submit=lambda *_, wait_s, **__: submitted.append(wait_s),
    )
    settings = Config(priors=(NamedSource("pacs", "pacs"),))
    kept: Any = SimpleNamespace(engine=database)
    Upkeep(settings, kept, engine, kept, kept, searches)._submit(study)
    assert begun == [{"pacs": waited}]
    assert submitted == [waited]
