"""How much CPU time a command takes until it has said what it says: the weight of its imports.

    python bench/commands.py

Each command runs five times, each in a process of its own; the figures are of the operating system.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

RUNS = 5
COMMANDS = (
    ("--version",),
    ("--help",),
    ("check", "--config", "typo.yaml"),
    ("jobs", "list", "--config", "good.yaml"),
    ("echo", "PACS@127.0.0.1:1"),
)


def cpu_s(arguments: tuple[str, ...], folder: Path) -> float:
    """User and system seconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "msnode", *arguments]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Print the table."""
    table = Table("command", "CPU s, median", "least", "most")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "typo.yaml").write_text("recieve: {}\n")
        (folder / "good.yaml").write_text("data: data\n")
        for arguments in COMMANDS:
            cpu_s(arguments, folder)
            found = [cpu_s(arguments, folder) for _ in range(RUNS)]
            cells = (statistics.median(found), min(found), max(found))
            table.add_row(" ".join(arguments), *(f"{cell:.2f}" for cell in cells))
    table.caption = f"{RUNS} runs each, {os.cpu_count()} processors"
    Console().print(table)


if __name__ == "__main__":
    main()
