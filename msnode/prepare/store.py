"""Prepared slices on disk: steps of the workflow hand on paths, never arrays."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import safetensors.numpy

from msnode.files import decode, encode, replacing
from msnode.records import Prepared, SeriesChoice

PIXELS = "prepared.safetensors"
RECORD = "prepared.json"
SERIES = "series.json"


def save(prepared: Prepared, folder: Path) -> None:
    """Write ``prepared.safetensors`` (the pixels) and ``prepared.json`` (all else), durably.

    Each file is complete or absent, and the second is there only when the first is.
    """
    pixels = np.ascontiguousarray(prepared.slices.pixels)
    with replacing(folder / PIXELS) as file:
        file.write(safetensors.numpy.save({"pixels": pixels}))
    rest = replace(prepared, slices=replace(prepared.slices, pixels=np.empty(0, np.float32)))
    with replacing(folder / RECORD) as file:
        file.write(encode(rest))


def load(folder: Path) -> Prepared:
    """Read what `save` wrote.

    Raises:
        FileNotFoundError: it is not there, or not all of it.
    """
    prepared = decode((folder / RECORD).read_bytes(), Prepared)
    pixels = safetensors.numpy.load_file(folder / PIXELS)["pixels"]
    return replace(prepared, slices=replace(prepared.slices, pixels=pixels))


def save_series(series: Sequence[SeriesChoice], folder: Path) -> None:
    """Write ``series.json``, durably: the choice outlives a study that cannot be analysed."""
    with replacing(folder / SERIES) as file:
        file.write(encode(list(series)))


def load_series(folder: Path) -> tuple[SeriesChoice, ...]:
    """Read what `save_series` wrote; empty where no series got as far as a choice."""
    file = folder / SERIES
    return decode(file.read_bytes(), tuple[SeriesChoice, ...]) if file.exists() else ()
