"""What is known of drift, from a node's rows: not yet, as it was, other, and of a new scanner."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from msnode import metrics
from msnode.cli.main import main
from msnode.config import Drift
from msnode.drift import look
from msnode.drift.look import alpha_of
from msnode.drift.reference import read_reference, reference_of, write_reference
from msnode.drift.state import INPUT, OUTPUT
from msnode.errors import ConfigError
from msnode.service.drift_watch import DriftWatch, show
from msnode.store.evidence_tables import baselines, study_values
from tests.evidence import NOON, One, keep, key, node_in

SETTINGS = Drift(baseline=100, window=50)
OLD, NEW = "SIEMENS Skyra 3.0 T", "PHILIPS Ingenia 1.5 T"
DAY_S = 86400.0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[sa.Engine, Path]]:
    engine, file = node_in(tmp_path)
    file.write_text(f"data: {tmp_path / 'data'}\ndrift: {{baseline: 100, window: 50}}\n")
    yield engine, file
    engine.dispose()


def come(
    node: tuple[sa.Engine, Path], first: int, number: int, scanner: str = OLD, **shift: float
) -> None:
    """Studies that come, ten a day; a shift is in standard deviations."""
    rng = np.random.default_rng(first)
    many = []
    for n in range(first, first + number):
        drawn = dict(zip((*INPUT, *OUTPUT), rng.normal(size=18).tolist(), strict=True))
        told = {name: value + shift.get(name, 0.0) for name, value in drawn.items()}
        many.append(
            One(key(n), "absent", 0.2, at=NOON + n * DAY_S / 10, scanner=scanner, told=told)
        )
    keep(node[0], node[1].parent, many)


def now(number: int) -> float:
    return NOON + number * DAY_S / 10


def test_too_few_studies_are_not_green(node: tuple[sa.Engine, Path]) -> None:
    come(node, 0, 99)
    state = look(node[0], SETTINGS, now=now(99))
    assert [(part.is_known, part.missing, part.baseline) for part in state.parts] == [
        (False, 51, 99)
    ] * 2
    show(state)
    assert metrics.DRIFT_KNOWN.labels("input")._value.get() == 0
    assert next(iter(metrics.DRIFT_ALARM.collect())).samples == [], "no value says that all is well"
    done = report(node)
    assert done.exit_code == 3
    assert "not yet known" in done.output


def test_after_the_baseline_a_whole_block_is_waited_for(node: tuple[sa.Engine, Path]) -> None:
    come(node, 0, 149)
    state = look(node[0], SETTINGS, now=now(149))
    assert [(part.is_known, part.missing) for part in state.parts] == [(False, 1)] * 2
    assert state.input.frozen_at is not None


def report(node: tuple[sa.Engine, Path], *options: str) -> Result:
    return CliRunner().invoke(main, ["drift", "report", "--config", str(node[1]), *options])


def test_what_is_as_it_was_is_known_and_quiet(node: tuple[sa.Engine, Path]) -> None:
    come(node, 0, 160)
    state = look(node[0], SETTINGS, now=now(160))
    assert [(part.is_known, part.drifting, part.next_in) for part in state.parts] == [
        (True, (), 40)
    ] * 2
    assert state.per_day == pytest.approx(10, rel=0.1)
    show(state)
    assert metrics.DRIFT_ALARM.labels("width")._value.get() == 0
    assert report(node).exit_code == 0


def test_a_shift_is_named_and_what_is_as_it_was_is_not(node: tuple[sa.Engine, Path]) -> None:
    come(node, 0, 100)
    come(node, 100, 50, width=1.2, probability=1.2)
    state = look(node[0], SETTINGS, now=now(150))
    assert state.input.drifting == ("width",)
    assert state.output.drifting == ("probability",)
    done = report(node)
    assert done.exit_code == 1
    assert "Input: drift in width." in done.output
    told = json.loads(report(node, "--json").output)
    assert [one["name"] for one in told["input"]["values"] if one["drifts"]] == ["width"]


def test_a_new_scanner_is_told_as_such_and_moves_no_value(node: tuple[sa.Engine, Path]) -> None:
    come(node, 0, 100)
    come(node, 100, 38)
    come(node, 138, 12, NEW, **dict.fromkeys(INPUT, 3.0))
    state = look(node[0], SETTINGS, now=now(150))
    assert state.input.new_scanners == ((NEW, 12),)
    assert state.input.drifting == (), "the known scanner is as it was"
    done = report(node)
    assert done.exit_code == 1
    assert "New scanner, not in the baseline" in done.output


def test_where_all_come_from_a_new_scanner_no_value_is_green(node: tuple[sa.Engine, Path]) -> None:
    come(node, 0, 100)
    come(node, 100, 50, NEW)
    state = look(node[0], SETTINGS, now=now(150))
    assert state.input.new_scanners == ((NEW, 50),)
    assert not state.input.is_known
    assert state.input.missing > 0


def test_the_baseline_is_frozen_and_holds_nobody(node: tuple[sa.Engine, Path]) -> None:
    come(node, 0, 150)
    first = look(node[0], SETTINGS, now=now(150))
    with node[0].begin() as connection:
        told = connection.scalar(sa.select(baselines.c.told).where(baselines.c.studies > 0))
        connection.execute(study_values.delete().where(study_values.c.study_key < key(60)))
    assert told is not None
    values = json.loads(told)["values"][OLD]
    assert all(one == sorted(one) for one in values.values()), "no order tells whose they are"
    assert key(1) not in told
    again = look(node[0], SETTINGS, now=now(150))
    assert again.input.values == first.input.values, "what is forgotten later changes nothing"


def test_who_only_looks_freezes_nothing(node: tuple[sa.Engine, Path]) -> None:
    come(node, 0, 150)
    quiet = look(node[0], SETTINGS, now=now(150), freezes=False)
    with node[0].connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(baselines)) == 0
    assert quiet == look(node[0], SETTINGS, now=now(150))


def test_a_restart_collects_anew_from_then_on(node: tuple[sa.Engine, Path]) -> None:
    come(node, 0, 150)
    look(node[0], SETTINGS, now=now(150))
    done = CliRunner().invoke(main, ["drift", "restart", "--yes", "--config", str(node[1])])
    assert done.exit_code == 0, done.output
    state = look(node[0], SETTINGS, now=now(150))
    assert [(part.baseline, part.is_known) for part in state.parts] == [(0, False)] * 2


def test_the_training_data_are_told_beside(node: tuple[sa.Engine, Path], tmp_path: Path) -> None:
    come(node, 0, 150)
    rng = np.random.default_rng(4)
    measured = [
        dict(zip(INPUT, (rng.normal(size=13) + 2).tolist(), strict=True)) for _ in range(60)
    ]
    path = write_reference(reference_of(measured, 20), tmp_path)
    state = look(node[0], SETTINGS, read_reference(path.parent), now=now(150))
    width = next(one for one in state.input.values if one.name == "width")
    assert width.training_psi is not None
    assert width.training_psi > 0.25
    assert width.outside is not None
    assert width.outside > 0.2
    assert not width.drifts, "another site than the training's is no drift"
    bright = next(one for one in state.input.values if one.name == "brightness")
    assert bright.training_psi is None
    path.write_text("{}")
    with pytest.raises(ConfigError, match="write it again"):
        read_reference(tmp_path)
    DriftWatch(SETTINGS, node[0], tmp_path).measure()  # goes on without
    assert metrics.DRIFT_KNOWN.labels("output")._value.get() == 1
    assert read_reference(tmp_path / "none") is None


def test_the_chance_of_a_block_is_what_a_year_may_have() -> None:
    assert alpha_of(10.0, Drift()) == pytest.approx(0.5 / (10 * 365.25 / 100))
    assert alpha_of(0.5, Drift()) == 0.05
    assert alpha_of(0.0, Drift()) == 0.05
