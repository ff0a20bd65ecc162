"""Outlines of lesions drawn on single images (PLQ), filled to masks.

The makers of PLQ publish no description. Two forms are read: a MATLAB file (level 5) with two
vectors of equal length, the x and y of the outline's points, and text with two numbers a line.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from msnode.errors import ConfigError
from msnode.records.images import Float64Array

MATLAB = b"MATLAB 5.0"


def beside(image: Path) -> list[Path]:
    """Files of an image's outlines: ``IM_00031.TIF`` has ``IM_00031_1.plq``, ``IM_00031_2.plq``."""
    return sorted(p for p in image.parent.iterdir() if p.stem.rpartition("_")[0] == image.stem)


def read(path: Path) -> Float64Array:
    """Points of an outline.

    Returns:
        (points, 2) x and y in pixels, at least three.

    Raises:
        ConfigError: neither form, or no outline.
    """
    try:
        points = _matlab(path) if path.read_bytes().startswith(MATLAB) else _text(path)
    except (
        ValueError,
        OSError,
        LookupError,
        TypeError,
        MatReadError,
        NotImplementedError,
    ) as error:
        raise ConfigError(f"{path}: cannot be read as an outline: {error}") from error
    if len(points) < 3 or not np.isfinite(points).all():
        raise ConfigError(f"{path}: an outline needs at least three points, all finite")
    return points


def write_mask(image: Path, traced: Sequence[Path], mask: Path) -> None:
    """Fill the outlines of an image.

    Args:
        image: gives the size.
        traced: files of its outlines; none makes an empty mask.
        mask: PNG that is written, 255 inside.

    Raises:
        ConfigError: the image or an outline cannot be read, or lies outside the image.
    """
    try:
        with Image.open(image) as opened:
            size = opened.size
    except OSError as error:
        raise ConfigError(f"{image}: cannot be read as an image: {error}") from error
    filled = Image.new("L", size)
    for file in traced:
        points = read(file)
        if points.min() < 0 or (points.max(0) > size).any():
            raise ConfigError(f"{file}: the outline leaves the image of {size[0]}x{size[1]} pixels")
        ImageDraw.Draw(filled).polygon([(x, y) for x, y in points], fill=255)
    mask.parent.mkdir(parents=True, exist_ok=True)
    filled.save(mask)


def read_mask(path: Path) -> NDArray[np.bool_]:
    """(rows, cols) bool of a mask image; everything but black is lesion.

    Raises:
        ConfigError: no image.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L")) > 0
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read as a mask: {error}") from error


def _matlab(path: Path) -> Float64Array:
    """The two vectors of a MATLAB file, x and y in the order of their names."""
    content = loadmat(path)
    vectors = [
        np.asarray(content[name], np.float64).ravel()
        for name in sorted(content)
        if not name.startswith("__")
    ]
    if len(vectors) != 2 or len(vectors[0]) != len(vectors[1]):
        raise ValueError("it does not hold two vectors of equal length")
    return np.stack(vectors, 1)


def _text(path: Path) -> Float64Array:
    """Two numbers per line."""
    lines = path.read_text(encoding="ascii").replace(",", " ").split("\n")
    rows = [[float(number) for number in line.split()] for line in lines if line.strip()]
    if any(len(row) != 2 for row in rows):
        raise ValueError("not every line holds two numbers")
    return np.array(rows, np.float64).reshape(-1, 2)
