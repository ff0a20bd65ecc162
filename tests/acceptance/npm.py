"""What tests take from npm, in exact versions; a second run finds it there."""

import shutil
import subprocess
from pathlib import Path

from tests.acceptance.peers import tool
from tests.patience import PATIENCE


def npm_install(package_json: Path, folder: Path, name: str) -> None:
    """Put what a package.json names into a folder, once; ``name`` is one of it."""
    if not (folder / "node_modules" / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(package_json, folder)
        npm = [tool("npm", "npm"), "install", "--no-package-lock", "--no-audit", "--no-fund"]
        subprocess.run(npm, cwd=folder, capture_output=True, timeout=300 * PATIENCE, check=True)
