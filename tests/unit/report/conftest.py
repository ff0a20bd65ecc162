"""Reports of synthetic heads, with a classic MR series behind them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from msnode.records import (
    Decision,
    Finding,
    Float32Array,
    Float64Array,
    ModelInfo,
    Report,
    Scores,
    SeriesChoice,
    SliceFinding,
    Slices,
    SourceFrame,
    SourcePoint,
)

STUDY = "1.2.826.0.1.3680043.8.498.1"
SERIES = f"{STUDY}.2"
MODEL = ModelInfo(
    name="hybrid",
    version="1.0.0",
    digest="c0ffee" * 10 + "beef",
    threshold=0.5,
    sensitivity=0.91,
    specificity=0.84,
    measured_on="14 people of one site, split by person",
    notice="Trained on 14 people; not a medical device.",
)

MakeReport = Callable[..., Report]


def head(count: int, size: int = 224) -> Float32Array:
    """(count, 3, size, size) float32 in [0, 1]: ellipsoid, ventricles, some bright spots."""
    z = np.linspace(-0.9, 0.9, count)[:, None, None]
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j][:, None]
    r = (x / 0.72) ** 2 + (y / 0.88) ** 2 + z**2
    image = np.where(r < 1, 0.45, 0.0)
    image = np.where((r > 0.86) & (r < 1), 0.62, image)
    image = np.where(
        ((abs(x) - 0.13) / 0.09) ** 2 + (y / 0.3) ** 2 + (z / 0.5) ** 2 < 1, 0.1, image
    )
    for a, b, c in ((0.3, -0.2, 0.1), (-0.28, 0.1, 0.2), (-0.2, 0.35, -0.1)):
        image = np.where((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2 / 4 < 0.004, 0.95, image)
    image = np.clip(image + np.random.default_rng(1).normal(0, 0.02, image.shape), 0, 1)
    return np.repeat(image[:, None].astype(np.float32), 3, axis=1)


def affine(z: float, spacing: float) -> Float64Array:
    """Axial in LPS, first pixel right and anterior."""
    matrix = np.diag([spacing, spacing, 1.0, 1.0])
    matrix[:3, 3] = (-112 * spacing, -112 * spacing, z)
    return matrix


def source(index: int, z: float, pixels: Float32Array, folder: Path) -> tuple[SourceFrame, Path]:
    """Write one slice as a classic MR image."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, f"{SERIES}.{index + 1}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    dataset.FrameOfReferenceUID = f"{STUDY}.9"
    dataset.PositionReferenceIndicator = ""
    dataset.PatientName, dataset.PatientID = "Müller^Änne", "P-0815"
    dataset.IssuerOfPatientID = "HOSPITAL"
    dataset.PatientBirthDate, dataset.PatientSex = "19800229", "F"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20250102", "101500", "77"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "A1", "Haus^Greg"
    dataset.StudyDescription, dataset.SeriesDescription = "MR Kopf", "FLAIR tra"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "MR", 3, index + 1
    dataset.Manufacturer = "Synthetic"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    dataset.ScanningSequence, dataset.SequenceVariant = ["SE", "IR"], "SK"
    dataset.Laterality = ""
    dataset.ScanOptions, dataset.MRAcquisitionType = "", "2D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.InversionTime = "9000", "120", "2500"
    dataset.EchoTrainLength = "20"
    dataset.SliceThickness, dataset.PixelSpacing = "5", ["1", "1"]
    dataset.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    dataset.ImagePositionPatient = ["-112", "-112", f"{z:.4f}"]
    dataset.PatientPosition = "HFS"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.PixelData = (pixels * 4000).astype(np.uint16).tobytes()
    path = folder / f"{index + 1:03}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    matrix = affine(z, 1.0)
    rows, columns = pixels.shape
    uid = dataset.SOPInstanceUID
    return SourceFrame(MRImageStorage, uid, SERIES, None, rows, columns, matrix), path


def saliency(pixels: Float32Array) -> Float32Array:
    """(slices, rows, cols) float32 in [0, 1]: smooth blobs over the bright spots."""
    from scipy import ndimage

    spots = (pixels[:, 0] > 0.85).astype(np.float32)
    smooth = ndimage.gaussian_filter(spots, (0, 9, 9))
    return (smooth / max(float(smooth.max()), 1e-6)).astype(np.float32)


def findings(frames: list[SourceFrame], heat: Float32Array, top: float) -> list[SliceFinding]:
    """Probabilities that follow the saliency, with the highest ``top``."""
    strength = heat.reshape(len(heat), -1).max(axis=1)
    found = []
    for i, frame in enumerate(frames):
        row, col = np.unravel_index(int(heat[i].argmax()), heat[i].shape)
        point = SourcePoint(frame, float(col), float(row))
        probability = float(0.03 + (top - 0.03) * strength[i])
        found.append(SliceFinding(i, probability, frame, point, float(heat[i].max())))
    return found


@pytest.fixture
def make_report(tmp_path: Path) -> MakeReport:
    """A factory of reports: number of slices, decision and probability as wanted."""

    def make(count: int = 24, decision: Decision = "present", probability: float = 0.87) -> Report:
        folder = tmp_path / f"source-{count}"
        folder.mkdir(exist_ok=True)
        pixels, heights = head(count), np.linspace(-60, 70, count)
        made = [source(i, float(heights[i]), pixels[i, 0], folder) for i in range(count)]
        frames = [frame for frame, _ in made]
        heat = saliency(pixels)
        found = findings(frames, heat, min(probability + 0.08, 0.99))
        return Report(
            study_instance_uid=STUDY,
            generation=1,
            header=made[0][1],
            evidence=tuple(path for _, path in made),
            series=(
                SeriesChoice(SERIES, "FLAIR tra", count, True, "FLAIR: TR 9000, TI 2500 ms; axial"),
                SeriesChoice(f"{STUDY}.5", "localizer", 3, False, "ImageType says LOCALIZER"),
            ),
            model=MODEL,
            created_at=1735812345.678,
            finding=Finding(probability, MODEL.threshold, decision, tuple(found)),
            slices=Slices(
                pixels, np.stack([affine(float(z), 1.0) for z in heights]), tuple(frames),
                tuple(range(count)), 130 / max(count - 1, 1), False, 0, ("trained on 6.4-8.1 mm",),
            ),
            scores=Scores(np.array([f.probability for f in found], np.float32), heat),
            seconds={"prepare": 0.4, "classify": 3.1},
        )  # fmt: skip

    return make


@pytest.fixture
def header(make_report: MakeReport) -> Dataset:
    """The source header of the synthetic study."""
    return pydicom.dcmread(make_report(3).header)
