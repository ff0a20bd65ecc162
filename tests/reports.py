"""Reports for tests: of synthetic heads with a classic MR series, and of the sample study."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from scipy import ndimage

from msnode import prepare, sample
from msnode.records.images import (
    Float32Array,
    Float64Array,
    InputContract,
    SeriesChoice,
    Slices,
    SourceFrame,
)
from msnode.records.population import Acquisition, Strata, outside
from msnode.records.results import (
    Decision,
    Finding,
    ModelInfo,
    Priority,
    Report,
    Scores,
    SliceFinding,
)
from msnode.records.sentences import Sentence, Text

STUDY = "1.2.826.0.1.3680043.8.498.1"
SERIES = f"{STUDY}.2"
STRATA = Strata((18, None), (1.5, 1.5), (6.4, 8.1), ("Toshiba",), ("2D",))
MODEL = ModelInfo(
    name="hybrid",
    version="1.0.0",
    digest="c0ffee" * 10 + "beef",
    threshold=0.5,
    sensitivity=0.91,
    specificity=0.84,
    measured_on="14 people of one site, split by person",
    notice="Trained on 14 people; not a medical device.",
    strata=STRATA,
)
WHY = Sentence(
    "wanted",
    kind="FLAIR",
    by=Sentence("times_inversion", inversion=2500.0, repetition=9000.0, echo=120.0),
    origin=Sentence("original"),
    plane=Sentence("axial"),
    count=24,
)
LOCALIZER = Sentence("by_image_type", what=Sentence("localizer"), term="LOCALIZER")
ACQUISITION = Acquisition(45.2, 3.0, 5.0, "SIEMENS", "2D")


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
    """(slices, rows, cols) float32 in [0, 1]: smooth blobs over small bright spots in the head."""
    grey = pixels[:, 0]
    inner = ndimage.uniform_filter((grey > 0.15).astype(np.float32), (0, 51, 51)) > 0.9
    small, large = (ndimage.gaussian_filter(grey, (0, sigma, sigma)) for sigma in (1.5, 10))
    contrast = np.where(inner, small - large, 0)
    spots = (contrast > np.quantile(contrast[inner], 0.99)).astype(np.float32)
    smooth = ndimage.gaussian_filter(spots, (0, 6, 6))
    heat: Float32Array = (smooth / max(float(smooth.max()), 1e-6)).astype(np.float32)
    return heat


def findings(slices: Slices, heat: Float32Array, top: float) -> tuple[SliceFinding, ...]:
    """Probabilities that follow the saliency, with the highest ``top``."""
    strength = heat.reshape(len(heat), -1).max(axis=1)
    found = []
    for i, one in enumerate(heat):
        row, col = np.unravel_index(int(one.argmax()), one.shape)
        probability = float(0.03 + (top - 0.03) * strength[i])
        point = slices.locate(i, float(col), float(row))
        found.append(SliceFinding(i, probability, slices.source(i), point, float(one.max())))
    return tuple(found)


def synthetic(
    folder: Path, count: int = 24, decision: Decision = "present", probability: float = 0.87
) -> Report:
    """A report of a synthetic head, with its source images in ``folder``."""
    pixels, heights = head(count), np.linspace(-60, 70, count)
    made = [source(i, float(heights[i]), pixels[i, 0], folder) for i in range(count)]
    frames = tuple(frame for frame, _ in made)
    slices = Slices(
        pixels=pixels,
        affines=np.stack([affine(float(z), 1.0) for z in heights]),
        frames=frames,
        nearest=tuple(range(count)),
        thickness_mm=130 / max(count - 1, 1),
        reformatted=False,
        missing=0,
        warnings=outside(STRATA, ACQUISITION, 130 / max(count - 1, 1)),
        gate=0.93,
        acquisition=ACQUISITION,
    )
    series = (
        SeriesChoice(SERIES, "FLAIR tra", count, True, WHY),
        SeriesChoice(f"{STUDY}.5", "localizer", 3, False, LOCALIZER),
    )
    paths = tuple(path for _, path in made)
    return analysed(STUDY, paths, series, slices, decision, probability)


def real(folder: Path, decision: Decision = "present", probability: float = 0.87) -> Report:
    """A report of the sample study; the saliency stands in for a model's."""
    contract = InputContract(("FLAIR",), 224, 224)
    ready = prepare.prepare(list(sample.write_study(folder)), contract)
    study = str(pydicom.dcmread(ready.paths[0], stop_before_pixels=True).StudyInstanceUID)
    return analysed(study, ready.paths, ready.series, ready.slices, decision, probability)


def not_analysed(report: Report, reason: Text) -> Report:
    """The same study without a finding."""
    series = tuple(replace(choice, chosen=False, why=reason) for choice in report.series)
    return replace(
        report, finding=None, slices=None, scores=None, reason=reason, series=series, priority=None
    )


def analysed(
    study: str,
    paths: tuple[Path, ...],
    series: tuple[SeriesChoice, ...],
    slices: Slices,
    decision: Decision = "present",
    probability: float = 0.87,
) -> Report:
    """A report of slices; the saliency stands in for a model's."""
    heat = saliency(slices.pixels)
    found = findings(slices, heat, min(probability + 0.08, 0.99))
    return Report(
        study_instance_uid=study,
        generation=1,
        header=paths[0],
        evidence=paths,
        series=series,
        model=MODEL,
        created_at=1735812345.678,
        finding=Finding(probability, MODEL.threshold, decision, found),
        slices=slices,
        scores=Scores(np.array([one.probability for one in found], np.float32), heat),
        seconds={"prepare": 0.4, "classify": 3.1},
        priority=Priority(decision == "present", "a rule of the site"),
    )
