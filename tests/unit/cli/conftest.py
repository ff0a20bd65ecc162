"""A node to run commands on."""

from pathlib import Path

import pytest


@pytest.fixture
def node(tmp_path: Path) -> Path:
    (tmp_path / "msnode.yaml").write_text(f"data: {tmp_path / 'data'}\n")
    return tmp_path
