"""Two workers do twice the work of one, where the work is not this machine's CPU."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from msnode.engine.jobs import OPEN, Jobs
from msnode.store.database import open_database
from tests.acceptance.peers import wait
from tests.integration.waiting_host import WAIT_S

HOST = Path(__file__).with_name("waiting_host.py")
STUDIES = 8
AT_ONCE = 2  # studies a worker


@contextmanager
def worker(url: str, name: str) -> Iterator[subprocess.Popen[str]]:
    """A worker of its own, ready."""
    process = subprocess.Popen(
        [sys.executable, str(HOST), url, name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def seconds(url: str, workers: int) -> float:
    """For all studies."""
    database = open_database(url)
    with ExitStack() as stack:
        stack.callback(database.dispose)
        running = [stack.enter_context(worker(url, f"host-{n}")) for n in range(workers)]
        jobs = Jobs(database)
        start = time.monotonic()
        assert running[0].stdin is not None
        running[0].stdin.write(f"{STUDIES}\n")
        running[0].stdin.flush()
        wait(lambda: len(jobs.list(("done",))) == 2 * STUDIES, 120, "all studies and deliveries")
        took = time.monotonic() - start
        assert not jobs.list(OPEN)
        for job in jobs.list(("done",)):
            jobs.forget(job.study)
    return took


@pytest.mark.long
def test_two_workers_do_twice_the_work_of_one(postgresql_url: str) -> None:
    one, two = seconds(postgresql_url, 1), seconds(postgresql_url, 2)
    print(f"one worker {one:.1f} s, two workers {two:.1f} s, ratio {one / two:.2f}")
    assert one >= STUDIES * WAIT_S / AT_ONCE, "it did not work as it says"
    assert one / two >= 1.8
