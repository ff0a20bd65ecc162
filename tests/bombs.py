"""Files that promise, nest or unpack into more than any reader can take."""

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pydicom
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tests.unit.prepare.series import enhanced

Bomb = Callable[[Sequence[Path], Path], list[Path]]
"""From the files of a study and a folder to the files of a study that does harm."""

SQ = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
"""ReferencedImageSequence of undefined length; stands before all that tells a study's identity."""
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
EMPTY_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)


def _spoilt(
    paths: Sequence[Path], folder: Path, spoil: Callable[[pydicom.Dataset], None]
) -> list[Path]:
    """Copies of files with something done to their data sets."""
    made = []
    for path in paths:
        dataset = pydicom.dcmread(path)
        spoil(dataset)
        dataset.save_as(folder / path.name)
        made.append(folder / path.name)
    return made


def _with(elements: bytes, path: Path, target: Path) -> Path:
    """A copy of a file in Explicit VR Little Endian whose data set begins with these elements."""
    whole, start = _split(path)
    with target.open("wb") as file:
        file.write(whole[:start])
        file.write(elements)
        file.write(whole[start:])
    return target


def _split(path: Path) -> tuple[bytes, int]:
    """A file's bytes, and where its data set begins."""
    return path.read_bytes(), 144 + read_file_meta_info(path).FileMetaInformationGroupLength


def promised_pixels(paths: Sequence[Path], folder: Path) -> list[Path]:
    """60000 x 60000 pixels an image, by the header."""

    def spoil(dataset: pydicom.Dataset) -> None:
        dataset.Rows = dataset.Columns = 60000

    return _spoilt(paths, folder, spoil)


def promised_frames(paths: Sequence[Path], folder: Path) -> list[Path]:
    """100,000 frames in an image that has one."""

    def spoil(dataset: pydicom.Dataset) -> None:
        dataset.NumberOfFrames = 100_000

    return _spoilt(paths, folder, spoil)


def missing_frames(paths: Sequence[Path], folder: Path) -> list[Path]:
    """An Enhanced MR image with the pixels of half of its frames."""
    whole = enhanced(paths, folder / "enhanced.dcm")
    dataset = pydicom.dcmread(whole)
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 4 * 2]
    dataset.save_as(whole)
    return [whole]


def deflated(paths: Sequence[Path], folder: Path) -> list[Path]:
    """4 GiB of zeros in 4 MB (PS3.5 A.5), behind a header that is sound."""
    dataset = pydicom.dcmread(paths[0])
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.SeriesInstanceUID += ".9"
    dataset.SOPInstanceUID = "2.25.999"
    dataset.file_meta.MediaStorageSOPInstanceUID = UID("2.25.999")
    del dataset.PixelData
    dataset.save_as(folder / "sound.dcm")
    whole, start = _split(folder / "sound.dcm")
    zeros = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 0xFFFFFFF0)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = deflate.compress(zlib.decompress(whole[start:], -zlib.MAX_WBITS) + zeros)
    head += deflate.flush(zlib.Z_FULL_FLUSH)
    block = deflate.compress(bytes(1 << 24)) + deflate.flush(zlib.Z_FULL_FLUSH)  # stands for itself
    (folder / "sound.dcm").unlink()
    bomb = folder / "deflated.dcm"
    bomb.write_bytes(whole[:start] + head + block * 256 + deflate.flush())
    return [*paths, bomb]


def _compressed(
    paths: Sequence[Path], folder: Path, syntax: str, marker: bytes, sizes: dict[int, str]
) -> list[Path]:
    """Compressed images whose code stream says 60000 where ``sizes`` has an offset and a format."""

    def spoil(dataset: pydicom.Dataset) -> None:
        dataset.compress(syntax, generate_instance_uid=False)
        stream = bytearray(dataset.PixelData)
        at = stream.index(marker)
        for offset, form in sizes.items():
            struct.pack_into(form, stream, at + offset, 60000)
        dataset.PixelData = bytes(stream)

    return _spoilt(paths, folder, spoil)


def jpeg_2000(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Code streams of 60000 x 60000 (Xsiz, Ysiz, XTsiz, YTsiz of ISO/IEC 15444-1 A.5.1)."""
    return _compressed(
        paths, folder, JPEG2000Lossless, b"\xff\x51", dict.fromkeys((6, 10, 22, 26), ">I")
    )


def jpeg_ls(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Frames of 60000 x 60000 (Y and X of the frame header, ISO/IEC 14495-1 C.1.1)."""
    return _compressed(paths, folder, JPEGLSLossless, b"\xff\xf7", dict.fromkeys((5, 7), ">H"))


def run_lengths(paths: Sequence[Path], folder: Path) -> list[Path]:
    """RLE segments (PS3.5 G) that unpack to 1 GiB in place of 64 KiB."""
    segment = b"\x81\x00" * (4 << 20)  # 128 zeros each
    header = struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13)
    frame = header + segment + segment

    def spoil(dataset: pydicom.Dataset) -> None:
        dataset.PixelData = pydicom.encaps.encapsulate([frame])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = RLELossless

    return [*_spoilt(paths[:1], folder, spoil), *paths[1:]]


def nested(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Sequences in sequences, 100,000 deep."""
    return [_with((SQ + ITEM) * 100_000, paths[0], folder / "nested.dcm"), *paths[1:]]


def nested_behind(paths: Sequence[Path], folder: Path) -> list[Path]:
    """One image whose sequences nest 10,000 deep, behind all that tells its identity."""
    whole = paths[0].read_bytes()
    place = whole.index(struct.pack("<HH2s", 0x0028, 0x0002, b"US"))
    deep = struct.pack("<HH2sHI", 0x0020, 0x9222, b"SQ", 0, 0xFFFFFFFF) + ITEM
    target = folder / "nested_behind.dcm"
    target.write_bytes(whole[:place] + deep * 10_000 + whole[place:])
    return [target]


def long_element(paths: Sequence[Path], folder: Path) -> list[Path]:
    """An element that says it has 4 GiB."""
    head = struct.pack("<HH2sHI", 0x0008, 0x0001, b"OB", 0, 0xFFFFFFF0)
    return [_with(head, paths[0], folder / "long.dcm"), *paths[1:]]


def tiny_elements(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Five million empty elements: nothing but time."""
    tiny = struct.pack("<HH2sH", 0x0008, 0x0001, b"LO", 0)
    return [_with(tiny * 5_000_000, paths[0], folder / "tiny.dcm"), *paths[1:]]


def many_items(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Five million empty items: each is an object of its own in memory."""
    return [_with(SQ + EMPTY_ITEM * 5_000_000, paths[0], folder / "items.dcm"), *paths[1:]]
