"""`msnode check` as a program of its own: it loads the model, and may take a while."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TIME_S = 120.0


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of it.

    Attributes:
        lines: what was looked at, and what is wrong with it or None.
        problem: why there are no more lines; "" where it came to its end.
        late: it was ended after so many seconds; None where it was not.
    """

    lines: tuple[tuple[str, str | None], ...]
    problem: str = ""
    late: float | None = None


def check(config_file: Path, time_s: float = TIME_S) -> Checked:
    """Check a configuration file and whatever it names, peers included.

    Args:
        config_file: as it is on the disk now.
        time_s: it may take so long.
    """
    command = [sys.executable, "-m", "msnode", "check", "--json", "--config", str(config_file)]
    try:
        done = subprocess.run(  # noqa: S603 - ours
            command, capture_output=True, timeout=time_s, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as late:
        return Checked(_lines(late.stdout or b""), late=time_s)
    lines = _lines(done.stdout)
    failed = any(problem is not None for _, problem in lines)
    if done.returncode == 0 or failed:
        return Checked(lines)
    said = done.stderr.decode("utf-8", "replace").strip()
    return Checked(lines, said.removeprefix("Error: ") or f"exit status {done.returncode}")


def _lines(output: bytes) -> tuple[tuple[str, str | None], ...]:
    """Those that are whole."""
    whole = output.decode("utf-8", "replace").splitlines(keepends=True)
    read = (json.loads(line) for line in whole if line.endswith("\n"))
    return tuple((one["name"], one["problem"]) for one in read)
