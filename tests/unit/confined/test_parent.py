"""Functions in processes of their own: whatever happens there, the caller goes on."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msnode import metrics
from msnode.config import Decode
from msnode.confined import Confined, parent
from msnode.errors import Crashed, InvalidResult, TryLater, Unforeseen
from tests import hostile


@pytest.fixture
def confined() -> Iterator[Confined]:
    made = Confined(Decode(memory_bytes=2**30, time_s=60.0), ("tests.hostile",))
    made.warm_up()
    yield made
    made.stop()


@pytest.fixture
def impatient(confined: Confined) -> Confined:
    return Confined(Decode(time_s=1.0))


def deaths(function: str, reason: str) -> float:
    return float(metrics.DECODER_DEATHS.labels(function, reason)._value.get())


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def gone(pid: int) -> bool:
    """Whether a process has ended, within a few seconds."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_process_killed_while_the_node_starts_is_started_anew(
    confined: Confined, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    killed: list[int] = []

    def killed_first(process: parent._Process) -> bytes | int:
        if len(killed) < 2 and process._process.pid is not None:
            killed.append(process._process.pid)
            os.kill(killed[-1], signal.SIGTERM)
        return result(process)

    result = parent._Process.result
    monkeypatch.setattr(parent._Process, "result", killed_first)
    confined.warm_up()
    assert len(killed) == 2
    assert caplog.text.count("reading process lost at its start") == 2


def test_result_log_and_counters_come_back(
    confined: Confined, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = metrics.QUARANTINED.labels("test")._value.get()
    assert confined.call(int, hostile.add, 1, 2) == 3
    assert [(r.name, r.levelno, r.message) for r in caplog.records] == [
        ("msnode.test", logging.WARNING, "added 3")
    ]
    assert metrics.QUARANTINED.labels("test")._value.get() == before + 2
    assert "Doe" not in "".join(capfd.readouterr())


def test_each_call_limits_itself(confined: Confined) -> None:
    core, cpu, files = confined.call(list, hostile.limits)
    assert (core, cpu) == (0, 61)
    assert files <= 5  # the standard ones, the answer's pipe, the folder that was listed


@pytest.mark.parametrize(
    ("function", "reason", "told"),
    [
        (hostile.fault, "crashed", "the decoder crashed: SIGSEGV"),
        (hostile.leave, "crashed", "the decoder crashed: exit status 3"),
        (hostile.flood, "crashed", "the decoder crashed: exit status 1"),
        (hostile.hog, "memory", "more than 1 GiB of memory needed"),
    ],
)
def test_a_death_is_told_counted_and_harms_nobody(
    confined: Confined, function: Callable[[], object], reason: str, told: str
) -> None:
    name = function.__name__
    before, memory, began = deaths(name, reason), resident(), time.monotonic()
    with pytest.raises(Crashed) as caught:
        confined.call(str, function)
    assert str(caught.value) == f"the image data could not be decoded ({told})"
    assert deaths(name, reason) == before + 1
    assert time.monotonic() - began < 30
    assert resident() - memory < 100 << 20
    assert confined.call(int, hostile.add, 2, 2) == 4


def test_one_that_loops_is_ended(confined: Confined, impatient: Confined) -> None:
    before, began = deaths("spin", "late"), time.monotonic()
    with pytest.raises(Crashed, match="not done after 1 s"):
        impatient.call(str, hostile.spin)
    assert deaths("spin", "late") == before + 1
    assert time.monotonic() - began < parent.PATIENCE + 3
    assert confined.call(int, hostile.add, 2, 2) == 4


def test_waiting_for_the_processor_is_not_its_fault(
    confined: Confined, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = Confined(Decode(time_s=0.3))
    # of the 1.2 s that it takes others had the processor for 1.1 s
    monkeypatch.setattr(parent, "_waited_s", lambda _: 1.1)
    assert hurried.call(int, hostile.nap, 1.2) == 1
    monkeypatch.setattr(parent, "PATIENCE", 2)
    with pytest.raises(Crashed, match=r"not done after 0\.3 s"):
        hurried.call(int, hostile.nap, 1.2)


def test_how_long_it_waits_for_the_processor() -> None:
    """Two of three that loop on one core wait at any time."""
    core = {min(os.sched_getaffinity(0))}
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        for process in spinning:
            os.sched_setaffinity(process.pid, core)
        time.sleep(1)
        waited = [parent._waited_s(process.pid) for process in spinning]
    finally:
        for process in spinning:
            process.kill()
            process.wait()
    assert sum(waited) > 1
    assert parent._waited_s(0) == 0


def test_one_that_waits_is_ended_with_all_that_it_started(
    impatient: Confined, tmp_path: Path
) -> None:
    with pytest.raises(Crashed, match="not done after 1 s"):
        impatient.call(str, hostile.wait_together, tmp_path / "started")
    for pid in (tmp_path / "started").read_text().split():
        assert gone(int(pid))


def test_errors_come_as_they_were_raised_but_not_what_they_quote(confined: Confined) -> None:
    with pytest.raises(InvalidResult, match="no good"):
        confined.call(str, hostile.refuse)
    with pytest.raises(Unforeseen, match=r"^KeyError at hostile\.py:\d+$"):
        confined.call(str, hostile.stumble)
    with pytest.raises(OSError, match="No space") as caught:
        confined.call(str, hostile.fill_disk)
    assert (caught.value.errno, caught.value.filename) == (28, None)


def test_one_that_the_kernel_takes_gets_another_chance_but_no_third(
    confined: Confined, tmp_path: Path
) -> None:
    assert confined.call(str, hostile.die, signal.SIGKILL, tmp_path / "once") == "alive"
    with pytest.raises(Crashed, match="SIGKILL"):
        confined.call(str, hostile.die, signal.SIGKILL, tmp_path / "never.always")
    assert (tmp_path / "never.always").read_bytes() == b"xx"


def test_a_stop_is_no_crash(confined: Confined, tmp_path: Path) -> None:
    before = deaths("die", "crashed")
    with pytest.raises(TryLater):
        confined.call(str, hostile.die, signal.SIGTERM, tmp_path / "terminated")
    waiting = Confined(Decode(time_s=60))
    threading.Timer(0.3, waiting.stop).start()
    with pytest.raises(TryLater):
        waiting.call(str, hostile.wait, tmp_path / "started")
    with pytest.raises(TryLater):
        waiting.call(int, hostile.add, 1, 1)
    assert deaths("die", "crashed") == before


def test_several_at_a_time(confined: Confined) -> None:
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(confined.call(int, hostile.add, n, n)))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(0, 16, 2))


CALLER = """
from msnode.config import Decode
from msnode.confined import Confined, parent
from tests import hostile
from pathlib import Path
if __name__ == "__main__":
    Confined(Decode()).call(str, hostile.wait, Path("started"))
"""


def test_nothing_outlives_its_caller(tmp_path: Path) -> None:
    """Or two processes would write a study's files at once, when the node is back."""
    script, started = tmp_path / "caller.py", tmp_path / "started"
    script.write_text(CALLER)
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": str(root)}
    caller = subprocess.Popen([sys.executable, script], cwd=tmp_path, env=environment)
    for _ in range(600):
        if started.exists() and started.read_text():
            break
        time.sleep(0.05)
    pid = int(started.read_text())
    caller.kill()
    caller.wait()
    assert gone(pid)
