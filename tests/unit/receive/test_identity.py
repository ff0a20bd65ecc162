"""Reading the identity of a dataset, well-formed or not."""

import struct
import tracemalloc
import warnings
import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from msnode.receive.dicom.dimse_status import StoreRefused
from msnode.receive.inbox.identity import LONGEST, has_other_pixels, is_urgent, read_header
from tests.unit.receive.datasets import STUDY, encode, mr, raw_element

SYNTAXES = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
def test_reads_every_encoding(syntax: str) -> None:
    dataset = mr(SOPInstanceUID="1.2.3", IssuerOfPatientID="HOSPITAL")
    nested = Dataset()
    nested.ReferencedSOPInstanceUID = "9.9"
    nested.StudyInstanceUID = "6.6.6"  # another study's: only the top level counts
    dataset.ReferencedImageSequence = Sequence([nested])
    header = read_header(BytesIO(encode(dataset, syntax)), syntax)
    assert header.sop_instance_uid == "1.2.3"
    assert header.study_instance_uid == STUDY
    assert header.series_instance_uid == f"{STUDY}.1"
    assert (header.patient_id, header.issuer) == ("4711", "HOSPITAL")


def test_reads_no_further_than_the_series() -> None:
    encoded = encode(mr())
    cut = encoded.index(b"\x20\x00\x0e\x00") + 8 + len(f"{STUDY}.1") + 1
    whole = read_header(BytesIO(encoded), ExplicitVRLittleEndian)
    assert read_header(BytesIO(encoded[:cut]), ExplicitVRLittleEndian) == whole


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
)
def test_a_missing_uid_is_named(keyword: str) -> None:
    with pytest.raises(StoreRefused) as refused:
        read_header(BytesIO(encode(mr(**{keyword: None}))), ExplicitVRLittleEndian)
    assert refused.value.status == 0xA900
    assert refused.value.comment == f"{keyword} is missing"


@pytest.mark.parametrize(
    ("uid", "why"),
    [
        (b"1." + b"2" * 70, "longer than 64"),
        (b"../../etc/passwd", "only digits and dots"),
        (b"1.2..3", "only digits and dots"),
        (b"1.2.\xff\xfe", "only digits and dots"),
        (b"1.2\\3.4", "only digits and dots"),
    ],
)
def test_an_illegal_uid_is_refused(uid: bytes, why: str) -> None:
    good = encode(mr())
    at = good.index(b"\x20\x00\x0d\x00")
    end = good.index(b"\x20\x00\x0e\x00")
    uid += b"\0" * (len(uid) % 2)
    bad = good[:at] + raw_element(0x20, 0x0D, b"UI", uid) + good[end:]
    with pytest.raises(StoreRefused) as refused:
        read_header(BytesIO(bad), ExplicitVRLittleEndian)
    assert refused.value.status == 0xA900
    assert refused.value.comment.startswith("StudyInstanceUID")
    assert why in refused.value.comment
    assert len(refused.value.comment) <= 64


def test_leading_zeros_are_let_through() -> None:
    encoded = encode(mr()).replace(STUDY[-6:].encode(), b".8.001")
    header = read_header(BytesIO(encoded), ExplicitVRLittleEndian)
    assert header.study_instance_uid.endswith(".8.001")


def test_a_zip_bomb_is_not_inflated() -> None:
    encoded = encode(mr())
    at = encoded.index(b"\x20\x00\x0d\x00")
    huge = struct.pack("<HH2sxxI", 0x19, 0x1010, b"OB", 64 << 20) + bytes(64 << 20)
    deflate = zlib.compressobj(wbits=-15)
    bomb = deflate.compress(encoded[:at] + huge + encoded[at:]) + deflate.flush()
    assert len(bomb) < LONGEST
    tracemalloc.start()
    with pytest.raises(StoreRefused):
        read_header(BytesIO(bomb), DeflatedExplicitVRLittleEndian)
    assert tracemalloc.get_traced_memory()[1] < 4 * LONGEST
    tracemalloc.stop()


def test_endless_nesting_is_refused() -> None:
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    sequence = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff"
    with pytest.raises(StoreRefused) as refused:
        read_header(BytesIO((sequence + item) * 5000), ExplicitVRLittleEndian)
    assert refused.value.status == 0xC000


@given(st.binary(max_size=400), st.sampled_from(SYNTAXES))
def test_any_bytes_are_read_or_refused(data: bytes, syntax: str) -> None:
    with pytest.raises(StoreRefused) as refused:
        read_header(BytesIO(data), syntax)
    assert refused.value.status in (0xA900, 0xC000)


@given(st.data())
def test_a_damaged_dataset_is_read_or_refused(data: st.DataObject) -> None:
    encoded = bytearray(encode(mr(SOPInstanceUID="1.2.3")))
    for _ in range(data.draw(st.integers(1, 8))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        header = read_header(BytesIO(bytes(encoded)), ExplicitVRLittleEndian)
    except StoreRefused as refused:
        comment = refused.comment
    else:
        comment = header.study_instance_uid
    assert len(comment) <= 64
    assert "Doe" not in comment


def test_a_patient_id_that_no_result_could_carry_is_refused() -> None:
    with warnings.catch_warnings(action="ignore"):
        dataset = mr(PatientID="1" * 65)
    with pytest.raises(StoreRefused, match="PatientID is longer than 64"):
        read_header(BytesIO(encode(dataset)), ExplicitVRLittleEndian)


@pytest.mark.parametrize(
    ("priority", "urgent"),
    [("STAT", True), ("HIGH", True), ("ROUTINE", False), ("MEDIUM", False), ("", False)],
)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_the_requested_procedure_may_say_so(priority: str, urgent: bool, syntax: str) -> None:
    encoded = encode(mr(RequestedProcedurePriority=priority), syntax)
    assert is_urgent(encoded, syntax) is urgent
    assert not is_urgent(encoded[:60], syntax)
    assert not is_urgent(encode(mr(), syntax), syntax)


JPEG, JPEG_2000, RLE = b"\xff\xd8\xff\xe0", b"\xff\x4f\xff\x51", struct.pack("<II", 1, 64)


@pytest.mark.parametrize("table", [b"", bytes(8)], ids=["no offsets", "offsets"])
@pytest.mark.parametrize(
    ("frame", "right"),
    [
        (JPEG, {JPEGLosslessSV1, JPEGLSLossless, JPEGBaseline8Bit}),
        (JPEG_2000, {JPEG2000Lossless, HTJ2KLossless}),
        (RLE, {RLELossless}),
    ],
    ids=["JPEG", "JPEG 2000", "RLE"],
)
def test_a_frame_of_another_codec_is_noticed(frame: bytes, right: set[str], table: bytes) -> None:
    def item(value: bytes) -> bytes:
        return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value

    pixels = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + item(table) + item(frame)
    # the same bytes in another element before it mean nothing
    text = raw_element(0x19, 0x1010, b"LO", b"\xe0\x7f\x10\x00OB\0\0\x04\0\0\0")
    encoded = encode(mr(PixelData=None))
    at = encoded.index(b"\x20\x00\x0d\x00")
    head = encoded[:at] + text + encoded[at:] + pixels
    others = {JPEGLosslessSV1, JPEG2000Lossless} - right if frame is not RLE else set()
    for syntax in right:
        assert not has_other_pixels(head, syntax), syntax
    for syntax in {ExplicitVRLittleEndian, *others}:
        assert has_other_pixels(head, syntax), syntax


def test_a_frame_that_begins_like_none_is_let_through() -> None:
    pixels = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    for cut in (0, 4, 8, 12):
        head = encode(mr(PixelData=None)) + pixels + bytes(12)[:cut]
        assert not has_other_pixels(head, JPEG2000Lossless)
