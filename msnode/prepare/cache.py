"""Prepared slices on disk: steps of the workflow hand on paths, never arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.numpy

from msnode.errors import NotAnalysable
from msnode.prepare.study import prepare
from msnode.records.images import InputContract, Prepared, SeriesChoice, SourceVolume
from msnode.records.sentences import Text
from msnode.store.files import decode, encode, replacing

PIXELS, VOLUME = "prepared.safetensors", "volume.safetensors"
RECORD = "prepared.json"
SERIES = "series.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a study: its slices are in the folder, or the reason why there are none."""

    series: tuple[SeriesChoice, ...]
    reason: Text | None = None


def prepare_into(folder: Path, paths: Sequence[Path], contract: InputContract) -> Outcome:
    """`prepare` a study and `save` its slices; see `read_into`."""
    return read_into(folder, partial(prepare, paths, contract))


def read_into(folder: Path, read: Callable[[], Prepared]) -> Outcome:
    """Prepare and `save`; a refusal is a result, never an exception.

    Raises:
        OSError: the folder cannot be written.
    """
    try:
        prepared = read()
    except NotAnalysable as refusal:
        return Outcome(refusal.series, refusal.reason)
    save(prepared, folder)
    return Outcome(prepared.series)


def save(prepared: Prepared, folder: Path) -> None:
    """Write ``prepared.safetensors`` (the pixels) and ``prepared.json`` (all else), durably.

    Each file is complete or absent, and the second is there only when the first is; before both
    comes ``volume.safetensors`` (the voxels as they were acquired).
    """
    if prepared.volume is not None:
        with replacing(folder / VOLUME) as file:
            file.write(safetensors.numpy.save({"voxels": prepared.volume.voxels}))
    pixels = np.ascontiguousarray(prepared.slices.pixels)
    with replacing(folder / PIXELS) as file:
        file.write(safetensors.numpy.save({"pixels": pixels}))
    nothing = np.empty(0, np.float32)
    rest = replace(
        prepared,
        slices=replace(prepared.slices, pixels=nothing),
        volume=replace(prepared.volume, voxels=nothing) if prepared.volume is not None else None,
    )
    with replacing(folder / RECORD) as file:
        file.write(encode(rest))


def is_saved(folder: Path) -> bool:
    """Whether what `save` wrote is there, all of it."""
    return (folder / RECORD).exists() and (folder / PIXELS).exists()


def load(folder: Path) -> Prepared:
    """Read what `save` wrote, without the voxels: see `load_volume`.

    Raises:
        FileNotFoundError: it is not there, or not all of it.
    """
    prepared = decode((folder / RECORD).read_bytes(), Prepared)
    pixels = safetensors.numpy.load_file(folder / PIXELS)["pixels"]
    return replace(prepared, slices=replace(prepared.slices, pixels=pixels), volume=None)


def has_volume(folder: Path) -> bool:
    """Whether `load_volume` finds something."""
    return (folder / RECORD).exists() and (folder / VOLUME).exists()


def load_volume(folder: Path) -> SourceVolume:
    """Read the voxels that `save` wrote.

    Raises:
        FileNotFoundError: they are not there, or an older version prepared the study.
    """
    volume = decode((folder / RECORD).read_bytes(), Prepared).volume
    if volume is None:
        raise FileNotFoundError(folder / VOLUME)
    return replace(volume, voxels=safetensors.numpy.load_file(folder / VOLUME)["voxels"])


def save_series(series: Sequence[SeriesChoice], folder: Path) -> None:
    """Write ``series.json``, durably: the choice outlives a study that cannot be analysed."""
    with replacing(folder / SERIES) as file:
        file.write(encode(list(series)))


def load_series(folder: Path) -> tuple[SeriesChoice, ...]:
    """Read what `save_series` wrote; empty where no series got as far as a choice."""
    file = folder / SERIES
    return decode(file.read_bytes(), tuple[SeriesChoice, ...]) if file.exists() else ()
