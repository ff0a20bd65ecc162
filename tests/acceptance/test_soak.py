"""Two minutes of the soak: `make soak MINUTES=30` is the real one."""

from pathlib import Path

import pytest

from tests.soak.__main__ import soak

SEED = 2
"""Its first faults: a node killed, the database restarted, the disk full, the PACS killed."""


@pytest.mark.long
@pytest.mark.timeout(900)
def test_nothing_is_lost_or_doubled_whatever_breaks(tmp_path: Path) -> None:
    account, _ = soak(tmp_path, minutes=1.6, seed=SEED, calm_s=(4.0, 8.0))
    assert account.problems == {}
    assert account.figures["results"] > 0
