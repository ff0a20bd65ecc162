"""How fast clinical events are imported, and with how much memory.

    python bench/twin_import.py [EVENTS…]

Each number of events, twenty a patient, goes into a new SQLite database by `msnode twin import`, in
a process of its own, twice: all new, then all known.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

KINDS = (
    ("edss", "2.5", ""),
    ("relapse", "", ""),
    ("treatment_begun", "interferon beta-1a", ""),
    ("t25fw", "5.4", "s"),
    ("enhancing_lesions", "2", ""),
)


def write(path: Path, events: int) -> None:
    """A file of so many different events."""
    dice = random.Random(0)
    with path.open("w") as file:
        file.write("patient,issuer,date,kind,value,unit,identifier\n")
        for number in range(events):
            day = f"{dice.randrange(2000, 2026)}-{dice.randrange(1, 13):02}-15"
            patient = dice.randrange(max(1, events // 20))
            file.write(f"P{patient},HOSPITAL,{day},{','.join(dice.choice(KINDS))},e{number}\n")


def measured(folder: Path) -> tuple[float, float]:
    """Seconds and peak MiB of one import."""
    command = [sys.executable, "-m", "msnode", "twin", "import", str(folder / "events.csv"),
               "--config", str(folder / "msnode.yaml")]  # fmt: skip
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit("the import failed")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    table = Table("events", "new, s", "MiB", "known, s", "MiB")
    for events in [int(argument) for argument in sys.argv[1:]] or [100_000, 400_000]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "msnode.yaml").write_text(f"data: {folder / 'data'}\n")
            write(folder / "events.csv", events)
            figures = [*measured(folder), *measured(folder)]
        table.add_row(str(events), *(f"{figure:.1f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
