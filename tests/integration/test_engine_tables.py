"""The engine's tables do not grow for ever: what ended well is swept out of all of them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from msnode.engine.durable import Engine
from msnode.store.database import metadata, open_database
from msnode.store.schema import migrate

ROOT = Path(__file__).parents[2]
STUDIES = 12


def main(url: str, count: int) -> None:
    """Pass studies through, each with a delivery that fails once; sweep; print what was there."""
    database = open_database(url)
    migrate(database)
    flow: Any = SimpleNamespace(
        destinations={"pacs": None},
        prepare=lambda *_: {"reason": None, "seconds": 0.123},
        classify=lambda *_: {"reason": None, "seconds": 0.123},
        report=lambda *_: "absent",
        deliver=lambda _s, _g, _n, attempt: {
            "delivered": attempt == 2,
            "pause_s": 0.05 if attempt == 1 else None,
        },
        finish=lambda *_: None,
    )
    engine = Engine(database, "host", flow, keep_s=0.0)
    engine.launch()
    engine.sweep()
    empty, size = rows(database), pages(database)
    for number in range(count):
        engine.submit(f"{number:016x}", 1)
    time.sleep(0.5)
    while engine.unsettled():
        time.sleep(0.1)
    full, grown = rows(database), pages(database)
    time.sleep(0.01)
    engine.sweep()
    swept = rows(database)
    print(json.dumps({"empty": empty, "full": full, "swept": swept, "bytes": grown - size}))
    sys.stdout.flush()
    os._exit(0)


def rows(database: sa.Engine) -> dict[str, int]:
    """Rows of each table of the engine."""
    look = sa.inspect(database)
    schema = None if database.dialect.name == "sqlite" else "dbos"
    names = set(look.get_table_names(schema=schema)) - {*metadata.tables, "alembic_version"}
    with database.connect() as connection:
        return {
            name: connection.scalar(
                sa.select(sa.func.count()).select_from(sa.table(name, schema=schema))
            )
            or 0
            for name in sorted(names)
        }


def pages(database: sa.Engine) -> int:
    """Bytes in use, with indices; 0 on PostgreSQL."""
    if database.dialect.name != "sqlite":
        return 0
    with database.connect() as connection:
        used, free, size = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0)
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (used - free) * size


def test_nothing_is_left_of_what_ended_well(database_url: str) -> None:
    command = [sys.executable, "-m", "tests.integration.test_engine_tables", database_url]
    done = subprocess.run(
        [*command, str(STUDIES)], timeout=120, check=True, cwd=ROOT, capture_output=True
    )
    found = json.loads(done.stdout)
    grown = {name: n - found["empty"][name] for name, n in found["full"].items()}
    assert grown["workflow_status"] == 3 * STUDIES, "a study and two attempts to deliver it"
    assert sum(grown.values()) >= 10 * STUDIES
    assert found["swept"] == found["empty"]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
