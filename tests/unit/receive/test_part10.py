"""Files as they are written while the bytes come in."""

import errno
import os
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, MRImageStorage

from msnode.receive.dicom.dimse_status import StoreRefused
from msnode.receive.inbox.part10 import HEAD, Spool, file_meta, read_arrival
from tests.unit.receive.datasets import digest, encode, mr, raw_element

META = file_meta(MRImageStorage, "1.2.3", ExplicitVRLittleEndian, "MRI1")


@pytest.mark.parametrize("size", [1, 7, 16_384, 1 << 20])
def test_a_file_of_fragments_of_any_size_is_part_10(tmp_path: Path, size: int) -> None:
    dataset = mr(SOPInstanceUID="1.2.3")
    encoded = memoryview(encode(dataset))
    path = tmp_path / "0.part"
    spool = Spool(path, META, 1 << 20)
    for start in range(0, len(encoded), size):
        spool.write(encoded[start : start + size])
    read = pydicom.dcmread(path)
    assert read == dataset
    assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert spool.size == path.stat().st_size
    assert spool.sha256 == digest(dataset)
    assert spool.header(ExplicitVRLittleEndian).sop_instance_uid == "1.2.3"
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_read_back_as_it_arrived(tmp_path: Path) -> None:
    dataset = mr(SOPInstanceUID="1.2.3", PatientID="4711")
    path = tmp_path / "a.dcm"
    path.write_bytes(META + encode(dataset))
    arrival = read_arrival(path, b"0" * 32)
    assert arrival.sha256 == digest(dataset)
    assert arrival.calling_ae_title == "MRI1"
    assert arrival.transfer_syntax_uid == ExplicitVRLittleEndian
    assert arrival.header.sop_class_uid == MRImageStorage


def test_a_header_longer_than_its_head_is_read_from_the_file(tmp_path: Path) -> None:
    encoded = encode(mr(SOPInstanceUID="1.2.3"))
    at = encoded.index(b"\x20\x00\x0d\x00")
    filling = raw_element(0x19, 0x1010, b"LO", b"x" * 60_000) * 3
    spool = Spool(tmp_path / "0.part", META, 1 << 20)
    spool.write(memoryview(encoded[:at] + filling + encoded[at:]))
    assert at + len(filling) > HEAD
    assert spool.header(ExplicitVRLittleEndian).sop_instance_uid == "1.2.3"
    spool.close()


def test_too_large_an_instance_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "0.part", META, 100)
    spool.write(memoryview(bytes(100)))
    with pytest.raises(StoreRefused, match="max_instance_bytes") as refused:
        spool.write(memoryview(b"x"))
    spool.close()
    assert refused.value.status == 0xA700


@pytest.mark.parametrize("content", [b"", b"no DICOM at all", META[:140], META])
def test_what_is_no_instance_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    with pytest.raises(StoreRefused):
        read_arrival(path, b"0" * 32)


def test_wherever_a_file_is_cut_off_it_is_refused_or_betrays_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    whole = META + encode(mr(SOPInstanceUID="1.2.3"))
    path.write_bytes(whole)
    place = read_arrival(path, b"0" * 32).place
    refused = 0
    for size in reversed(range(len(whole))):
        os.truncate(path, size)
        try:
            assert read_arrival(path, b"0" * 32).place != place, size
        except StoreRefused:
            refused += 1
    assert refused > len(META)


def test_what_the_disk_did_not_take_gets_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    spool = Spool(tmp_path / "0.part", META, 1 << 20)
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        spool.link(tmp_path / "a.dcm")
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_same_name_that_was_cut_off_is_made_whole(tmp_path: Path) -> None:
    place = tmp_path / "a.dcm"
    place.write_bytes(META[:100])  # another host lost its power, this one runs on
    spool = Spool(tmp_path / "0.part", META, 1 << 20)
    spool.write(memoryview(b"dataset"))
    assert not spool.link(place)
    spool.close()
    assert place.read_bytes() == META + b"dataset"
    assert list(tmp_path.iterdir()) == [place]


def test_pixels_far_behind_the_head_are_looked_at_too(tmp_path: Path) -> None:
    encoded = encode(mr())
    at = encoded.index(b"\x28\x00\x02\x00")
    filling = raw_element(0x19, 0x1010, b"LO", b"x" * 60_000) * 3
    spool = Spool(tmp_path / "0.part", META, 1 << 20)
    spool.write(memoryview(encoded[:at] + filling + encoded[at:]))
    assert not spool.has_other_pixels(ExplicitVRLittleEndian)
    assert spool.has_other_pixels(JPEG2000Lossless)
    spool.close()
