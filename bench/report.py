"""How long and how much memory the result objects take: ``python bench/report.py``.

Each case runs in a process of its own on one core; the objects go to a temporary folder, fsynced.
Limits of the project: standard 0.5 s for 24 slices and 2 s for 200, full twice that, 300 MB.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TITLE = "slices   profile objects     MB  seconds  cpu s  RAM MB"
CASES = [(24, "minimal"), (24, "standard"), (24, "full"), (200, "standard"), (200, "full")]


def main() -> None:
    """Run every case and print the table."""
    print(TITLE)
    for count, profile in CASES:
        done = subprocess.run(
            [sys.executable, __file__, str(count), profile],
            check=True, capture_output=True, text=True, timeout=300,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        print(done.stdout, end="")


def measure(count: int, profile: str) -> None:
    """Write one profile three times; print the fastest and what memory it took on top."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from msnode import report
    from msnode.config import Describe
    from tests import reports

    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        source.mkdir()
        made = reports.synthetic(source, count)
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        before = _kilobytes("VmRSS")
        best, cpu = float("inf"), float("inf")
        for _ in range(3):
            start, busy = time.perf_counter(), time.process_time()
            paths = report.write(made, Describe(), profile, Path(name) / "out")
            best = min(best, time.perf_counter() - start)
            cpu = min(cpu, time.process_time() - busy)
        size = sum(path.stat().st_size for path in paths) / 1e6
        ram = (_kilobytes("VmHWM") - before) / 1024
    print(f"{count:6} {profile:>9} {len(paths):7} {size:6.1f} {best:8.2f} {cpu:6.2f} {ram:7.0f}")


def _kilobytes(field: str) -> int:
    """A line of /proc/self/status (proc(5))."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith(field)).split()[1])


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(int(sys.argv[1]), sys.argv[2])
    else:
        main()
