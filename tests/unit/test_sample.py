"""The sample study: a valid series whose pixels lie where the NIfTI file says."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from msnode import sample
from tests import nifti


@pytest.mark.parametrize("how", [sample.FLAIR, sample.T1, sample.T2])
def test_series_passes_dciodvfy(tmp_path: Path, how: sample.Acquisition) -> None:
    tool = shutil.which("dciodvfy")
    assert tool, "dciodvfy is missing: install the Debian package dicom3tools"
    path = sample.write_series(sample.nifti(), tmp_path, how)[18]
    ran = subprocess.run([tool, "-new", path], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "Error" not in ran.stderr


def test_same_uids_each_time_and_others_on_request(
    sample_study: Sequence[Path], tmp_path: Path
) -> None:
    again = sample.write_study(tmp_path / "again")
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in sample_study]
    other = sample.write_study(tmp_path / "other", study_uid=generate_uid(), patient_id="X")
    first, fresh = pydicom.dcmread(sample_study[0]), pydicom.dcmread(other[0])
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "AccessionNumber"):
        assert first[keyword].value != fresh[keyword].value
    assert fresh.PatientID == "X"
    series = pydicom.dcmread(sample.write_study(tmp_path / "series", series_uid="2.25.7")[0])
    assert series.SeriesInstanceUID == "2.25.7"
    assert series.StudyInstanceUID == first.StudyInstanceUID


def test_voxels_lie_where_the_nifti_says(sample_study: Sequence[Path]) -> None:
    voxels, affine = nifti.read(sample.nifti())
    for index in (0, 17, 35):
        dataset = pydicom.dcmread(sample_study[index])
        assert np.array_equal(dataset.pixel_array, voxels[:, :, index].T)
        x, y = np.reshape(dataset.ImageOrientationPatient, (2, 3)).astype(float)
        spacing = [float(s) for s in dataset.PixelSpacing]
        column, row = 11, 23
        lps = np.array(dataset.ImagePositionPatient, float)
        lps = lps + x * spacing[1] * column + y * spacing[0] * row
        ras = affine @ [column, row, index, 1]
        assert np.allclose(lps, [-ras[0], -ras[1], ras[2]], atol=1e-4)


def test_negative_and_too_large_voxels(tmp_path: Path) -> None:
    values = np.zeros((4, 5, 6), np.float32)
    values[0, 0, 0] = -3
    nifti.write(tmp_path / "signed.nii", values, np.eye(4))
    paths = sample.write_series(tmp_path / "signed.nii", tmp_path / "signed")
    assert pydicom.dcmread(paths[0]).pixel_array[0, 0] == -3
    values[0, 0, 0] = 70000
    nifti.write(tmp_path / "large.nii", values, np.eye(4))
    with pytest.raises(ValueError, match="16 bit"):
        sample.write_series(tmp_path / "large.nii", tmp_path / "large")
