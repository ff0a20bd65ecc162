"""Received datasets as Part 10 files (PS3.10 7.1): written as the bytes come in, read back."""

import contextlib
import fcntl
import hashlib
import os
import struct
import tempfile
from pathlib import Path
from typing import BinaryIO

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION

from msnode.receive.header import Header, patient_key, read_header
from msnode.receive.rows import Arrival
from msnode.receive.status import NOT_UNDERSTOOD, OUT_OF_RESOURCES, StoreRefused

PREAMBLE = b"\0" * 128 + b"DICM"
GROUP_LENGTH = 12  # bytes of (0002,0000), which does not count itself


def _element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    """One element in Explicit VR Little Endian (PS3.5 7.1.2), padded to even length."""
    value += (b"\0" if vr in (b"UI", b"OB") else b" ") * (len(value) % 2)
    length = struct.pack("<xxI" if vr == b"OB" else "<H", len(value))
    return struct.pack("<HH2s", group, number, vr) + length + value


def file_meta(sop_class: str, sop_instance: str, transfer_syntax: str, sender: str) -> bytes:
    """Preamble and File Meta Information; the sender's AE title is kept in (0002,0016)."""
    elements = b"".join(
        (
            _element(2, 0x0001, b"OB", b"\0\1"),
            _element(2, 0x0002, b"UI", sop_class.encode()),
            _element(2, 0x0003, b"UI", sop_instance.encode()),
            _element(2, 0x0010, b"UI", transfer_syntax.encode()),
            _element(2, 0x0012, b"UI", PYNETDICOM_IMPLEMENTATION_UID.encode()),
            _element(2, 0x0013, b"SH", PYNETDICOM_IMPLEMENTATION_VERSION.encode()),
            _element(2, 0x0016, b"AE", sender.encode()),
        )
    )
    group_length = struct.pack("<I", len(elements))
    return PREAMBLE + _element(2, 0x0000, b"UL", group_length) + elements


class Spool:
    """An instance on its way in: a locked file in ``incoming/`` that grows with every fragment.

    Args:
        folder: ``incoming/``.
        meta: what ``file_meta`` makes.
        limit: longest dataset, bytes.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, folder: Path, meta: bytes, limit: int) -> None:
        descriptor, name = tempfile.mkstemp(dir=folder, suffix=".part")
        self.path = Path(name)
        self._file: BinaryIO = os.fdopen(descriptor, "w+b")
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # tells rebuild() that it is in use
        self._file.write(meta)
        self._start = len(meta)
        self._room = limit
        self._digest = hashlib.sha256()

    def write(self, fragment: bytes | memoryview) -> None:
        """Append a fragment of the encoded dataset.

        Raises:
            StoreRefused: 0xA700, it becomes too large.
            OSError: the disk did not take it.
        """
        self._room -= len(fragment)
        if self._room < 0:
            raise StoreRefused(OUT_OF_RESOURCES, "Larger than receive.max_instance_bytes")
        self._digest.update(fragment)
        self._file.write(fragment)

    def header(self, transfer_syntax_uid: str) -> Header:
        """What the dataset says it is; see ``read_header`` for the errors."""
        self._file.seek(self._start)
        return read_header(self._file, transfer_syntax_uid)

    def settle(self) -> tuple[int, str]:
        """Make the bytes durable; returns the file's size and the dataset's digest."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.seek(0, os.SEEK_END), self._digest.hexdigest()

    def close(self) -> None:
        """Give the lock up; a file that was not moved into the inbox is deleted."""
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a full disk: its last bytes are not wanted anyway
            self._file.close()


def discard_abandoned(path: Path) -> None:
    """Delete a half-received file, unless a process still writes to it."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        path.unlink(missing_ok=True)


def read_arrival(path: Path, secret: bytes) -> Arrival:
    """A file of the inbox as it was when it arrived.

    Raises:
        StoreRefused: it is no Part 10 file, or its dataset is not readable.
    """
    try:
        meta = read_file_meta_info(path)
        syntax, sender = str(meta.TransferSyntaxUID), str(meta.SourceApplicationEntityTitle)
    except (OSError, AttributeError, InvalidDicomError) as error:
        raise StoreRefused(NOT_UNDERSTOOD, f"no Part 10 file: {type(error).__name__}") from error
    with path.open("rb") as file:
        start = len(PREAMBLE) + GROUP_LENGTH + int(meta.FileMetaInformationGroupLength)
        file.seek(start)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(start)
        header = read_header(file, syntax)
    info = path.stat()
    key = patient_key(secret, header.patient_id, header.issuer)
    return Arrival(path, header, key, syntax, info.st_size, digest, sender, info.st_mtime)
