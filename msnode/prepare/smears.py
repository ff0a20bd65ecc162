"""Studies of blood smears: their pictures cut into tiles, as a classifier sees them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

from msnode.errors import NotAnalysable
from msnode.prepare.attributes import number, read, text, value
from msnode.prepare.cache import Outcome, read_into
from msnode.prepare.smear_headers import SmearPicture, pictures
from msnode.prepare.tiles_of_smears import UInt8Array, cut
from msnode.records.images import (
    Float32Array,
    Float64Array,
    InputContract,
    Prepared,
    SeriesChoice,
    Slices,
    SourceFrame,
)
from msnode.records.sentences import Sentence, Text

MOST_TILES = 400
"""Of a study; of more, so many are taken evenly: some 240 MB as float32."""

_PIXELS = (
    *("PixelData", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "PhotometricInterpretation"),
    *("PlanarConfiguration", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("RedPaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData"),
    *("GreenPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableData"),
    *("BluePaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableData"),
)


@dataclass(frozen=True, slots=True)
class _Tiles:
    """Of one image: pixels (tiles, 3, rows, cols), places (tiles, 4), and where they are from."""

    pixels: Float32Array
    places: NDArray[np.int64]
    source: SourceFrame


def smear_into(folder: Path, paths: Sequence[Path], contract: InputContract) -> Outcome:
    """`prepare_smear` and keep the tiles; see `read_into`."""
    return read_into(folder, partial(prepare_smear, paths, contract))


def explain_smear(paths: Sequence[Path], contract: InputContract) -> tuple[SeriesChoice, ...]:
    """Why each series is taken or not, as `prepare_smear` does it."""
    try:
        return prepare_smear(paths, contract).series
    except NotAnalysable as refusal:
        return refusal.series


def prepare_smear(paths: Sequence[Path], contract: InputContract) -> Prepared:
    """Cut every picture of a smear in a study into tiles.

    Args:
        paths: files of one study (DICOM Part 10).
        contract: with ``tile_px``.

    Raises:
        NotAnalysable: there is no smear, or nothing can be made of any; the reasons are in
            ``series``.
    """
    every = sorted(pictures(paths), key=lambda one: (one.series, one.order, one.instance))
    found: list[_Tiles] = []
    used, refused = [], {}
    for one in every:
        if one.why_not is not None:
            continue
        try:
            found += _tiles(one, contract, len(found))
            used.append(one)
        except NotAnalysable as refusal:
            refused[one.path] = refusal.reason
    series = tuple(_choices(every, used, refused))
    if not found:
        reason = next(iter(refused.values()), Sentence("smear_none", count=len(every)))
        raise NotAnalysable(reason, series)
    warnings = (Sentence("smear_left_out", count=len(refused)),) if refused else ()
    slices = _slices(found, warnings)
    return Prepared(slices, series, tuple(one.path for one in used))


def _tiles(one: SmearPicture, contract: InputContract, before: int) -> list[_Tiles]:
    """The tiles of each frame of an image.

    Raises:
        NotAnalysable: it cannot be decoded, or no frame holds cells.
    """
    made, reason = [], None
    for index, picture in enumerate(_decoded(one)):
        try:
            pixels, places = cut(picture, contract)
        except NotAnalysable as refusal:
            reason = refusal
            continue
        frame = index + 1 if one.frames > 1 else None
        rows, columns = picture.shape[:2]
        place = np.eye(4)
        place[2, 3] = before + index
        source = SourceFrame(one.sop_class, one.instance, one.series, frame, rows, columns, place)
        made.append(_Tiles(pixels, places, source))
    if not made and reason is not None:
        raise reason
    return made


def _decoded(one: SmearPicture) -> Iterator[UInt8Array]:
    """The frames of an image, (rows, columns, 3) uint8 RGB.

    Raises:
        NotAnalysable: naming the attribute for which there are none.
    """
    dataset = read(one.path, *_PIXELS)
    if not value(dataset, "PixelData"):
        raise NotAnalysable(Sentence("no_pixels"))
    if number(value(dataset, "BitsAllocated")) != 8:
        raise NotAnalysable(Sentence("smear_bits"))
    for index in range(one.frames):
        try:
            frame = pixel_array(dataset, index=index if one.frames > 1 else None)
            yield _rgb(frame, dataset)
        except Exception as error:  # codecs raise what they like
            name = dataset.file_meta.TransferSyntaxUID.name
            reason = Sentence("pixels_undecodable", syntax=name, error=type(error).__name__)
            raise NotAnalysable(reason) from error


def _rgb(frame: NDArray[np.generic], dataset: Dataset) -> UInt8Array:
    """A decoded frame in colour; pydicom has made RGB of YBR already."""
    interpretation = text(value(dataset, "PhotometricInterpretation"))
    if interpretation == "PALETTE COLOR":
        coloured = apply_color_lut(frame, dataset)
        return (coloured >> 8 if coloured.dtype == np.uint16 else coloured).astype(np.uint8)
    if frame.ndim == 2:
        grey = frame.astype(np.uint8)
        inverted = 255 - grey if interpretation == "MONOCHROME1" else grey
        return np.repeat(inverted[..., None], 3, axis=2)
    return frame.astype(np.uint8)


def _choices(
    every: Sequence[SmearPicture], used: Sequence[SmearPicture], refused: dict[Path, Text]
) -> Iterator[SeriesChoice]:
    """Each series, with why it was taken or not; those that were come first."""
    series: dict[str, list[SmearPicture]] = {}
    for one in every:
        series.setdefault(one.series, []).append(one)
    taken = {one.series for one in used}
    for name, images in sorted(series.items(), key=lambda pair: pair[0] not in taken):
        first = images[0]
        why: Text = Sentence("smear_taken", count=sum(one.series == name for one in used))
        if name not in taken:
            why = first.why_not or refused[first.path]
        yield SeriesChoice(name, first.description, len(images), name in taken, why)


def _slices(found: Sequence[_Tiles], warnings: tuple[Text, ...]) -> Slices:
    """The tiles as a classifier sees them; of too many, some of all."""
    pixels = np.concatenate([one.pixels for one in found])
    nearest = np.repeat(np.arange(len(found)), [len(one.pixels) for one in found])
    affines = np.concatenate([_affines(one, pixels.shape[2:]) for one in found])
    taken = np.arange(len(pixels))
    if len(pixels) > MOST_TILES:
        taken = np.linspace(0, len(pixels) - 1, MOST_TILES).round().astype(int)
        few = Sentence("smear_some_tiles", count=MOST_TILES, total=len(pixels))
        warnings = (*warnings, few)
    return Slices(
        pixels=np.ascontiguousarray(pixels[taken]),
        affines=affines[taken],
        frames=tuple(one.source for one in found),
        nearest=tuple(nearest[taken].tolist()),
        thickness_mm=1.0,
        reformatted=False,
        missing=0,
        warnings=warnings,
    )


def _affines(one: _Tiles, shape: tuple[int, ...]) -> Float64Array:
    """(tiles, 4, 4): a tile's (column, row) to the picture's, which stand for x and y.

    There is no patient to lie in: z is the number of the picture.
    """
    rows, cols = shape
    made = np.tile(np.eye(4), (len(one.places), 1, 1))
    left, top, wide, high = one.places.T
    made[:, 0, 0], made[:, 1, 1] = wide / cols, high / rows
    made[:, 0, 3] = left + wide / cols / 2 - 0.5
    made[:, 1, 3] = top + high / rows / 2 - 0.5
    made[:, 2, 3] = one.source.affine[2, 3]
    return made
