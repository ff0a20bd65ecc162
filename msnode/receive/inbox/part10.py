"""Received datasets as Part 10 files (PS3.10 7.1): written as the bytes come in, read back."""

import hashlib
import logging
import os
import struct
from io import BytesIO
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION

from msnode.receive.dicom.dimse_status import NOT_UNDERSTOOD, OUT_OF_RESOURCES, StoreRefused
from msnode.receive.inbox.identity import (
    LONGEST,
    Header,
    has_other_pixels,
    is_urgent,
    reaches_pixels,
    read_header,
)
from msnode.receive.inbox.rows import Arrival
from msnode.store.patients import accession_key, patient_key

log = logging.getLogger(__name__)

PREAMBLE = b"\0" * 128 + b"DICM"
HEAD = 1 << 16  # bytes kept in memory; nearly every header is shorter
GROUP_LENGTH = 12  # bytes of (0002,0000), which does not count itself


def _element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    """One element in Explicit VR Little Endian (PS3.5 7.1.2), padded to even length."""
    value += (b"\0" if vr in (b"UI", b"OB") else b" ") * (len(value) % 2)
    length = struct.pack("<xxI" if vr == b"OB" else "<H", len(value))
    return struct.pack("<HH2s", group, number, vr) + length + value


_IMPLEMENTATION = _element(2, 0x0012, b"UI", PYNETDICOM_IMPLEMENTATION_UID.encode()) + _element(
    2, 0x0013, b"SH", PYNETDICOM_IMPLEMENTATION_VERSION.encode()
)


def file_meta(sop_class: str, sop_instance: str, transfer_syntax: str, sender: str) -> bytes:
    """Preamble and File Meta Information; the sender's AE title is kept in (0002,0016)."""
    elements = b"".join(
        (
            _element(2, 0x0001, b"OB", b"\0\1"),
            _element(2, 0x0002, b"UI", sop_class.encode()),
            _element(2, 0x0003, b"UI", sop_instance.encode()),
            _element(2, 0x0010, b"UI", transfer_syntax.encode()),
            _IMPLEMENTATION,
            _element(2, 0x0016, b"AE", sender.encode()),
        )
    )
    group_length = struct.pack("<I", len(elements))
    return PREAMBLE + _element(2, 0x0000, b"UL", group_length) + elements


class Spool:
    """An instance on its way in: a file in ``incoming/`` that grows with every fragment.

    Args:
        path: of the file, which must not exist.
        meta: what ``file_meta`` makes.
        limit: longest dataset, bytes.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path | str, meta: bytes, limit: int) -> None:
        self._path = path
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._start = len(meta)
        self._room = limit
        self._limit = limit
        self._head = b""
        self._digest = hashlib.sha256()
        self._meta = memoryview(meta)  # written with the first fragment

    def _append(self, data: memoryview) -> None:
        while data:
            data = data[os.write(self._file, data) :]

    def write(self, fragment: memoryview) -> None:
        """Append a fragment of the encoded dataset.

        Raises:
            StoreRefused: 0xA700, it becomes too large.
            OSError: the disk did not take it.
        """
        self._room -= len(fragment)
        if self._room < 0:
            why = "Larger than receive.max_instance_bytes"
            raise StoreRefused(OUT_OF_RESOURCES, why, "max_instance_bytes")
        if len(self._head) < HEAD:
            self._head += fragment[:HEAD]
        self._digest.update(fragment)
        self._append(self._meta)
        self._meta = self._meta[:0]
        self._append(fragment)

    def header(self, transfer_syntax_uid: str) -> Header:
        """What the dataset says it is; see ``read_header`` for the errors."""
        try:
            return read_header(BytesIO(self._head), transfer_syntax_uid, strict=True)
        except StoreRefused:
            if self.dataset_size == len(self._head):
                raise
        with open(self._path, "rb") as file:
            file.seek(self._start)
            return read_header(file, transfer_syntax_uid, strict=True)

    def is_urgent(self, transfer_syntax_uid: str) -> bool:
        """Whether the dataset says that it is urgent."""
        return is_urgent(self._head, transfer_syntax_uid)

    def has_other_pixels(self, transfer_syntax_uid: str) -> bool:
        """Whether the dataset was made for another transfer syntax, by its PixelData."""
        head = self._head
        if self.dataset_size > len(head) and not reaches_pixels(head):  # an Enhanced MR Image's
            with open(self._path, "rb") as file:
                file.seek(self._start)
                head = file.read(LONGEST)
        return has_other_pixels(head, transfer_syntax_uid)

    @property
    def dataset_size(self) -> int:
        """Size of the encoded dataset so far, bytes."""
        return self._limit - self._room

    @property
    def size(self) -> int:
        """Size of the file so far, bytes."""
        return self._start + self.dataset_size

    @property
    def sha256(self) -> str:
        """Hex digest of the dataset so far."""
        return self._digest.hexdigest()

    def link(self, place: Path | str) -> bool:
        """Give the file its final name as well and make its content durable.

        Returns:
            False if the same content was there already. This file replaces it all the same: the
            other one may be damaged, by a power cut half-way or a bad disk.

        Raises:
            OSError: the disk did not take it. The file does not get the name then, as a second
                fsync of the same pages may succeed although they were lost.
        """
        try:
            os.link(self._path, place)
        except FileExistsError:
            os.fsync(self._file)
            twin = Path(self._path).with_suffix(".twin")
            twin.hardlink_to(self._path)
            twin.replace(place)
            twin.unlink(missing_ok=True)  # rename(2) does nothing where both are one file
            return False
        try:
            os.fsync(self._file)
        except OSError:
            os.unlink(place)
            raise
        return True

    def close(self) -> None:
        """Remove the file from ``incoming/``; a link in ``instances/`` stays."""
        os.close(self._file)
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            log.debug("already gone")
        except OSError as error:  # the answer stays valid; the next start removes the file
            name = os.path.basename(self._path)
            log.error("left in incoming file=%s error=%s", name, error.strerror)


def read_meta(path: Path) -> tuple[str, str, int]:
    """Transfer syntax and sender of a file of the inbox, and where its dataset begins.

    Raises:
        StoreRefused: it is no Part 10 file.
        OSError: the disk cannot read it.
    """
    try:
        meta = read_file_meta_info(path)
        start = len(PREAMBLE) + GROUP_LENGTH + int(meta.FileMetaInformationGroupLength)
        sender = str(meta.get("SourceApplicationEntityTitle", ""))
        return str(meta.TransferSyntaxUID), sender, start
    except OSError:
        raise
    except Exception as error:  # pydicom and struct raise many kinds for a file that ends early
        raise StoreRefused(NOT_UNDERSTOOD, f"no Part 10 file: {type(error).__name__}") from error


def read_arrival(path: Path, secret: bytes) -> Arrival:
    """A file of the inbox as it was when it arrived.

    Raises:
        StoreRefused: it is no Part 10 file, or its dataset is not readable.
        OSError: the disk cannot read it.
    """
    syntax, sender, start = read_meta(path)
    with path.open("rb") as file:
        file.seek(start)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(start)
        header = read_header(file, syntax)
    info = path.stat()
    key = patient_key(secret, header.patient_id, header.issuer)
    accession = accession_key(secret, header.accession_number)
    return Arrival(
        header, key, syntax, info.st_size, digest, sender, info.st_mtime, accession_key=accession
    )
