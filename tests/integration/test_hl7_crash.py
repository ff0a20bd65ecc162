"""What was acknowledged to an HL7 v2 sender survives kill -9, and nothing is on record twice.

The long run is `MSNODE_KILLS=20 pytest` with this file; on SQLite and PostgreSQL.
"""

import multiprocessing
import os
import random
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode.store.database import clinical_events, open_database
from msnode.store.hl7_tables import hl7_messages, orders
from tests.hl7_messages import code, exchange, message, msh, order
from tests.integration.crashing import TELLING, Stop
from tests.integration.hl7_host import main

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([main.__module__])
KILLS = int(os.environ.get("MSNODE_KILLS", 4))
SEED = int(os.environ.get("MSNODE_SEED", 1))
POINTS = [f"{when} {name}" for name in TELLING for when in ("before", "after")]
EACH = 6  # messages a round


def feed(number: int) -> bytes:
    """A result or an order of a patient of its own."""
    who = f"PID|1||P{number}^^^CLINIC^MR"
    if number % 3 == 0:
        return order(f"A{number}", placer=f"PL{number}", patient=who)
    obr = f"OBR|1||F{number}|edss^EDSS^99MSNODE|||20240115"
    value = "OBX|1|NM|edss^EDSS^99MSNODE||2.0||||||F|||20240115"
    return message(msh(control=f"C{number}"), who, obr, value)


def send(port: int, numbers: list[int]) -> list[int]:
    """As an interface engine does: in order, until one is not acknowledged."""
    done = []
    for number in numbers:
        try:
            (answer,) = exchange(port, feed(number))
        except (OSError, AssertionError):
            break
        assert code(answer) == "AA"
        done.append(number)
    return done


def run(url: str, folder: Path, stop: Stop | None, numbers: list[int]) -> list[int]:
    """One life of the receiver; returns what was acknowledged in it."""
    ours, its = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=main, args=(url, folder / "log", its, stop))
    process.start()
    its.close()
    try:
        return send(ours.recv(), numbers)
    except EOFError:  # it died before it listened
        return []
    finally:
        process.kill()
        process.join()
        ours.close()


@pytest.mark.timeout(60 + 10 * KILLS)
def test_whoever_is_killed_when_loses_and_doubles_nothing(
    database_url: str, tmp_path: Path
) -> None:
    choose, total = random.Random(SEED), EACH * KILLS
    waiting, acknowledged = list(range(1, total + 1)), set()
    for _ in range(KILLS):
        stop = Stop(choose.choice(POINTS), choose.randrange(1, 3))
        batch = waiting[:EACH]
        done = run(database_url, tmp_path, stop, batch)
        assert len(done) < len(batch), f"it was not killed {stop.point}"
        acknowledged |= set(done)
        waiting = [one for one in waiting if one not in acknowledged]
    acknowledged |= set(run(database_url, tmp_path, None, waiting))
    assert acknowledged == set(range(1, total + 1))
    again = list(range(1, total + 1))
    assert run(database_url, tmp_path, None, again) == again  # the same once more is the same
    database = open_database(database_url)
    with database.connect() as connection:
        kept = connection.scalars(sa.select(hl7_messages.c.control_id)).all()
        events = connection.scalars(sa.select(clinical_events.c.patient_key)).all()
        ordered = connection.scalars(sa.select(orders.c.order_key)).all()
    database.dispose()
    assert len(kept) == total
    assert set(Counter(kept).values()) == {1}
    assert len(ordered) == total // 3
    assert len(events) == len(set(events)) == total - total // 3
