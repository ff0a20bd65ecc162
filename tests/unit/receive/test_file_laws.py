"""What holds of datasets and files on disk, whoever wrote them and wherever they end."""

import tempfile
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from msnode.receive.dicom.dimse_status import StoreRefused
from msnode.receive.inbox.identity import Header, read_header
from msnode.receive.inbox.part10 import Spool, file_meta, read_arrival
from tests.unit.receive.datasets import encode, mr

UNCOMPRESSED = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
SECRET = b"0" * 32
UIDS = st.from_regex(r"[12]\.[1-9][0-9]{0,8}(\.(0|[1-9][0-9]{0,11})){0,3}", fullmatch=True)
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"))
"""PatientIDs of the default repertoire (PS3.5 6.2 LO)."""


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Images with an identity of any kind, and with other elements between its elements."""
    wanted: dict[str, Any] = {
        "SOPInstanceUID": draw(UIDS),
        "StudyInstanceUID": draw(UIDS),
        "SeriesInstanceUID": draw(UIDS),
        "PatientID": draw(IDS.filter(lambda text: len(text) <= 64)),
        "PixelData": bytes(draw(st.integers(0, 64)) * 2),
    }
    if draw(st.booleans()):
        wanted["IssuerOfPatientID"] = draw(IDS.filter(lambda text: len(text) <= 64))
    if draw(st.booleans()):
        inner = mr(SOPInstanceUID="9.9", PatientID="of another image")
        wanted["ReferencedImageSequence"] = Sequence([inner] * draw(st.integers(0, 3)))
    if draw(st.booleans()):
        wanted["ImageComments"] = draw(st.text(st.characters(max_codepoint=126), max_size=9))
    return mr(**wanted)


@given(datasets(), st.sampled_from(UNCOMPRESSED))
def test_an_identity_is_read_from_every_encoding(dataset: Dataset, syntax: str) -> None:
    header = read_header(BytesIO(encode(dataset, syntax)), syntax)
    assert header == Header(
        sop_class_uid=dataset.SOPClassUID,
        sop_instance_uid=dataset.SOPInstanceUID,
        study_instance_uid=dataset.StudyInstanceUID,
        series_instance_uid=dataset.SeriesInstanceUID,
        patient_id=dataset.PatientID,
        issuer=dataset.get("IssuerOfPatientID", ""),
    )


@settings(max_examples=80)
@given(st.data(), datasets(), st.sampled_from([*UNCOMPRESSED, JPEG2000Lossless]))
def test_a_damaged_dataset_is_read_or_refused_in_every_encoding(
    data: st.DataObject, dataset: Dataset, syntax: str
) -> None:
    bad = bytearray(encode(dataset, syntax))
    for place in data.draw(st.lists(st.integers(0, len(bad) - 1), max_size=6)):
        bad[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(bad)))
    try:
        header = read_header(BytesIO(bytes(bad[:end])), syntax)
    except StoreRefused as refused:
        assert_told(refused)
    else:
        assert max(len(header.patient_id), len(header.issuer)) <= 64
        assert {*header.study_instance_uid, *header.sop_instance_uid} <= set("0123456789.")


def assert_told(refused: StoreRefused) -> None:
    """The sender gets a status of PS3.4 and a comment that fits into (0000,0902)."""
    assert refused.status in (0xA900, 0xC000)
    assert 0 < len(refused.comment) <= 64
    assert refused.comment.isascii()


SENDERS = st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"),
    min_size=1,
    max_size=16,
).map(str.strip)


def kept(dataset: Dataset, syntax: str, sender: str, cuts: list[int], folder: Path) -> Path:
    """The dataset as a file of the inbox, written in fragments."""
    encoded = encode(dataset, syntax)
    meta = file_meta(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), syntax, sender)
    spool = Spool(folder / "0.part", meta, 1 << 20)
    ends = sorted({min(cut, len(encoded)) for cut in cuts} | {len(encoded)})
    for start, end in zip([0, *ends], ends, strict=False):
        spool.write(memoryview(encoded)[start:end])
    spool.link(folder / "a.dcm")
    assert spool.header(syntax) == read_header(BytesIO(encoded), syntax)
    spool.close()
    return folder / "a.dcm"


CUTS = st.lists(st.integers(0, 2000), max_size=4)


@settings(max_examples=40)
@given(datasets(), st.sampled_from(UNCOMPRESSED), SENDERS, CUTS)
def test_a_file_says_what_its_writer_knew(
    dataset: Dataset, syntax: str, sender: str, cuts: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = kept(dataset, syntax, sender, cuts, Path(folder))
        arrival = read_arrival(path, SECRET)
        size = path.stat().st_size
    assert (arrival.calling_ae_title, arrival.transfer_syntax_uid) == (sender, syntax)
    assert arrival.header.sop_instance_uid == dataset.SOPInstanceUID
    assert arrival.size == size


@settings(max_examples=50)
@given(st.data(), datasets(), st.sampled_from(UNCOMPRESSED), CUTS)
def test_what_ends_early_or_was_changed_never_passes_for_what_was_written(
    data: st.DataObject, dataset: Dataset, syntax: str, cuts: list[int]
) -> None:
    """The name in the inbox is made of UIDs and content: a damaged dataset has another."""
    with tempfile.TemporaryDirectory() as folder:
        path = kept(dataset, syntax, "MRI1", cuts, Path(folder))
        place, whole = read_arrival(path, SECRET).place, path.read_bytes()
        start = len(whole) - len(encode(dataset, syntax))
        bad = bytearray(whole)
        if data.draw(st.booleans()):
            del bad[data.draw(st.integers(0, len(bad) - 1)) :]
        else:
            at = data.draw(st.integers(start, len(bad) - 1))
            bad[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(bad)
        with warnings.catch_warnings(action="ignore"):
            try:
                assert read_arrival(path, SECRET).place != place
            except StoreRefused as refused:
                assert_told(refused)


@settings(max_examples=100)
@given(st.data())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_any_file_is_an_instance_or_refused(data: st.DataObject) -> None:
    """Damage anywhere, the File Meta Information included, has one kind of error."""
    good = file_meta(mr().SOPClassUID, "1.2.3", ExplicitVRLittleEndian, "MRI1") + encode(mr())
    bad = bytearray(good)
    for place in data.draw(st.lists(st.integers(120, 420), max_size=6)):
        bad[place] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.dcm"
        path.write_bytes(bad)
        try:
            arrival = read_arrival(path, SECRET)
        except StoreRefused as refused:
            assert_told(refused)
        else:
            assert arrival.size == len(bad)
