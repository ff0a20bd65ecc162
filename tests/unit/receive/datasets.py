"""Encoded datasets and arrivals for the tests of the receiver."""

import hashlib
import struct
import zlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    UID,
    ComprehensiveSRStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

from msnode.receive.inbox.inbox import Inbox
from msnode.receive.inbox.part10 import Spool, file_meta
from msnode.receive.inbox.rows import Arrival
from msnode.store.patients import accession_key, patient_key

STUDY = "1.2.826.0.1.3680043.8.498.1"
SR = ComprehensiveSRStorage


def mr(**attributes: Any) -> Dataset:
    """A small MR image; attributes override or add, None removes."""
    dataset = Dataset()
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "4711"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, f"{STUDY}.1"
    dataset.Modality = "MR"
    dataset.Rows = dataset.Columns = 8
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelData = bytes(128)
    for name, value in attributes.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def encode(dataset: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """The dataset as it goes over the network."""
    syntax = UID(transfer_syntax_uid)
    stream = DicomBytesIO()
    stream.is_implicit_VR = syntax.is_implicit_VR
    stream.is_little_endian = syntax.is_little_endian
    write_dataset(stream, dataset)
    encoded = stream.getvalue()
    if syntax == DeflatedExplicitVRLittleEndian:
        deflate = zlib.compressobj(wbits=-15)
        return deflate.compress(encoded) + deflate.flush()
    return encoded


def raw_element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    """An element in Explicit VR Little Endian whose value nobody checked."""
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def arrive(inbox: Inbox, dataset: Dataset, at: float = 100.0) -> tuple[Arrival, Spool]:
    """A dataset as a file in ``incoming/``."""
    syntax = ExplicitVRLittleEndian
    meta = file_meta(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), syntax, "MRI1")
    spool = Spool(inbox.new_path(), meta, 1 << 30)
    spool.write(memoryview(encode(dataset)))
    header = spool.header(syntax)
    key = patient_key(inbox.secret, header.patient_id, header.issuer)
    number = accession_key(inbox.secret, header.accession_number)
    size = spool.size
    arrival = Arrival(header, key, syntax, size, spool.sha256, "MRI1", at, accession_key=number)
    return arrival, spool


def store(inbox: Inbox, dataset: Dataset, at: float = 100.0) -> str:
    """Keep a dataset as the listener would, and have its row written."""
    arrival, spool = arrive(inbox, dataset, at)
    try:
        return inbox.store(arrival, spool)
    finally:
        spool.close()
        inbox.flush()


def digest(dataset: Dataset) -> str:
    """Of the encoded dataset."""
    return hashlib.sha256(encode(dataset)).hexdigest()


def kept(folder: Path) -> list[Path]:
    """The files in the inbox."""
    return sorted((folder / "instances").glob("*/*"))


def rows(engine: sa.Engine, table: sa.Table) -> list[dict[str, object]]:
    """All rows of a table."""
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(table.select())]
