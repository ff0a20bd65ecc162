"""One Enhanced MR image, larger and larger: it must never be in memory as a whole.

The file is written frame by frame, and dcmsend reads it as it sends it.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

from bench.growth.figures import Found, medians, spread
from bench.growth.receiver import MB_A_GB, MEMORY, Run, in_turn, memory_cells, seconds_by_size
from msnode import config

SIZES_GB = (0.25, 1.0, 4.0)
HEAD = ("GB", "seconds", "MB/s", *MEMORY)
SIDE = 512
FRAME = 2 * SIDE * SIDE  # bytes
PIXEL_DATA = b"\xe0\x7f\x10\x00OW\0\0"  # Explicit VR Little Endian, before its length (PS3.5 7.1.2)


def header(frames: int) -> Dataset:
    """All but the pixels."""
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = EnhancedMRImageStorage, generate_uid()
    image.PatientID, image.PatientName, image.Modality = "BENCH", "Bench", "MR"
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.Rows = image.Columns = SIDE
    image.NumberOfFrames = frames
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 0
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.PerFrameFunctionalGroupsSequence = [group(number) for number in range(frames)]
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def group(number: int) -> Dataset:
    """Where a frame is: these make headers long."""
    place, functional = Dataset(), Dataset()
    place.ImagePositionPatient = [0, 0, number]
    functional.PlanePositionSequence = [place]
    return functional


def make_image(path: Path, size: float) -> None:
    """Write one with so many bytes of pixels."""
    frames = max(round(size / FRAME), 1)
    path.parent.mkdir(parents=True)
    header(frames).save_as(path, enforce_file_format=True)
    noise = np.random.default_rng(0)
    with path.open("ab") as file:
        file.write(PIXEL_DATA + (frames * FRAME).to_bytes(4, "little"))
        for _ in range(frames):
            file.write(noise.bytes(FRAME))


def measure(folder: Path, scale: float) -> Found:
    """Each size in turn, several times over."""
    sources = {size * scale: folder / f"image{size * scale}" for size in SIZES_GB}
    for size, source in sources.items():
        make_image(source / "0" / "0.dcm", 1e9 * size)
    runs: dict[float, list[Run]] = defaultdict(list)
    for size, _, run in in_turn(folder, sources):
        runs[size].append(run)
    curves = {
        "seconds to receive": seconds_by_size(runs),
        "MB at most": medians({size: [run.used.peak for run in runs[size]] for size in runs}),
    }
    rows = [row(size, some) for size, some in runs.items()]
    return Found("One Enhanced MR image", HEAD, rows, "GB", curves, notes())


def row(size: float, runs: Sequence[Run]) -> list[str]:
    """One size."""
    rates = [run.weight / 1e6 / run.seconds for run in runs]
    return [
        f"{size:g}", spread([run.seconds for run in runs], 2), spread(rates), *memory_cells(runs)
    ]  # fmt: skip


def notes() -> list[str]:
    """Goal and limit."""
    limit = config.Receive().max_instance_bytes / 1e9
    return [
        f"Goal: {MB_A_GB:.0f} MB/GB. `receive.max_instance_bytes` refuses more than {limit:.2f} GB "
        "by default; uncompressed pixels cannot be longer, either (PS3.5 7.1)."
    ]
