"""An import of clinical events that is killed loses and doubles nothing; on both databases."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from msnode.store.database import clinical_events, open_database
from msnode.store.schema import migrate

ROWS = 24_000
ALL = sa.select(clinical_events.c.patient_key, clinical_events.c.identity, clinical_events.c.line)


def command(folder: Path, url: str) -> list[str]:
    """The import of a file of many patients, as a shell would run it."""
    text = [f"{n % 500},2020-01-01,edss,{n % 18 / 2 + 1},note {n}\n" for n in range(ROWS)]
    (folder / "events.csv").write_text("patient,date,kind,value,note\n" + "".join(text))
    database = f"database: {url}\nname: a\n" if url.startswith("postgresql") else ""
    (folder / "msnode.yaml").write_text(f"data: {folder}\n{database}")
    file, config = str(folder / "events.csv"), str(folder / "msnode.yaml")
    return [sys.executable, "-m", "msnode", "twin", "import", file, "--config", config]


def count(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(clinical_events)) or 0


def kill_when(process: "subprocess.Popen[str]", is_time: Callable[[], bool]) -> None:
    while not is_time() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()


def test_a_killed_import_is_repeated_and_nothing_is_lost_or_doubled(
    database_url: str, tmp_path: Path
) -> None:
    engine = open_database(database_url)
    migrate(engine)
    importing = command(tmp_path, database_url)
    before, kills = 0, 0
    while kills < 2:
        process = subprocess.Popen(importing, stdout=subprocess.PIPE, text=True)
        started = before
        kill_when(process, lambda: count(engine) > started)  # noqa: B023 - called at once
        assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
        before, kills = count(engine), kills + 1
        assert started < before < ROWS
    done = subprocess.run(importing, capture_output=True, text=True, check=True)
    assert f"{ROWS - before} event(s) added, {before} known before, 0 refused" in done.stdout
    with engine.connect() as connection:
        rows = connection.execute(ALL).all()
    assert sorted(row.line for row in rows) == list(range(2, ROWS + 2))
    again = subprocess.run(importing, capture_output=True, text=True, check=True)
    assert f"0 event(s) added, {ROWS} known before" in again.stdout
    assert count(engine) == ROWS
    engine.dispose()


def test_two_imports_at_once_add_each_event_once(database_url: str, tmp_path: Path) -> None:
    engine = open_database(database_url)
    migrate(engine)
    importing = command(tmp_path, database_url)
    both = [subprocess.Popen(importing, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(int(text.split()[0]) for text in said) == ROWS
    assert count(engine) == ROWS
    engine.dispose()
