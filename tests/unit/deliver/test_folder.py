from collections.abc import Callable
from pathlib import Path

import pytest

from msnode.config import Folder
from msnode.deliver.deliveries import deliver
from msnode.records.receipt import Receipt
from msnode.records.uid_hash import uid_hash

SaveDicom = Callable[..., Path]


def test_a_file_arrives_whole_under_its_hashed_uid(save_dicom: SaveDicom, tmp_path: Path) -> None:
    source = save_dicom("2.25.7")
    target = tmp_path / "results" / "incoming"
    receipts = deliver([source], Folder("archive", folder=target), "MSNODE")
    assert receipts == (Receipt("archive", "2.25.7", None, True, 1),)
    assert [path.name for path in target.iterdir()] == [f"{uid_hash('2.25.7')}.dcm"]
    assert (target / f"{uid_hash('2.25.7')}.dcm").read_bytes() == source.read_bytes()


def test_delivering_again_leaves_one_file(save_dicom: SaveDicom, tmp_path: Path) -> None:
    archive = Folder("archive", folder=tmp_path / "out")
    source = save_dicom("2.25.7")
    assert deliver([source], archive, "MSNODE") == deliver([source], archive, "MSNODE")
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_full_disk_leaves_no_part_behind_and_is_tried_again(
    save_dicom: SaveDicom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    archive = Folder("archive", folder=tmp_path / "out")
    (receipt,) = deliver([save_dicom("2.25.7")], archive, "MSNODE")
    assert (receipt.delivered, receipt.retry) == (False, True)
    assert "No space left on device" in receipt.detail
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_tried_again(save_dicom: SaveDicom, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    archive = Folder("archive", folder=tmp_path / "file" / "out")
    (receipt,) = deliver([save_dicom("2.25.7")], archive, "MSNODE")
    assert (receipt.delivered, receipt.retry) == (False, True)


def test_what_is_no_result_is_refused_for_good(tmp_path: Path) -> None:
    (tmp_path / "broken.dcm").write_bytes(b"x")
    archive = Folder("archive", folder=tmp_path / "out")
    (receipt,) = deliver([tmp_path / "broken.dcm"], archive, "MSNODE")
    assert (receipt.delivered, receipt.retry) == (False, False)
