"""Names of what `msnode lesions` writes."""

from pathlib import Path
from typing import cast

import pytest

from msnode.cli.outline_files import Earlier, Scan, _stems


def test_a_mask_is_named_as_its_scan_without_the_ending_only() -> None:
    files = [Path("a/pa.tient.v1.nii.gz"), Path("b/SCAN.NII"), Path("c/x.nii"), Path("d/x.nii.gz")]
    stems = _stems({str(one): (one,) for one in files})
    assert [stems[str(one)] for one in files[:2]] == ["pa.tient.v1", "SCAN"]
    assert len({*stems.values()}) == 4, "two scans of one name are told apart"
    folder = Path("visit.1/IM0001")
    assert _stems({"1.2.3": (folder,)}) == {"1.2.3": "visit.1"}


def test_a_scan_is_not_held_against_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scan = cast(Scan, object())
    earlier = Earlier(scan, frozenset({(tmp_path / "a.nii").resolve()}))
    assert earlier.beside([tmp_path / "b.nii"]) is scan
    assert not caplog.text
    assert earlier.beside([tmp_path / "x" / ".." / "a.nii"]) is None
    assert "a.nii: is the earlier scan itself, and not compared" in caplog.text
