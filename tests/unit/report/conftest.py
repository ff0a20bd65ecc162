"""Reports of synthetic heads."""

from collections.abc import Callable
from pathlib import Path

import pytest

from msnode.records.results import Report
from tests import reports


@pytest.fixture
def make_report(tmp_path: Path) -> Callable[..., Report]:
    """A factory of reports: number of slices, decision and probability as wanted."""
    numbers = iter(range(100))

    def make(count: int = 24, **wanted: object) -> Report:
        folder = tmp_path / f"source-{next(numbers)}"
        folder.mkdir()
        return reports.synthetic(folder, count, **wanted)  # type: ignore[arg-type]

    return make
