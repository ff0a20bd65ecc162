"""What is kept of a visit: of several generations the latest, whoever writes last."""

from pathlib import Path

import numpy as np

from msnode.lesions import kept
from msnode.lesions.compare import Visit
from msnode.lesions.kept import Kept
from msnode.lesions.objects import Found
from msnode.records.population import Acquisition

KEY = "a" * 16


def visit(brightness: float) -> Visit:
    """A scan of one brightness, without a lesion."""
    shape = (2, 2, 2)
    found = Found(
        np.zeros(shape, np.uint8), np.zeros(shape, np.uint16), np.zeros(shape, np.float32), ()
    )
    return Visit(np.full(shape, brightness, np.float32), np.eye(4), found)


def keep(data: Path, generation: int, date: str) -> None:
    known = Kept(KEY, date, Acquisition(), 3.0, "d" * 64, np.eye(4), 1.0, (), None)
    kept.keep(data, generation, known, visit(float(generation + 1)))


def dated(data: Path) -> str:
    known = kept.known(data, KEY)
    assert known is not None
    return known.study_date


def test_a_later_generation_takes_the_place_of_earlier_ones(tmp_path: Path) -> None:
    keep(tmp_path, 0, "20200101")
    assert dated(tmp_path) == "20200101"
    keep(tmp_path, 1, "20210101")
    assert dated(tmp_path) == "20210101"
    assert [path.name for path in (tmp_path / "visits" / KEY).iterdir()] == ["1"]


def test_what_was_fetched_never_takes_the_place_of_what_was_sent(tmp_path: Path) -> None:
    keep(tmp_path, 2, "20220101")
    keep(tmp_path, 0, "20200101")
    assert dated(tmp_path) == "20220101"
    known = kept.known(tmp_path, KEY)
    assert known is not None
    assert kept.load(tmp_path, known).voxels.max() == 3.0
