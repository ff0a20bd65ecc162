"""Preparing real scans: of three vendors, in nine transfer syntaxes, and what is refused."""

import csv
import logging
import time
from pathlib import Path

import numpy as np
import pytest

from msnode import prepare
from msnode.errors import NotAnalysable
from msnode.prepare.frames import read_frames
from msnode.prepare.head import find_head
from msnode.prepare.head_check import check_head
from msnode.prepare.pixels import read_pixels
from msnode.records.images import HeadGate, InputContract

FLAIR = InputContract(("FLAIR",), 224, 224)
T1 = InputContract(("T1",), 224, 224)
ANY = InputContract(("FLAIR", "T1", "T2", "PD", "other"), 224, 224)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.dcm"))


@pytest.mark.parametrize(
    ("folder", "frames", "times"),
    [
        ("philips_t1_sagittal", 170, "RepetitionTime 6.501 ms, EchoTime 2.93 ms"),
        ("siemens_t1_sagittal_hfs", 35, "RepetitionTime 300 ms, EchoTime 2.46 ms"),
        ("siemens_enhanced_t1/a", 96, "InversionTime 900 ms, RepetitionTime 1800 ms"),
        ("siemens_enhanced_t1/b", 96, "InversionTime 900 ms, RepetitionTime 1800 ms"),
    ],
)
def test_sagittal_t1_is_reformatted(shared: Path, folder: str, frames: int, times: str) -> None:
    paths = files(shared / "dicom" / folder)
    prepared = prepare.prepare(paths, T1)
    slices = prepared.slices
    assert len(slices.frames) == frames
    assert slices.reformatted
    assert slices.missing == 0
    assert not slices.warnings
    assert 45 < len(slices.nearest) < 60
    assert times in prepared.series[0].why
    assert np.allclose(slices.affines[:, :3, 2], [0, 0, 1])
    assert all(frame.frame is not None for frame in slices.frames) == ("enhanced" in folder)
    point = slices.locate(30, 100, 120)
    here = slices.affines[30] @ [100, 120, 0, 1]
    there = point.source.affine @ [point.column, point.row, 0, 1]
    assert np.linalg.norm((here - there)[:3]) <= slices.thickness_mm / 2 + 1e-6


def test_t1_study_is_refused_by_a_flair_model(shared: Path) -> None:
    paths = files(shared / "dicom" / "philips_t1_sagittal")
    with pytest.raises(NotAnalysable) as caught:
        prepare.prepare(paths, FLAIR)
    assert str(caught.value) == (
        "no FLAIR series among 1 series (ADNI_Sag3D MPRAGE: T1 by RepetitionTime 6.501 ms,"
        " EchoTime 2.93 ms)"
    )
    assert not prepare.has_wanted(paths[:1], FLAIR)
    assert prepare.has_wanted(paths[:1], T1)


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("ge_phantom_labelled_brain", "ImagePositionPatient: 6 slices seem to be missing"),
        ("siemens_mosaic_transfer_syntaxes", "a mosaic of slices"),
        ("compressed/_jpegls/001", "ImagePositionPatient: the 4 slices cover 4 mm"),
        ("not_a_volume/sliceorientation", "less than the 60 mm that show a head"),  # stacks of two
        ("not_a_volume/slicecount", "ImagePositionPatient: the 2 slices cover 2 mm"),
        ("not_a_volume/notavolume", "Modality is CT"),
        ("not_a_volume/gantrytilting", "Modality is CT"),
    ],
)
def test_refused(shared: Path, folder: str, reason: str) -> None:
    with pytest.raises(NotAnalysable, match=reason) as caught:
        prepare.prepare(files(shared / "dicom" / folder), ANY)
    assert not any(choice.chosen for choice in caught.value.series)


def test_phantom_is_stopped_by_its_looks_alone(shared: Path) -> None:
    """Even when the gaps between its slices are closed by interpolation."""
    frames = read_frames(files(shared / "dicom" / "ge_phantom_labelled_brain"))
    places = np.array([frame.source.affine[:3, 3] for frame in frames])
    normal = frames[0].source.affine[:3, 2]
    order = np.argsort(places @ normal)
    voxels = read_pixels(frames)[order]
    affine = frames[order[0]].source.affine
    positions = (places[order] - places[order[0]]) @ normal
    sources = tuple(frames[i].source for i in order)
    with pytest.raises(NotAnalysable, match="does not look like a head"):
        check_head(find_head(prepare.Volume(voxels, affine, positions, sources)), HeadGate())


@pytest.mark.parametrize("stride", [6, pytest.param(1, marks=pytest.mark.long)])
def test_every_real_head_passes_the_gate(shared: Path, stride: int) -> None:
    with (shared / "volumes.csv").open() as file:
        paths = [shared / row["path"] for row in csv.DictReader(file)]
    assert len(paths) > 50
    refused = {}
    for path in paths[::stride]:
        try:
            check_head(find_head(prepare.load_nifti(path)), HeadGate())
        except NotAnalysable as refusal:
            refused[path.name] = str(refusal)
    assert not refused


@pytest.mark.parametrize("syntax", ["", "_j2k", "_jpeg", "_jpegls", "_rle"])
def test_compressed_equals_the_ground_truth(shared: Path, syntax: str) -> None:
    folder = shared / "dicom" / "compressed" / syntax
    volume = prepare.load_dicom(files(folder / "001"))
    truth = prepare.load_nifti(folder / "001_ground_truth.nii.gz")
    assert np.array_equal(volume.voxels, truth.voxels)
    assert np.allclose(volume.affine, truth.affine, atol=1e-3)
    assert np.allclose(volume.positions, truth.positions, atol=1e-3)


def test_nine_transfer_syntaxes_hold_one_image(shared: Path) -> None:
    paths = files(shared / "dicom" / "siemens_mosaic_transfer_syntaxes")
    images = [read_pixels(read_frames([path]))[0] for path in paths]
    assert len(images) == 9
    assert images[0].max() > 2000
    assert all(np.array_equal(image, images[0]) for image in images)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_malformed_files_are_refused_one_by_one(
    shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [p for p in (shared / "dicom" / "malformed").rglob("*") if p.is_file()]
    assert len(paths) > 200
    with caplog.at_level(logging.DEBUG, logger="msnode"):
        for path in paths:
            with pytest.raises(NotAnalysable):
                prepare.prepare([path], ANY)
            assert not prepare.has_wanted([path], ANY)
        prepare.group_studies([shared / "dicom" / "malformed"])
    assert "left out" in caplog.text
    assert not any(path.name in caplog.text for path in paths), (
        "file names may hold patients' names"
    )


def test_time_of_a_whole_head(shared: Path) -> None:
    """Far above the 2 s it takes on a quiet core: a guard against a slip, not a benchmark."""
    paths = files(shared / "dicom" / "philips_t1_sagittal")
    started = time.process_time()
    prepare.prepare(paths, T1)
    assert time.process_time() - started < 8
