"""What is kept of a visit: of several generations the latest, whoever writes last."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from msnode.lesions import kept
from msnode.lesions.compare import Compared, Visit
from msnode.lesions.kept import Kept
from msnode.lesions.objects import Found
from msnode.records.lesions import Comparison
from msnode.records.population import Acquisition
from msnode.store.visit_images import visit_folder, visit_images, visit_record

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


def test_the_lesions_of_one_generation_never_meet_the_images_of_another(tmp_path: Path) -> None:
    keep(tmp_path, 1, "20200101")
    known = kept.known(tmp_path, KEY)
    assert known is not None
    keep(tmp_path, 2, "20200101")
    with pytest.raises(FileNotFoundError):
        kept.load(tmp_path, known)


def test_what_a_visit_was_compared_with_is_kept_beside_it_for_the_eye(tmp_path: Path) -> None:
    now = visit(3.0)
    prior = np.linspace(0, 5, 8, dtype=np.float32).reshape(2, 2, 2)
    changes, numbers = np.full((2, 2, 2), 2, np.uint8), np.full((2, 2, 2), 7, np.uint16)
    compared = Compared(Comparison("compared"), (), changes, prior, numbers)
    known = Kept(KEY, "20220101", Acquisition(), 3.0, "d" * 64, np.eye(4), 1.0, (), None)
    kept.keep(tmp_path, 1, known, now, compared)
    folder = visit_folder(tmp_path, KEY, 1)
    record, images = visit_record(folder), visit_images(folder)
    assert record is not None
    assert record.prior_scale is not None
    assert images.prior is not None
    np.testing.assert_allclose(images.prior * record.prior_scale, prior, atol=5 / 65535)
    np.testing.assert_array_equal(images.changes, changes)
    np.testing.assert_array_equal(images.prior_numbers, numbers)
    np.testing.assert_allclose(images.flair * record.scale, now.voxels, rtol=1e-4)


def test_a_visit_of_an_older_version_is_shown_without_an_earlier_scan(tmp_path: Path) -> None:
    keep(tmp_path, 1, "20210101")
    folder = visit_folder(tmp_path, KEY, 1)
    told = json.loads((folder / "visit.json").read_text())
    del told["prior_scale"]
    (folder / "visit.json").write_text(json.dumps(told))
    record, images = visit_record(folder), visit_images(folder)
    assert record is not None
    assert record.prior_scale is None
    assert images.prior is None
    known = kept.known(tmp_path, KEY)
    assert known is not None
    assert kept.load(tmp_path, known).voxels.max() == 2.0


def test_pages_read_visits_and_results_without_pytorch() -> None:
    code = (
        "import sys, msnode.store.visit_images, msnode.report.report_file; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
