"""Pictures of blood smears to tiles: squares with cells, in colour, as large as slices."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from msnode.errors import NotAnalysable
from msnode.records.images import Float32Array, InputContract
from msnode.records.sentences import Sentence

BACKGROUND_QUANTILE = 0.95
"""Of each channel: in transmitted light nothing is brighter than where no cell lies."""
STAINED = 30
"""Grey values (of 255) below the background from which a pixel belongs to a cell."""

UInt8Array = NDArray[np.uint8]


def cut(picture: UInt8Array, contract: InputContract) -> tuple[Float32Array, NDArray[np.int64]]:
    """The tiles of a picture that hold enough cells.

    A picture that is smaller than a tile, or not a whole number of them, gives squares as large as
    the tile that begin at its left and upper edge and end at the others; so some overlap a little,
    and nothing is left out. One that is smaller than a tile is one tile.

    Args:
        picture: (rows, columns, 3) uint8 RGB.
        contract: with ``tile_px``, and ``min_tissue``: the part of a tile that must be cells.

    Returns:
        (tiles, 3, rows, cols) float32 in [0, 1], and (tiles, 4) left, top, width and height in the
        picture, pixels.

    Raises:
        NotAnalysable: no tile holds enough cells.
    """
    assert contract.tile_px is not None  # noqa: S101 - the caller's contract
    height, width = picture.shape[:2]
    stained = _stained(picture)
    tiles, places = [], []
    for top in _starts(height, contract.tile_px):
        for left in _starts(width, contract.tile_px):
            part = np.s_[top : top + contract.tile_px, left : left + contract.tile_px]
            if stained[part].mean() < contract.min_tissue:
                continue
            tiles.append(scaled(picture[part], contract))
            high, wide = stained[part].shape
            places.append((left, top, wide, high))
    if not tiles:
        raise NotAnalysable(Sentence("smear_no_cells"))
    return np.stack(tiles), np.array(places)


def scaled(tile: UInt8Array, contract: InputContract) -> Float32Array:
    """(rows, columns, 3) uint8 to (3, rows, cols) float32 in [0, 1], by bicubic interpolation."""
    size = contract.cols, contract.rows
    image = Image.fromarray(np.ascontiguousarray(tile)).resize(size, Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(image, np.float32).transpose(2, 0, 1)) / np.float32(255)


def _stained(picture: UInt8Array) -> NDArray[np.bool_]:
    """(rows, columns) where something takes light away in any channel."""
    background = np.quantile(picture, BACKGROUND_QUANTILE, axis=(0, 1))
    return np.asarray((background - picture > STAINED).any(axis=2))


def _starts(length: int, side: int) -> list[int]:
    """Where tiles begin along a side of the picture, evenly."""
    count = max(-(-length // side), 1)
    if count == 1:
        return [0]
    return [round(start) for start in np.linspace(0, length - side, count).tolist()]
