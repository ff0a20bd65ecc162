"""Thick slices from thin ones, so that a model learns what protocols with thicker slices show.

Neighbouring slices are averaged, as a thicker slice averages the tissue; a lesion that fills less
than two fifths of a thick slice disappears from its mask.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msnode.errors import ConfigError
from msnode.learn.data.index_csv import Row, write
from msnode.learn.data.ras_nifti import averaged_grid, load, load_axial, name_of, save
from msnode.learn.synth.generator import BEARING
from msnode.records.images import Float32Array
from msnode.records.ras_volume import RasVolume


def thicken(
    rows: Sequence[Row],
    out: Path,
    count: int = 2,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Row]:
    """Write every volume, and its mask, with slices ``count`` times as thick, and ``index.csv``.

    Each gives ``count`` volumes, which begin with its first slice, its second and so on.

    Args:
        rows: of an index of NIfTI volumes.
        out: folder that gets the volumes.
        count: thin slices per thick one.
        progress: called with what is being done, rows done and in all.

    Raises:
        ConfigError: a file cannot be read as NIfTI, has too few slices or none that are axial, or
            a mask has another grid.
    """
    out.mkdir(parents=True, exist_ok=True)
    found: list[Row] = []
    for number, row in enumerate(rows, 1):
        found += _thickened(row, out, count)
        progress("averaging slices", number, len(rows))
    write(out / "index.csv", found)
    return found


def _thickened(row: Row, out: Path, count: int) -> Iterator[Row]:
    """The volumes of one row."""
    scan = load_axial(row.path)
    mask = load(row.lesions) if row.lesions else None
    if scan.voxels.shape[2] < 2 * count:
        raise ConfigError(f"{row.path}: has {scan.voxels.shape[2]} slices, too few")
    if mask is not None and not _same_grid(mask, scan):
        raise ConfigError(f"{row.lesions}: the mask has another grid than its scan; resample it")
    for first in range(count):
        name = f"{name_of(row.path)}_{first + 1}"
        path, lesions = out / f"{name}.nii.gz", out / f"{name}_lesions.nii.gz"
        grid = averaged_grid(scan.affine, first, count)
        save(RasVolume(_means(scan.voxels, first, count), grid), path)
        if mask is not None:
            save(RasVolume(_means(mask.voxels > 0, first, count) > BEARING, grid), lesions)
        yield replace(row, path=path, lesions=lesions if mask is not None else None)


def _same_grid(one: RasVolume, other: RasVolume) -> bool:
    """Whether the voxels of two volumes lie at the same places, to a tenth of a millimetre."""
    alike = one.voxels.shape == other.voxels.shape
    return alike and np.allclose(one.affine, other.affine, atol=0.1)


def _means(voxels: NDArray[Any], first: int, count: int) -> Float32Array:
    """(x, y, slices) to means of ``count`` slices each; what is left over at the top is dropped."""
    slices = (voxels.shape[2] - first) // count
    part = voxels[..., first : first + slices * count].astype(np.float32)
    means: Float32Array = part.reshape(*voxels.shape[:2], slices, count).mean(-1)
    return means
