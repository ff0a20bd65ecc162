"""The command line is light: a command imports only what it uses.

Seconds are measured by bench/commands.py; here stands what makes them.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "torchvision", "highdicom", "dbos", "alembic", "pynetdicom", "pydicom", "numpy",
         "scipy", "sqlalchemy", "rich", "cattrs", "yaml"}  # fmt: skip
LIGHT = {"cattrs", "yaml"}
"""What reads a configuration."""

SCRIPT = """
import json, sys
from msnode.cli.main import main
try:
    main(sys.argv[1:], standalone_mode=False)
except BaseException as error:
    print(type(error).__name__, file=sys.stderr)
print("LOADED " + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--version"], set()),
        (["--help"], LIGHT | {"rich"}),
        (["train", "--help"], LIGHT | {"rich"}),
        (["check", "--config", "typo.yaml"], LIGHT),
        (["serve", "--config", "typo.yaml"], LIGHT),
        (["jobs", "list", "--config", "typo.yaml"], LIGHT | {"dbos", "sqlalchemy", "rich"}),
        (["jobs", "list", "--config", "good.yaml"], LIGHT | {"dbos", "sqlalchemy", "rich"}),
        (["echo", "PACS@127.0.0.1:1"], LIGHT | {"pynetdicom", "pydicom", "numpy", "rich"}),
        (["forget", "1.2.3", "--config", "typo.yaml"],
         HEAVY - {"torch", "torchvision", "highdicom", "scipy"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_command_imports_only_what_it_uses(
    arguments: list[str], allowed: set[str], tmp_path: Path
) -> None:
    (tmp_path / "typo.yaml").write_text("recieve: {}\n")
    (tmp_path / "good.yaml").write_text(f"data: {tmp_path / 'data'}\n")
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    told = next(line for line in done.stdout.splitlines() if line.startswith("LOADED "))
    loaded = set(json.loads(told.removeprefix("LOADED ")))
    assert loaded & HEAVY <= allowed
