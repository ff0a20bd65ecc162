"""Headers are read as tolerantly as they come: whatever a file holds, reading it ends well."""

import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian

from msnode.manage.header_words import LONGEST, SERIES, STUDY, header_of
from msnode.receive.inbox.part10 import file_meta
from tests.admin_pages import part10
from tests.unit.receive.datasets import mr, raw_element

WHOLE = part10(mr(SeriesDescription="t2", StudyDescription="Head"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(WHOLE) - 1), other=st.binary(max_size=8), end=st.booleans())
def test_whatever_a_file_holds_reading_it_ends_well(
    place: int, other: bytes, end: bool, tmp_path: Path
) -> None:
    path = tmp_path / "x.dcm"
    rest = b"" if end else WHOLE[place + len(other) :]
    path.write_bytes(WHOLE[:place] + other + rest)
    found = header_of(path, STUDY | SERIES)
    assert found is None or set(found) == {*STUDY, *SERIES}


def test_a_deflated_bomb_is_read_as_far_as_a_header_may_go(tmp_path: Path) -> None:
    deflate = zlib.compressobj(wbits=-15)
    head = raw_element(8, 0x20, b"DA", b"20260102") + raw_element(8, 0x1030, b"LO", b"A" * 60_000)
    content = deflate.compress(head + bytes(200 * 1024**2)) + deflate.flush()
    path = tmp_path / "bomb.dcm"
    meta = file_meta("1.2", "1.2.3", DeflatedExplicitVRLittleEndian, "X")
    path.write_bytes(meta + content)
    found = header_of(path)
    assert found is None or len(found["StudyDescription"]) == LONGEST


@pytest.mark.parametrize("content", [b"", b"DICM", bytes(132), bytes(128) + b"DICM"])
def test_what_is_no_file_of_dicom_says_nothing(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(content)
    assert header_of(path) is None
    assert header_of(tmp_path / "none.dcm") is None
