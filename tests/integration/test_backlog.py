"""A long queue (a dead GPU, a backfill) keeps a node neither from living nor from new work.

The cost of a round is told by its queries, which do not grow with the queue.
"""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from msnode.config import Complete, Config
from msnode.engine.durable import Engine
from msnode.receive import Inbox
from msnode.service.upkeep import PAGE, Upkeep
from msnode.store.database import StudyState, instances, open_database, studies
from msnode.store.schema import migrate

MOST_QUERIES = 10
"""In a round with nothing to do but look at a page of the queue."""


def fill(
    database: sa.Engine, count: int, state: StudyState = StudyState.QUEUED, generation: int = 1
) -> None:
    """Studies with an image each; generation 0: it is in none yet."""
    study = {
        "patient_key": "",
        "generation": generation,
        "state": state,
        "first_at": 1.0,
        "last_at": 1.0,
        "completion": "idle",
        "stat": False,
    }
    image = {
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.4",
        "transfer_syntax_uid": "1.2.840.10008.1.2",
        "size": 1,
        "sha256": "0" * 64,
        "calling_ae_title": "CT",
        "received_at": 1.0,
        "generation": generation or None,
        "conflict": False,
    }
    keys = [f"{number:016x}" for number in range(count)]
    with database.begin() as connection:
        connection.execute(
            studies.insert(), [{**study, "study_key": k, "study_instance_uid": k} for k in keys]
        )
        connection.execute(
            instances.insert(),
            [
                {
                    **image,
                    "study_key": k,
                    "series_instance_uid": k,
                    "sop_instance_uid": k,
                    "path": f"instances/{k}/a.dcm",
                }
                for k in keys
            ],
        )


class CountingEngine:
    """Jobs in memory: every study but the last page's half has one already."""

    is_alone = True

    def __init__(self, known: int) -> None:
        self.known = {f"{number:016x}" for number in range(known)}
        self.asked = 0

    def unworked(
        self, generations: Sequence[tuple[str, int]]
    ) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        self.asked += 1
        return [one for one in generations if one[0] not in self.known], []

    def submit(self, key: str, *_: object, **__: object) -> None:
        self.known.add(key)


@pytest.mark.parametrize("count", [5000, 50000])
def test_a_round_costs_the_same_however_long_the_queue_is(tmp_path: Path, count: int) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    fill(database, count)
    inbox = Inbox(database, tmp_path)
    nothing: Any = SimpleNamespace()
    engine: Any = CountingEngine(count - PAGE // 2)
    upkeep = Upkeep(Config(), inbox, engine, nothing, nothing)
    queries: list[str] = []
    sa.event.listen(database, "before_cursor_execute", lambda *told: queries.append(told[2]))
    for _ in range(count // PAGE - 1):
        queries.clear()
        assert upkeep._submit_queued(), "there is more"
        upkeep._take_complete()
        assert len(queries) <= MOST_QUERIES
    assert len(engine.known) == count - PAGE // 2
    upkeep._submit_queued()
    assert len(engine.known) == count, "what a crash kept from being submitted"
    inbox.close()
    database.dispose()


def test_a_look_for_complete_studies_costs_the_same_however_many_wait(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    fill(database, 500, StudyState.RECEIVING, generation=0)
    inbox = Inbox(database, tmp_path)
    queries: list[str] = []
    sa.event.listen(database, "before_cursor_execute", lambda *told: queries.append(told[2]))
    rule = Complete(quiet_s=5, idle_s=3600, cap_s=3600)
    asked = []

    def has_wanted(paths: Sequence[Path]) -> bool:
        asked.append(paths)
        return False

    for _ in range(2):  # the first look reads a header of each study
        queries.clear()
        assert inbox.complete(10.0, rule, has_wanted) == []
    assert len(asked) == 500
    assert len(queries) <= MOST_QUERIES
    inbox.close()
    database.dispose()


def test_a_look_for_complete_studies_waits_for_no_writer_and_holds_up_none(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    fill(database, 1, StudyState.RECEIVING, generation=0)
    inbox = Inbox(database, tmp_path)
    rule = Complete(quiet_s=5, idle_s=3600, cap_s=3600)
    with database.begin():  # as a receiver that writes rows
        assert inbox.complete(10.0, rule, lambda _: False) == []
    inbox.close()
    database.dispose()


def test_the_engine_tells_what_nobody_works_on(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    flow: Any = SimpleNamespace(
        destinations={}, prepare=None, classify=None, report=None, deliver=None, fail=None,
        finish=None,
    )  # fmt: skip
    engine = Engine(database, "host", flow)
    engine.launch()
    engine.submit("a" * 16, 1)
    queue = [("a" * 16, 1), ("b" * 16, 1)]
    assert engine.unworked(queue)[0] == [("b" * 16, 1)]
    assert engine.unworked([]) == ([], [])
    engine.stop()
    database.dispose()
