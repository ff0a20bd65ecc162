"""Blood smears: drawn ones with which a network is trained for tests, and pictures as DICOM.

What is drawn is of nobody and means nothing: discs with a dark nucleus stand for one class, discs
without for the other.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    VLMicroscopicImageStorage,
    generate_uid,
)

from msnode.cli.main import main

SIDE = 96
"""Of a drawn picture, pixels."""
NOTICE = "Trained on drawn, synthetic cells for a test: it says nothing about anybody."
UInt8Array = NDArray[np.uint8]


def drawn(seed: int, *, nuclei: bool, size: tuple[int, int] = (SIDE, SIDE)) -> UInt8Array:
    """(rows, columns, 3) uint8: reddish discs on a pale ground, with or without a dark nucleus."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    picture = np.full((*size, 3), (236, 226, 230), np.float64)
    for _ in range(size[0] * size[1] // 900):
        row, column = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        away = np.hypot(y - row, x - column)
        picture[away < 11] = (214, 150, 158)
        if nuclei:
            picture[away < 5] = (96, 60, 130)
    return np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def write_index(folder: Path, persons: int = 12, pictures: int = 2, **sexes: str) -> Path:
    """An index of drawn pictures; half of the persons are of each class.

    Args:
        folder: gets pictures and index.
        persons: how many.
        pictures: of each.
        sexes: by person; else in turn.
    """
    folder.mkdir(parents=True)
    rows = []
    for number in range(persons):
        person, is_ms = f"synthetic-{number:02}", bool(number % 2)
        for one in range(pictures):
            name = f"{person}-{one}.png"
            seed = 100 * number + one
            Image.fromarray(drawn(seed, nuclei=is_ms)).save(folder / name)
            sex = sexes.get(person, "FM"[number // 2 % 2])
            rows.append({"path": name, "person": person, "label": "ms" if is_ms else "control",
                         "sex": sex, "age": 40})  # fmt: skip
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "index.csv"


def train(folder: Path) -> Path:
    """Train a small Swin Transformer on drawn pictures by `msnode train`; returns its bundle."""
    index = write_index(folder / "drawn", persons=12, pictures=1)
    arguments = "arguments={width: 32, depths: [1, 1, 1, 1]}"
    settings = (arguments, f"tile_px={SIDE}", "epochs=4", "batch=4", "lr=0.001", "patience=0")
    changes = [part for one in settings for part in ("--set", one)]
    command = ["train", str(index), "--out", str(folder / "run"), "--preset", "swin-smears"]
    done = CliRunner().invoke(main, [*command, *changes])
    assert done.exit_code == 0, done.output
    manifest = folder / "run" / "bundle" / "bundle.yaml"
    told: dict[str, Any] = yaml.safe_load(manifest.read_text())
    manifest.write_text(yaml.safe_dump(told | {"notice": NOTICE}, sort_keys=False))
    return manifest.parent


def dicom(
    picture: UInt8Array | bytes,
    sop_class: UID = VLMicroscopicImageStorage,
    syntax: UID = ExplicitVRLittleEndian,
    **attributes: Any,
) -> Dataset:
    """A picture as a DICOM image of a study of its own, unless attributes say otherwise.

    Args:
        picture: (rows, columns, 3) uint8, or a JPEG file's content with ``Rows`` and ``Columns``.
        sop_class: of the image.
        syntax: of its pixels.
        attributes: by keyword.
    """
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = "S1", "Smear^Test", "", "O"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20260101", "120000", "1", ""
    ds.ReferringPhysicianName, ds.Modality, ds.Manufacturer = "", "GM", "test"
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.AcquisitionContextSequence = []
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation, ds.LossyImageCompression = 7, 0, "00"
    if isinstance(picture, bytes):
        from pydicom.encaps import encapsulate

        ds.PixelData = encapsulate([picture])
        ds.PhotometricInterpretation, ds.LossyImageCompression = "YBR_FULL_422", "01"
        ds.LossyImageCompressionMethod, ds.LossyImageCompressionRatio = "ISO_10918_1", "10"
    else:
        ds.Rows, ds.Columns = picture.shape[:2]
        ds.PixelData = picture.tobytes()
    ds["PixelData"].VR = "OB"
    for name, value in attributes.items():
        setattr(ds, name, value)
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def write(folder: Path, images: Sequence[Dataset]) -> tuple[Path, ...]:
    """Write images as files of one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / f"{number:03}.dcm" for number in range(len(images)))
    for path, one in zip(paths, images, strict=True):
        one.save_as(path, enforce_file_format=True)
    return paths


def said(document: Dataset) -> str:
    """All words and codes of an object, whole: pydicom's own text of it cuts long ones."""
    binary = ("SQ", "OB", "OW")
    return " ".join(str(e.value) for e in document.iterall() if e.VR not in binary).upper()
