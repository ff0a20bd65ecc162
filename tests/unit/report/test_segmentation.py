"""The lesions as a Segmentation: voxel for voxel, by what became of them."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from msnode import report
from msnode.config import Describe
from msnode.records.results import Report
from msnode.report import case, segmentation
from msnode.report.lesion_groups import GROUPS, grouped
from tests import lesion_reports

MakeReport = Callable[..., Report]
SEGIMAGE = Path(sys.executable).with_name("segimage2itkimage")
"""Of dcmqi, from PyPI."""


@pytest.fixture
def outlined(make_report: MakeReport) -> Report:
    return lesion_reports.painted(make_report(8))


@pytest.fixture
def compared(outlined: Report) -> Report:
    return lesion_reports.compared(outlined)


def written(made: Report, folder: Path) -> Path:
    paths = report.write(made, Describe(), "standard", folder)
    return next(path for path in paths if path.name == "seg.dcm")


def expected(made: Report) -> dict[str, NDArray[np.bool_]]:
    """(columns, rows, slices) of each group that has lesions."""
    assert made.lesions is not None
    assert made.maps is not None
    labels = grouped(made.lesions, made.maps)
    masks = {segmentation.LABELS[g]: labels == n for n, g in enumerate(GROUPS, 1)}
    return {label: mask for label, mask in masks.items() if mask.any()}


def read(path: Path, made: Report) -> dict[str, NDArray[np.bool_]]:
    """(columns, rows, slices) of each segment, with highdicom."""
    assert made.slices is not None
    seg = highdicom.seg.segread(path)
    uids = [frame.sop_instance_uid for frame in made.slices.frames]
    pixels = seg.get_pixels_by_source_instance(
        uids, ignore_spatial_locations=False, assert_missing_frames_are_empty=True
    )
    labels = [seg.get_segment_description(n).segment_label for n in seg.segment_numbers]
    return {label: pixels[..., n].transpose(2, 1, 0) > 0 for n, label in enumerate(labels)}


def same(ours: dict[str, NDArray[np.bool_]], theirs: dict[str, NDArray[np.bool_]]) -> bool:
    return ours.keys() == theirs.keys() and all((ours[k] == theirs[k]).all() for k in ours)


def test_highdicom_reads_every_voxel_back(
    outlined: Report, compared: Report, tmp_path: Path
) -> None:
    assert same(read(written(outlined, tmp_path / "1"), outlined), expected(outlined))
    found = expected(compared)
    assert list(found) == ["New lesions", "Enlarging lesions", "Other lesions"][: len(found)]
    assert len(found) >= 2
    assert same(read(written(compared, tmp_path / "2"), compared), found)


def test_dcmqi_reads_every_voxel_back(compared: Report, tmp_path: Path) -> None:
    path = written(compared, tmp_path / "out")
    done = subprocess.run(
        [SEGIMAGE, "--inputDICOM", path, "--outputDirectory", tmp_path, "--outputType", "nii"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    meta = json.loads((tmp_path / "meta.json").read_text())
    segments = [one for group in meta["segmentAttributes"] for one in group]
    assert {one["SegmentedPropertyTypeCodeSequence"]["CodeValue"] for one in segments} == {"110702"}
    for one in segments:
        [image] = tmp_path.glob(f"{one['labelID']}.nii*")
        wanted = places(expected(compared)[one["SegmentLabel"]], compared)
        assert np.allclose(read_places(image), wanted, atol=0.01)


def places(mask: NDArray[np.bool_], made: Report) -> NDArray[np.float64]:
    """(voxels, 3) RAS mm of a mask's voxels, in order."""
    assert made.slices is not None
    columns_rows = [np.argwhere(mask[..., n]) for n in range(mask.shape[2])]
    found = [
        frame.affine @ np.column_stack([at, np.zeros(len(at)), np.ones(len(at))]).T
        for frame, at in zip(made.slices.frames, columns_rows, strict=True)
    ]
    return in_order(np.concatenate(found, axis=1)[:3].T * (-1, -1, 1))


def read_places(image: Path) -> NDArray[np.float64]:
    """Likewise of a NIfTI file."""
    read: Any = nibabel.load(image)
    at = np.argwhere(np.asanyarray(read.dataobj) > 0)
    return in_order(at @ read.affine[:3, :3].T + read.affine[:3, 3])


def in_order(mm: NDArray[np.float64]) -> NDArray[np.float64]:
    rounded = mm.round(2)
    return np.asarray(mm[np.lexsort(rounded.T)])


def test_no_frame_and_no_segment_is_empty(compared: Report, tmp_path: Path) -> None:
    all_new = lesion_reports.compared(compared, dict.fromkeys(range(99), "new"))
    seg = pydicom.dcmread(written(all_new, tmp_path))
    assert [one.SegmentLabel for one in seg.SegmentSequence] == ["New lesions"]
    assert seg.pixel_array.reshape(int(seg.NumberOfFrames), -1).any(axis=1).all()
    assert (seg.SegmentationType, seg.file_meta.TransferSyntaxUID.is_compressed) == (
        "BINARY",
        False,
    )


def test_a_retry_writes_the_same_bytes(compared: Report, tmp_path: Path) -> None:
    first, second = (written(compared, tmp_path / name).read_bytes() for name in "ab")
    assert first == second


def test_the_network_is_named_beside_the_classifier(compared: Report, tmp_path: Path) -> None:
    seg = pydicom.dcmread(written(compared, tmp_path))
    [algorithm] = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("lesions", "0.1.0")
    names = [one.ManufacturerModelName for one in seg.ContributingEquipmentSequence]
    assert names == ["hybrid", "lesions"]
    assert len({one.DeviceUID for one in seg.ContributingEquipmentSequence}) == 2


def test_frames_of_one_multi_frame_file_are_named_by_number(compared: Report) -> None:
    assert compared.slices is not None
    frames = tuple(
        replace(frame, sop_instance_uid="1.2.3", frame=number)
        for number, frame in enumerate(compared.slices.frames, 1)
    )
    made = replace(compared, slices=replace(compared.slices, frames=frames))
    seg = segmentation.build(case.load(made, Describe(), case.USUAL))
    for groups in seg.PerFrameFunctionalGroupsSequence:
        [source] = groups.DerivationImageSequence[0].SourceImageSequence
        position = groups.PlanePositionSequence[0].ImagePositionPatient
        place = frames[int(source.ReferencedFrameNumber) - 1].affine[:3, 3]
        assert np.allclose(np.array(position, float), place)


def test_without_a_lesion_there_is_no_segmentation(outlined: Report, tmp_path: Path) -> None:
    assert outlined.lesions is not None
    assert outlined.maps is not None
    none = replace(outlined.maps, numbers=np.zeros_like(outlined.maps.numbers))
    healthy = replace(outlined, lesions=replace(outlined.lesions, lesions=()), maps=none)
    for made in (healthy, replace(outlined, lesions=None, maps=None)):
        paths = report.write(made, Describe(), "standard", tmp_path)
        assert "seg.dcm" not in {path.name for path in paths}
