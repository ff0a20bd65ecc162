"""Whatever a source image's header holds, the results are valid or cleanly refused."""

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from msnode import report
from msnode.config import Describe
from msnode.errors import Refused
from msnode.records.results import Report
from msnode.report import study_header

MakeReport = Callable[..., Report]
STUDY = "1.2.3.4"

TEXT = st.text(max_size=80) | st.sampled_from(
    [
        "Müller^Änne",
        "Иванов^Иван",
        "山田^太郎=やまだ^たろう",
        "a\\b",
        "\x1b$B;3ED",
        " ",
        "^" * 9,
        "\ud800",
    ]
)
ODD = (
    TEXT
    | st.lists(TEXT, max_size=3)
    | st.integers()
    | st.none()
    | st.sampled_from(
        ["19991231", "1999.12.31", "20241399", "12:30:61", "253000", "120000.5", "F", "-100Y"]
    )
)
KEYWORDS = (
    *study_header.TYPE_2,
    *study_header.TYPE_3,
    "ImageOrientationPatient",
    "FrameOfReferenceUID",
)
CHARACTER_SETS = (
    None, "", "ISO_IR 6", "ISO_IR 100", "ISO_IR 192", "GB18030", "NO_SUCH_SET",
    ["", "ISO 2022 IR 87"], ["ISO 2022 IR 6", "NO_SUCH_SET"],
)  # fmt: skip


def put(dataset: Dataset, keyword: str, value: Any) -> None:
    """Set an attribute to whatever it is, as a file may hold it."""
    with warnings.catch_warnings(action="ignore"):
        try:
            setattr(dataset, keyword, value)
        except (TypeError, ValueError, OverflowError, AttributeError):
            dataset.pop(keyword, None)


@st.composite
def sources(draw: st.DrawFn) -> Dataset:
    """A header with odd values, missing ones, private tags and code sequences."""
    source = Dataset()
    put(source, "SpecificCharacterSet", draw(st.sampled_from(CHARACTER_SETS)))
    for keyword in KEYWORDS:
        if draw(st.booleans()):
            put(source, keyword, draw(ODD))
    source.private_block(0x0011, "ODD MAKER", create=True).add_new(
        1, "LO", draw(st.text(max_size=9))
    )
    code, request = Dataset(), Dataset()
    for keyword in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning"):
        put(code, keyword, draw(ODD))
    for keyword in ("AccessionNumber", "RequestedProcedureID", "RequestedProcedureDescription"):
        put(request, keyword, draw(ODD))
    source.ProcedureCodeSequence = Sequence([code])
    source.RequestAttributesSequence = Sequence([request])
    return source


@settings(max_examples=300)
@given(sources())
def test_any_header_is_made_legal_or_refused(source: Dataset) -> None:
    try:
        made = study_header.normalise(source, STUDY)
    except Refused:
        return
    assert set(study_header.TYPE_2) <= {element.keyword for element in made.study}
    for element in made.study:
        assert element.VM <= 1
        assert not re.search(r"[\x00-\x1f\x7f\\]", str(element.value)) or element.VR == "SQ"
    assert made.study.PatientSex in ("", "M", "F", "O")
    assert len(made.orientation) in (0, 6)
    for item in made.study.get("ProcedureCodeSequence", ()):
        assert item.CodeValue
        assert item.CodeMeaning


@pytest.fixture(scope="module")
def module_report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """One small report, whose header the fuzzing replaces."""
    from tests import reports

    return reports.synthetic(tmp_path_factory.mktemp("fuzz"), 3)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=sources())
def test_objects_under_any_header_are_valid(
    module_report: Report, tmp_path: Path, source: Dataset
) -> None:
    original = pydicom.dcmread(module_report.header)
    for keyword in KEYWORDS:
        original.pop(keyword, None)
    with warnings.catch_warnings(action="ignore"):
        original.update(source)
        original.StudyInstanceUID = module_report.study_instance_uid
        try:
            original.save_as(tmp_path / "odd.dcm")
        except Exception:  # noqa: BLE001 - no writer writes this value, so no file holds it
            return
    odd = replace(module_report, header=tmp_path / "odd.dcm")
    try:
        paths = report.write(odd, Describe(), "full", tmp_path / "out")
    except Refused:
        return
    assert len(paths) == 10
    assert report.read(paths[0]).probability == pytest.approx(0.87)


def test_a_name_keeps_its_script(make_report: MakeReport, tmp_path: Path) -> None:
    made = make_report(3)
    source = pydicom.dcmread(made.header)
    source.SpecificCharacterSet = "ISO_IR 192"
    source.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    source.save_as(made.header)
    for path in report.write(made, Describe(), "full", tmp_path / "out"):
        assert str(pydicom.dcmread(path).PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"


def test_a_second_value_is_left_out() -> None:
    source = Dataset()
    source.StudyDescription = ["Head", "Neck"]
    source.PatientBirthDate = "1980.02.29"
    made = study_header.normalise(source, STUDY)
    assert made.study.StudyDescription == "Head"
    assert made.study.PatientBirthDate == "19800229"


def test_an_illegal_study_uid_is_refused() -> None:
    with pytest.raises(Refused, match="StudyInstanceUID"):
        study_header.normalise(Dataset(), "../../etc/passwd")


def test_an_over_long_number_is_left_empty_and_a_leading_zero_kept(
    make_report: MakeReport, tmp_path: Path
) -> None:
    made = make_report(3)
    source = pydicom.dcmread(made.header)
    with warnings.catch_warnings(action="ignore"):
        source.AccessionNumber = "ACC-2024-0000000123"
        source.StudyInstanceUID = "1.2.03.4"
        source.save_as(made.header)
        made = replace(made, study_instance_uid="1.2.03.4")
        for path in report.write(made, Describe(), "minimal", tmp_path / "out"):
            written = pydicom.dcmread(path)
            assert written.AccessionNumber == ""
            assert written.StudyInstanceUID == "1.2.03.4"
