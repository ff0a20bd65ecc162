"""Whose a stored file is, whoever wrote it, in whatever script."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msnode.receive.inbox.patient_header import PatientHeader, read_patient
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.dicom import secondary_capture


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 192", "王^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    ],
)
def test_names_are_read_in_their_script(
    save_dicom: Callable[..., Path], charset: object, name: str
) -> None:
    path = save_dicom(
        "2.25.1", SpecificCharacterSet=charset, PatientName=name, PatientID="4711",
        AccessionNumber="A1", StudyDate="20260102",
    )  # fmt: skip
    assert read_patient(path) == PatientHeader("4711", name, "A1", "20260102")


def test_what_is_missing_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "bare.dcm"
    dataset = secondary_capture()
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "StudyDate"):
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    assert read_patient(path) == PatientHeader()


def test_a_name_moves_no_cursor(save_dicom: Callable[..., Path]) -> None:
    path = save_dicom("2.25.1", PatientName="Doe^\x1b[2JJane", PatientID="1\x07")
    told = read_patient(path)
    assert told is not None
    assert told.patient_id == "1"
    assert "\x1b" not in told.patient_name


def test_what_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    assert read_patient(tmp_path / "absent.dcm") is None
    (tmp_path / "odd.dcm").write_bytes(b"no DICOM")
    assert read_patient(tmp_path / "odd.dcm") is None
