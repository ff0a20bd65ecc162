"""How often the engine looks at its queues."""

import time

import pytest

from msnode.engine import durable
from msnode.engine.durable import IDLE_S, POLL_S, Engine


def test_it_looks_often_while_studies_are_under_way_and_a_while_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[float] = []

    def look_every(engine: Engine, seconds: float) -> None:
        told.append(seconds)
        engine._poll_s = seconds

    now = [1000.0]
    monkeypatch.setattr(Engine, "_look_every", look_every)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    engine = object.__new__(Engine)
    engine._poll_s, engine._idle_from = POLL_S, 0.0
    assert engine.pace(False)
    assert told == [IDLE_S]
    assert not engine.pace(True)
    assert not engine.pace(True)
    assert told == [IDLE_S, POLL_S], "said once"
    assert not engine.pace(False)
    assert told == [IDLE_S, POLL_S], "its results are still to be sent"
    now[0] += durable.LINGER_S + 1
    assert engine.pace(False), "it has come to rest"
    assert not engine.pace(False)
    assert told == [IDLE_S, POLL_S, IDLE_S]
