"""Round trips, determinism and what is kept back."""

import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from msnode import metrics, report
from msnode.config import Describe
from msnode.errors import InvalidResult, Refused
from msnode.records.results import Predecessor, Report
from msnode.report import profiles
from msnode.report.case import Case

DESCRIBE = Describe()
MakeReport = Callable[..., Report]


def test_the_sr_says_what_the_finding_says(make_report: MakeReport, tmp_path: Path) -> None:
    made = make_report(24)
    assert made.finding is not None
    summary = report.read(report.write(made, DESCRIBE, "minimal", tmp_path / "out")[0])
    assert summary.decision == "present"
    assert summary.probability == pytest.approx(0.87, abs=1e-4)
    assert summary.algorithm == ("hybrid", "1.0.0")
    strongest = max(made.finding.slices, key=lambda found: found.probability)
    assert summary.points[0].sop_instance_uid == strongest.source.sop_instance_uid
    assert summary.points[0].probability == pytest.approx(strongest.probability, abs=1e-4)
    assert summary.points[0].graphic_data == pytest.approx(strongest.peak.graphic_data, abs=0.01)


def test_a_study_that_was_not_analysed_says_why(make_report: MakeReport, tmp_path: Path) -> None:
    made = replace(make_report(3), finding=None, slices=None, scores=None, reason="Modality is CT")
    paths = report.write(made, DESCRIBE, "minimal", tmp_path / "out")
    summary = report.read(paths[0])
    assert (summary.decision, summary.probability) == ("undetermined", None)
    assert "Modality is CT" in (summary.reason or "")
    assert [path.name for path in paths] == ["sr.dcm", "montage.dcm"]


def test_a_retry_writes_the_same_bytes(make_report: MakeReport, tmp_path: Path) -> None:
    made = make_report(5)
    first = report.write(made, DESCRIBE, "minimal", tmp_path / "a")
    second = report.write(made, DESCRIBE, "minimal", tmp_path / "b")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_uids_change_with_generation_and_model(make_report: MakeReport, tmp_path: Path) -> None:
    made = make_report(3)
    retrained = replace(made, model=replace(made.model, digest="0" * 64))
    uids = set()
    for number, one in enumerate((made, replace(made, generation=2), retrained)):
        for path in report.write(one, DESCRIBE, "minimal", tmp_path / str(number)):
            dataset = pydicom.dcmread(path)
            uids |= {dataset.SOPInstanceUID, dataset.SeriesInstanceUID}
            assert dataset.StudyInstanceUID == made.study_instance_uid
    assert len(uids) == 12


def test_a_revised_result_names_its_predecessor(make_report: MakeReport, tmp_path: Path) -> None:
    made = make_report(3)
    first = pydicom.dcmread(report.write(made, DESCRIBE, "minimal", tmp_path / "1")[0])
    revised = replace(made, generation=2, predecessor=Predecessor(1, made.model.digest))
    second = pydicom.dcmread(report.write(revised, DESCRIBE, "minimal", tmp_path / "2")[0])
    series = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID


def test_an_invalid_object_is_kept_back_and_the_others_go_on(
    make_report: MakeReport,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    build = profiles.BUILDERS["montage"]

    def spoilt(job: Case) -> Iterator[tuple[str, Dataset]]:
        for name, dataset in build(job):
            del dataset.ConversionType
            yield name, dataset

    monkeypatch.setitem(profiles.BUILDERS, "montage", spoilt)
    counter = metrics.QUARANTINED.labels("invalid_result")
    before = counter._value.get()
    with caplog.at_level(logging.ERROR):
        paths = report.write(make_report(3), DESCRIBE, "minimal", tmp_path / "out")
    assert [path.name for path in paths] == ["sr.dcm"]
    assert (tmp_path / "out" / "quarantine" / "montage.dcm").exists()
    assert counter._value.get() == before + 1
    assert "ConversionType has no value" in caplog.text
    monkeypatch.setitem(profiles.PROFILES, "minimal", ("montage",))
    with pytest.raises(InvalidResult, match="ConversionType"):
        report.write(make_report(3), DESCRIBE, "minimal", tmp_path / "none")


def test_an_identity_that_cannot_be_copied_is_refused(
    make_report: MakeReport, tmp_path: Path
) -> None:
    made = make_report(3)
    source = pydicom.dcmread(made.header)
    with warnings.catch_warnings(action="ignore"):
        source.PatientID = "1" * 65
        source.save_as(made.header)
    with pytest.raises(Refused, match="PatientID has 65 characters"):
        report.write(made, DESCRIBE, "minimal", tmp_path / "out")


def test_the_patient_is_not_in_the_file_names(make_report: MakeReport, tmp_path: Path) -> None:
    paths = report.write(make_report(3), DESCRIBE, "minimal", tmp_path / "out")
    assert {path.name for path in paths} == {"sr.dcm", "montage.dcm"}
    assert not list((tmp_path / "out").glob("*.part"))
