"""Stored values to physical intensities (PS3.3 C.7.6.3, C.7.6.16.2.9, C.11.1)."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels

from msnode.errors import NotAnalysable
from msnode.prepare.attributes import number, read, text, value
from msnode.prepare.frames import Frame
from msnode.records.images import Float32Array
from msnode.records.sentences import Sentence

_ATTRIBUTES = (
    *("PixelData", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "PhotometricInterpretation"),
    *("PlanarConfiguration", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
)


def read_pixels(frames: Sequence[Frame]) -> Float32Array:
    """Decode frames, one file and one frame at a time.

    Returns:
        (frames, rows, columns) float32: stored values with slope and intercept applied,
        MONOCHROME1 inverted so that more signal is larger, padding set to the least value.

    Raises:
        NotAnalysable: naming the attribute for which the pixels cannot be used.
    """
    first = frames[0].source
    voxels = np.empty((len(frames), first.rows, first.columns), np.float32)
    places = sorted(range(len(frames)), key=lambda i: (frames[i].path, frames[i].source.frame or 0))
    for path, group in groupby(places, key=lambda i: frames[i].path):
        wanted = list(group)
        dataset = read(path, *_ATTRIBUTES)
        _usable(dataset)
        stored = _decoded(dataset, [(frames[i].source.frame or 1) - 1 for i in wanted])
        for i, image in zip(wanted, stored, strict=True):
            voxels[i] = _physical(image, dataset, frames[i])
    return voxels


def _usable(dataset: Dataset) -> None:
    """Refuse what is no grey image before it is decoded."""
    if not value(dataset, "PixelData"):
        raise NotAnalysable(Sentence("no_pixels"))
    if number(value(dataset, "SamplesPerPixel")) != 1:
        raise NotAnalysable(Sentence("not_grey"))
    interpretation = text(value(dataset, "PhotometricInterpretation"))
    if interpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise NotAnalysable(Sentence("photometric", found=interpretation[:16]))
    allocated = number(value(dataset, "BitsAllocated"))
    stored = number(value(dataset, "BitsStored"))
    if allocated not in (8, 16, 32) or not 0 < (stored or 0) <= allocated:
        raise NotAnalysable(Sentence("bits", allocated=str(allocated), stored=str(stored)))


def _decoded(dataset: Dataset, indices: list[int]) -> Iterator[np.ndarray[Any, Any]]:
    """Stored values of frames, each (rows, columns) of integers.

    Raises:
        NotAnalysable: truncated or undecodable pixel data.
    """
    try:
        yield from iter_pixels(dataset, indices=indices, raw=True)
    except Exception as error:  # codecs raise what they like
        name = dataset.file_meta.TransferSyntaxUID.name
        reason = Sentence("pixels_undecodable", syntax=name, error=str(error))
        raise NotAnalysable(reason) from error


def _physical(stored: np.ndarray[Any, Any], dataset: Dataset, frame: Frame) -> Float32Array:
    """Stored values of one frame as physical intensities."""
    if stored.shape != (frame.source.rows, frame.source.columns):
        raise NotAnalysable(Sentence("pixel_shape", shape=str(stored.shape)))
    stored = _without_overlay(stored, dataset)
    padding = _padding(stored, dataset)
    values = stored.astype(np.float32)
    if padding is not None and not padding.all():
        values[padding] = values[~padding].min()
    if text(value(dataset, "PhotometricInterpretation")) == "MONOCHROME1":
        values = values.max() - values
    return values * np.float32(frame.slope) + np.float32(frame.intercept)


def _without_overlay(stored: np.ndarray[Any, Any], dataset: Dataset) -> np.ndarray[Any, Any]:
    """Clear the bits beyond HighBit, where old scanners keep overlays."""
    bits = stored.dtype.itemsize * 8
    allocated, used = int(dataset.BitsAllocated), int(dataset.BitsStored)
    high = number(value(dataset, "HighBit"))
    compressed = dataset.file_meta.TransferSyntaxUID.is_compressed
    if compressed or high is None or bits != allocated or not used <= high + 1 <= allocated:
        return stored
    return stored << (allocated - 1 - int(high)) >> (allocated - used)


def _padding(stored: np.ndarray[Any, Any], dataset: Dataset) -> np.ndarray[Any, Any] | None:
    """Where PixelPaddingValue (to PixelPaddingRangeLimit) stands instead of an image."""
    low = number(value(dataset, "PixelPaddingValue"))
    if low is None:
        return None
    limit = number(value(dataset, "PixelPaddingRangeLimit"))
    high = low if limit is None else limit
    found: np.ndarray[Any, Any] = (stored >= min(low, high)) & (stored <= max(low, high))
    return found
