"""The last check finds what must not leave."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from msnode import report
from msnode.config import Describe
from msnode.errors import InvalidResult
from msnode.records.results import Report
from msnode.report.validate import validate

MakeReport = Callable[..., Report]


@pytest.fixture
def written(make_report: MakeReport, tmp_path: Path) -> tuple[Report, dict[str, Dataset]]:
    made = make_report(3)
    paths = report.write(made, Describe(), "full", tmp_path / "out")
    return made, {path.stem: pydicom.dcmread(path) for path in paths}


def test_every_object_passes(written: tuple[Report, dict[str, Dataset]]) -> None:
    made, objects = written
    assert set(objects) == {
        "sr", "montage", "readable", "overlay-0001", "overlay-0002", "overlay-0003", "kos", "map",
        "gsps", "pdf",
    }  # fmt: skip
    for dataset in objects.values():
        validate(dataset, made)
    assert len({dataset.SOPInstanceUID for dataset in objects.values()}) == len(objects)
    assert len({dataset.SeriesInstanceUID for dataset in objects.values()}) == len(objects) - 2


def first_code(dataset: Dataset) -> Dataset:
    code: Dataset = dataset.ConceptNameCodeSequence[0]
    return code


DAMAGE: dict[str, tuple[str, Callable[[Dataset], Any], str]] = {
    "type 1 empty": ("sr", lambda d: setattr(d, "CompletionFlag", ""), "CompletionFlag has no"),
    "type 2 missing": ("kos", lambda d: d.pop("PatientID"), "PatientID is missing"),
    "illegal UID": ("gsps", lambda d: setattr(d, "DeviceUID", "1.a"), "DeviceUID is not"),
    "incomplete code": ("sr", lambda d: first_code(d).pop("CodeMeaning"), "CodeMeaning in"),
    "long string": ("pdf", lambda d: setattr(d, "StudyID", "x" * 17), "more than 16"),
    "another study": ("pdf", lambda d: setattr(d, "StudyInstanceUID", "1.2"), "not the study's"),
    "verified": ("sr", lambda d: setattr(d, "VerificationFlag", "VERIFIED"), "claims"),
    "short pixels": ("montage", lambda d: setattr(d, "PixelData", b"ab"), "2 bytes instead of"),
    "short floats": ("map", lambda d: setattr(d, "FloatPixelData", b"abcd"), "bytes instead of"),
    "no evidence": (
        "kos",
        lambda d: setattr(d, "CurrentRequestedProcedureEvidenceSequence", []),
        "evidence does not list",
    ),
    "another class": ("pdf", lambda d: setattr(d, "SOPClassUID", "1.2.3"), "none that a result"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("kind", "spoil", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found(
    written: tuple[Report, dict[str, Dataset]],
    kind: str,
    spoil: Callable[[Dataset], Any],
    message: str,
) -> None:
    made, objects = written
    spoil(objects[kind])
    with pytest.raises(InvalidResult, match=message):
        validate(objects[kind], made)
