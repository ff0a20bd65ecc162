"""The same result in other forms: what changes with them, and what must not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
)

from msnode import report
from msnode.config import Describe, Folder, Form
from msnode.records.results import Predecessor, Report
from msnode.report import secondary_capture

MakeReport = Callable[..., Report]
OTHER = Form("comprehensive-3d", "multi-frame")


def written(
    made: Report, folder: Path, form: Form, profile: str = "standard"
) -> dict[str, Dataset]:
    paths = report.write(made, Describe(), profile, folder, form)
    return {path.stem: pydicom.dcmread(path) for path in paths}


def test_an_object_of_another_class_is_another_object(
    make_report: MakeReport, tmp_path: Path
) -> None:
    made = make_report(5)
    usual, other = written(made, tmp_path / "a", Form()), written(made, tmp_path / "b", OTHER)
    assert other["sr"].SOPClassUID == Comprehensive3DSRStorage
    assert other["overlay"].SOPClassUID == MultiFrameTrueColorSecondaryCaptureImageStorage
    for name in ("sr", "overlay"):
        before = usual.get(name, usual.get("overlay-0001"))
        assert before is not None
        assert other[name].SOPInstanceUID != before.SOPInstanceUID
        assert other[name].SeriesInstanceUID != before.SeriesInstanceUID
    for name in ("montage", "readable"):
        assert other[name] == usual[name]


def test_a_comprehensive_3d_sr_says_the_same(make_report: MakeReport, tmp_path: Path) -> None:
    made = make_report(5)
    usual = report.write(made, Describe(), "minimal", tmp_path / "a")[0]
    other = report.write(made, Describe(), "minimal", tmp_path / "b", OTHER)[0]
    assert report.read(other) == report.read(usual)


def test_a_revised_result_names_the_earlier_one_of_its_form(
    make_report: MakeReport, tmp_path: Path
) -> None:
    made = make_report(3)
    first = written(made, tmp_path / "1", OTHER, "minimal")["sr"]
    revised = replace(made, generation=2, predecessor=Predecessor(1, made.model.digest))
    second = written(revised, tmp_path / "2", OTHER, "minimal")["sr"]
    [series] = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    [document] = series.ReferencedSOPSequence
    assert document.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert document.ReferencedSOPClassUID == Comprehensive3DSRStorage


def test_frames_of_one_object_lie_where_single_images_lie(
    make_report: MakeReport, tmp_path: Path
) -> None:
    made = make_report(5)
    usual, other = written(made, tmp_path / "a", Form()), written(made, tmp_path / "b", OTHER)
    singles, frames = [usual[f"overlay-{n:04}"] for n in range(1, 6)], other["overlay"]
    assert np.array_equal(frames.pixel_array, np.stack([one.pixel_array for one in singles]))
    [shared] = frames.SharedFunctionalGroupsSequence
    assert frames.NumberOfFrames == len(frames.PerFrameFunctionalGroupsSequence) == 5
    assert frames.FrameOfReferenceUID == singles[0].FrameOfReferenceUID
    for one, groups in zip(singles, frames.PerFrameFunctionalGroupsSequence, strict=True):
        place = groups.PlanePositionSequence[0].ImagePositionPatient
        assert place == one.ImagePositionPatient
        assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == (
            one.ImageOrientationPatient
        )
        assert shared.PixelMeasuresSequence[0].PixelSpacing == one.PixelSpacing
    assert frames.FrameIncrementPointer == 0x00182005
    assert [float(z) for z in frames.SliceLocationVector] == [
        float(one.ImagePositionPatient[2]) for one in singles
    ]


@pytest.mark.parametrize("overlay", ["single-frame", "multi-frame"])
@pytest.mark.parametrize("syntax", secondary_capture.CODECS)
def test_compression_changes_no_pixel_and_no_uid(
    make_report: MakeReport, tmp_path: Path, syntax: str, overlay: str
) -> None:
    made = make_report(1)
    plain = written(made, tmp_path / "a", Form(overlay=overlay))  # type: ignore[arg-type]
    form = Form(overlay=overlay, transfer_syntax=syntax)  # type: ignore[arg-type]
    packed = written(made, tmp_path / "b", form)
    assert packed.keys() == plain.keys()
    for name, one in packed.items():
        assert one.SOPInstanceUID == plain[name].SOPInstanceUID
        if "PixelData" not in one:
            assert one == plain[name]
            continue
        assert one.file_meta.TransferSyntaxUID == secondary_capture.CODECS[syntax].syntax
        assert np.array_equal(one.pixel_array, plain[name].pixel_array)
        assert len(one.PixelData) < len(plain[name].PixelData)


def test_a_retry_compresses_to_the_same_bytes(make_report: MakeReport, tmp_path: Path) -> None:
    made, form = make_report(3), Form(overlay="multi-frame", transfer_syntax="JPEG2000Lossless")
    first, second = (
        report.write(made, Describe(), "standard", tmp_path / name, form) for name in ("a", "b")
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_destinations_with_the_same_options_share_their_objects() -> None:
    pacs, archive = (
        Folder("pacs", Path("a"), profile="full"),
        Folder("archive", Path("b"), profile="full"),
    )
    assert pacs.objects == archive.objects == "full"
    other = replace(archive, form=Form("comprehensive-3d", transfer_syntax="RLELossless"))
    assert other.objects == "full-comprehensive-3d-RLELossless"
    assert replace(archive, profile="minimal").objects == "minimal"
