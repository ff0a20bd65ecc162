"""DICOM series for the tests: the sample's files with changes."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian

from msnode.records.images import InputContract

FLAIR = InputContract(("FLAIR",), 64, 64)
Change = Callable[[Dataset, int], None]


def changed(paths: Sequence[Path], folder: Path, change: Change) -> list[Path]:
    """Copies of files, each data set changed in place by ``change(dataset, index)``."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for index, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        change(dataset, index)
        written.append(folder / f"{index:04d}.dcm")
        dataset.save_as(written[-1])
    return written


def enhanced(paths: Sequence[Path], path: Path, repeats: int = 1) -> Path:
    """One Enhanced MR Image of a classic series, frames interleaved: for each position
    ``repeats`` time points, of which each later one is 100 brighter."""
    datasets = [pydicom.dcmread(p) for p in paths]
    first = datasets[0]
    image = copy.deepcopy(first)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(image, keyword)
    for keyword in ("RepetitionTime", "EchoTime", "InversionTime", "ScanningSequence"):
        delattr(image, keyword)
    image.SOPClassUID = EnhancedMRImageStorage
    image.SOPInstanceUID = first.SOPInstanceUID + ".1"
    image.EchoPulseSequence = "SPIN"
    image.NumberOfFrames = len(datasets) * repeats
    image.SharedFunctionalGroupsSequence = Items([_shared(first)])
    image.PerFrameFunctionalGroupsSequence = Items(
        [_frame(d, time) for d in datasets for time in range(repeats)]
    )
    image.PixelData = b"".join(
        (d.pixel_array + 100 * time).astype("<u2").tobytes()
        for d in datasets
        for time in range(repeats)
    )
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.save_as(path, enforce_file_format=True)
    return path


def _item(**attributes: object) -> Items:
    """A sequence of one item."""
    item = Dataset()
    for keyword, content in attributes.items():
        setattr(item, keyword, content)
    return Items([item])


def _shared(first: Dataset) -> Dataset:
    """Shared functional groups: the times, the spacing, the rescaling (slope 2)."""
    group = Dataset()
    group.MRTimingAndRelatedParametersSequence = _item(RepetitionTime=first.RepetitionTime)
    group.MREchoSequence = _item(EffectiveEchoTime=float(first.EchoTime))
    group.MRModifierSequence = _item(
        InversionRecovery="YES", InversionTimes=float(first.InversionTime)
    )
    group.PixelMeasuresSequence = _item(PixelSpacing=first.PixelSpacing)
    group.PlaneOrientationSequence = _item(ImageOrientationPatient=first.ImageOrientationPatient)
    group.PixelValueTransformationSequence = _item(RescaleSlope=2, RescaleIntercept=-10)
    return group


def _frame(dataset: Dataset, time: int) -> Dataset:
    """Per-frame functional groups."""
    group = Dataset()
    group.PlanePositionSequence = _item(ImagePositionPatient=dataset.ImagePositionPatient)
    group.FrameContentSequence = _item(TemporalPositionIndex=time + 1)
    return group
