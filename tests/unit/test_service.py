"""The sweeper: one thing that fails keeps no other from being done."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from msnode import metrics, service
from msnode.config import Config
from msnode.service import Service, Sweeper
from msnode.store.disk_space import Level


def sweeper(
    sweep: Callable[[], None] = lambda: None,
    beat: Callable[[], None] = lambda: None,
    stopped: Callable[[], Counter[str]] = Counter,
) -> Sweeper:
    """Of a node without studies."""
    engine: Any = SimpleNamespace(sweep=sweep, beat=beat, lost=list, stopped=stopped)
    inbox: Any = SimpleNamespace(complete=lambda *_: [], queued=list, rebuild=lambda _: 0)
    deliveries = SimpleNamespace(reported=lambda: ())
    flow: Any = SimpleNamespace(deliveries=deliveries, has_wanted=lambda _: True)
    retention: Any = SimpleNamespace(apply=lambda _: [])
    return Sweeper(Config(), inbox, engine, flow, retention)


def run_for(made: Sweeper, seconds: float) -> None:
    made.start()
    time.sleep(seconds)
    made.stop()


def test_cleaning_that_fails_does_not_stop_the_sweeps(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the watchdog would start the node again and again."""
    tried = []

    def sweep() -> None:
        tried.append(time.monotonic())
        raise KeyError("Doe^Jane")

    monkeypatch.setattr(service, "SWEEP_S", 0.01)
    made = sweeper(sweep)
    with caplog.at_level(logging.INFO):
        run_for(made, 0.5)
    assert len(tried) == 1, "it is tried again a minute later"
    assert made.last_sweep > tried[0]
    assert "error=KeyError" in caplog.text
    assert "Doe" not in caplog.text


def test_jobs_that_stopped_are_shown_until_they_are_taken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shown() -> list[float]:
        return [metrics.STOPPED_JOBS.labels(state)._value.get() for state in ("dead", "cancelled")]

    monkeypatch.setattr(service, "COUNT_S", 0.0)
    found = [Counter(), Counter({"dead": 2, "cancelled": 1})]
    made = sweeper(stopped=found.pop)
    made._sweep()
    assert shown() == [2, 1]
    made._sweep()
    assert shown() == [0, 0]


def test_a_host_is_alive_however_many_studies_it_looks_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "BEAT_S", 0.01)
    beats = []

    def beat() -> None:
        beats.append(1)
        raise sa.exc.OperationalError("UPDATE", {}, Exception("away"))

    made = sweeper(beat=beat)
    for _ in range(3):
        assert made._has_wanted([Path("image")])
        time.sleep(0.02)
    assert len(beats) == 3


def test_a_listener_that_has_ended_is_unhealthy() -> None:
    node = Service(Config(), work=False)
    listener: Any = SimpleNamespace(is_alive=True)
    node._started, node._listener = True, listener
    assert node._alive() == (True, "receiving")
    listener.is_alive = False
    assert node._alive() == (False, "the listener has ended")


def test_a_failed_device_starves_the_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every later call would fail as well: only a new process can use the device again."""
    node, told = Service(Config(), receive=False), list[str]()
    monkeypatch.setattr(service, "_notify", told.append)
    room: Any = SimpleNamespace(level=lambda: Level.AMPLE)
    runner: Any = SimpleNamespace(is_sound=True, device="cuda")
    node._started, node._room, node._runner, node._sweeper = True, room, runner, sweeper()
    node.watch()
    assert told == ["WATCHDOG=1"]
    runner.is_sound = False
    node.watch()
    assert told == ["WATCHDOG=1"]
    assert node._alive() == (False, "cuda has failed: the node must be started anew")
