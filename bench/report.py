"""How long and how much memory the result objects take: ``python bench/report.py``.

Each case runs in a process of its own on one core; the objects go to a temporary folder, fsynced,
so that the seconds depend on the disk and on whoever else is at work, the CPU seconds do not.
Limits of the project: standard 0.5 s for 24 slices and 2 s for 200, full twice that, 300 MB.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from bench.processes import processor

ROOT = Path(__file__).resolve().parents[1]
TITLE = (
    "slices   profile        overlay         transfer syntax objects     MB  seconds  cpu s  RAM MB"
)
PLAIN = ("single-frame", "ExplicitVRLittleEndian")
CASES = [
    (24, "minimal", *PLAIN),
    (24, "standard", *PLAIN),
    (24, "full", *PLAIN),
    (200, "standard", *PLAIN),
    (200, "full", *PLAIN),
    (200, "standard", "multi-frame", "ExplicitVRLittleEndian"),
    (200, "standard", "multi-frame", "RLELossless"),
    (200, "standard", "multi-frame", "JPEGLSLossless"),
    (200, "standard", "multi-frame", "JPEG2000Lossless"),
]


def main() -> None:
    """Run every case and print the table."""
    print(f"{_machine()}; load {os.getloadavg()[0]:.1f}; {date.today()}")
    print(TITLE)
    for case in CASES:
        done = subprocess.run(
            [sys.executable, __file__, *map(str, case)],
            check=True, capture_output=True, text=True, timeout=300,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        print(done.stdout, end="", flush=True)


def _machine() -> str:
    """The processor and the kernel."""
    return f"one core of {os.cpu_count()} x {processor()}, {platform.system()} {platform.release()}"


def measure(count: int, profile: str, overlay: str, syntax: str) -> None:
    """Write one set three times; print the fastest and what memory it took on top."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from msnode import report
    from msnode.config import Describe, Form
    from tests import reports

    form = Form(overlay=overlay, transfer_syntax=syntax)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        source.mkdir()
        made = reports.synthetic(source, count)
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        before = _kilobytes("VmRSS")
        best, cpu = float("inf"), float("inf")
        for _ in range(3):
            start, busy = time.perf_counter(), time.process_time()
            paths = report.write(made, Describe(), profile, Path(name) / "out", form)
            best = min(best, time.perf_counter() - start)
            cpu = min(cpu, time.process_time() - busy)
        size = sum(path.stat().st_size for path in paths) / 1e6
        ram = (_kilobytes("VmHWM") - before) / 1024
    print(
        f"{count:6} {profile:>9} {overlay:>14} {syntax:>23} {len(paths):7} {size:6.1f} "
        f"{best:8.2f} {cpu:6.2f} {ram:7.0f}"
    )


def _kilobytes(field: str) -> int:
    """A line of /proc/self/status (proc(5))."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith(field)).split()[1])


if __name__ == "__main__":
    if len(sys.argv) == 5:
        measure(int(sys.argv[1]), *sys.argv[2:])
    else:
        main()
