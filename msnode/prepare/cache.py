"""Prepared slices and their volume on disk: steps of the workflow hand on paths, never arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.numpy

from msnode.errors import NotAnalysable
from msnode.prepare.study import prepare_whole
from msnode.prepare.volume import Volume
from msnode.records.images import Float32Array, Float64Array, InputContract, Prepared, SeriesChoice
from msnode.records.sentences import Text
from msnode.store.files import decode, encode, replacing

PIXELS = "prepared.safetensors"
RECORD = "prepared.json"
SERIES = "series.json"
VOXELS, PLACE = "volume.safetensors", "volume.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a study: its slices are in the folder, or the reason why there are none."""

    series: tuple[SeriesChoice, ...]
    reason: Text | None = None


def prepare_into(folder: Path, paths: Sequence[Path], contract: InputContract) -> Outcome:
    """`prepare` a study, `save` its slices and their volume; a refusal is a result, no exception.

    Raises:
        OSError: the folder cannot be written.
    """
    try:
        prepared, volume = prepare_whole(paths, contract)
    except NotAnalysable as refusal:
        return Outcome(refusal.series, refusal.reason)
    save(prepared, folder)
    save_volume(volume, folder)
    return Outcome(prepared.series)


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


def is_saved(folder: Path) -> bool:
    """Whether what `save` wrote is there, all of it."""
    return (folder / RECORD).exists() and (folder / PIXELS).exists()


def load(folder: Path) -> Prepared:
    """Read what `save` wrote.

    Raises:
        FileNotFoundError: it is not there, or not all of it.
    """
    prepared = decode((folder / RECORD).read_bytes(), Prepared)
    pixels = safetensors.numpy.load_file(folder / PIXELS)["pixels"]
    return replace(prepared, slices=replace(prepared.slices, pixels=pixels))


def save_volume(volume: Volume, folder: Path) -> None:
    """Write ``volume.safetensors`` (the voxels) and ``volume.json`` (where they lie), durably.

    Each file is complete or absent, and the second is there only when the first is.
    """
    with replacing(folder / VOXELS) as file:
        file.write(safetensors.numpy.save({"voxels": np.ascontiguousarray(volume.voxels)}))
    with replacing(folder / PLACE) as file:
        file.write(encode(volume.ras_affine.tolist()))


def has_volume(folder: Path) -> bool:
    """Whether what `save_volume` wrote is there, all of it."""
    return (folder / PLACE).exists() and (folder / VOXELS).exists()


def load_volume(folder: Path) -> tuple[Float32Array, Float64Array]:
    """Read what `save_volume` wrote.

    Returns:
        (columns, rows, slices) float32, the third axis along `Slices.frames`; and (4, 4) from its
        indices to RAS mm.

    Raises:
        FileNotFoundError: it is not there, or not all of it.
    """
    affine = np.array(decode((folder / PLACE).read_bytes(), list[list[float]]))
    voxels = safetensors.numpy.load_file(folder / VOXELS)["voxels"]
    return np.ascontiguousarray(voxels.transpose(2, 1, 0)), affine


def save_series(series: Sequence[SeriesChoice], folder: Path) -> None:
    """Write ``series.json``, durably: the choice outlives a study that cannot be analysed."""
    with replacing(folder / SERIES) as file:
        file.write(encode(list(series)))


def load_series(folder: Path) -> tuple[SeriesChoice, ...]:
    """Read what `save_series` wrote; empty where no series got as far as a choice."""
    file = folder / SERIES
    return decode(file.read_bytes(), tuple[SeriesChoice, ...]) if file.exists() else ()
