"""Predictions are written once, whoever is killed when, and go when they must; both databases."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode.retention.forget import forget, forget_events
from msnode.store.database import expectations, open_database, results, studies
from msnode.store.schema import migrate
from msnode.twin import Entry, Twin
from msnode.twin.clinical.event_store import add
from msnode.twin.clinical.events import Event, Provenance, Recorded
from msnode.twin.expect.priors import load_priors
from msnode.twin.expectations import Expectations
from msnode.twin.similar import nearest as similar

STUDIES = 40
PATIENT = "0" * 32
SCRIPT = """
import sys
from datetime import date, timedelta
from msnode.store.database import open_database
from msnode.twin import Entry, Twin
from msnode.twin.expect.priors import load_priors
from msnode.twin.expectations import Expectations

made = Expectations(Twin(open_database(sys.argv[1])), load_priors())
for number in range({studies}):
    made.record(f"{{number:016x}}", date(2020, 1, 1) + timedelta(days=number), "n")
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    migrate(engine)
    with engine.begin() as connection:
        for number in range(STUDIES):
            row = {"study_key": f"{number:016x}", "study_instance_uid": f"2.25.{number}",
                   "patient_key": PATIENT, "generation": 1, "state": "done", "first_at": 0.0,
                   "last_at": 0.0}  # fmt: skip
            connection.execute(studies.insert().values(row))
    yield engine
    engine.dispose()


def told(engine: sa.Engine) -> dict[str, tuple[float, str]]:
    with engine.connect() as connection:
        found = connection.execute(sa.select(expectations)).all()
    assert len({row.study_key for row in found}) == len(found)
    return {row.study_key: (row.made_at, row.told) for row in found}


def test_whoever_is_killed_nothing_is_doubled_lost_or_changed(
    engine: sa.Engine, database_url: str
) -> None:
    command = [sys.executable, "-c", SCRIPT.format(studies=STUDIES), database_url]
    before: dict[str, tuple[float, str]] = {}
    for _ in range(2):
        process = subprocess.Popen(command)
        while len(told(engine)) == len(before) and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.wait()
        now = told(engine)
        assert now.items() >= before.items()
        before = now
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(told(engine)) == STUDIES
    assert told(engine).items() >= before.items()


def test_predictions_go_with_a_study_and_with_the_events(engine: sa.Engine, tmp_path: Path) -> None:
    made = Expectations(Twin(engine), load_priors())
    event = Event("edss", date(2019, 1, 1), "4.0")
    for number in (1, 2):
        assert made.record(f"{number:016x}", date(2020, 1, number), "n")
    assert len(told(engine)) == 2
    forget(engine, tmp_path, f"{1:016x}")
    assert told(engine) == {}, "the other one may have been made from it"
    assert made.record(f"{2:016x}", date(2020, 1, 2), "n")
    with engine.begin() as connection:
        add(connection, [Recorded(PATIENT, event, Provenance("csv", "x", 2, 0.0, "somebody"))])
        assert connection.scalar(sa.select(sa.func.count()).select_from(results)) == 0
    assert forget_events(engine, tmp_path, PATIENT) == 1
    assert told(engine) == {}


def test_a_summary_of_all_asks_the_same_of_both_databases(engine: sa.Engine) -> None:
    made = Expectations(Twin(engine), load_priors())
    made.record(f"{3:016x}", date(2020, 1, 3), "n")
    made.measure()
    assert list(made.scored_everywhere()) == []


def test_everybody_is_read_page_by_page(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar, "PAGE", 3)
    twin = Twin(engine)
    with engine.begin() as connection:
        for number in range(STUDIES):
            key = f"{number:016x}"
            other = {"patient_key": f"{number % 8:032x}"}
            connection.execute(studies.update().where(studies.c.study_key == key).values(other))
    for number in range(STUDIES):
        day = f"2020010{number % 9 + 1}"
        key = f"{number:016x}"
        twin.record(
            Entry(key, 1, "present", 0.9, "present", None, "d", 1.0, "f", day, lesion_ml=5.0)
        )
    found = list(similar.everybody(engine))
    assert [key for key, _ in found] == [f"{number:032x}" for number in range(8)]
    assert {len(course.imaging) for _, course in found} == {STUDIES // 8}
