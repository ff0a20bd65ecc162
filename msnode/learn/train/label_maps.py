"""FLAIR volumes with what is what in them: lesion, ventricle, normal rim."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.errors import ConfigError, NotAnalysable
from msnode.learn.data import ras_nifti
from msnode.learn.data.index_csv import Row
from msnode.learn.synth.lesion_filling import fill
from msnode.lesions.brain import brain_mask
from msnode.lesions.inputs import BRIGHTEST, Planes, brightness, planes
from msnode.lesions.outline import LESION, RIM, VENTRICLE
from msnode.records.ras_volume import RasVolume

REST, UNKNOWN = 0, 4
"""Labels beside those that the network gives."""
RIM_MM = 3.0
RIM_BRIGHTNESS = 1.2
"""Where nobody outlined the normal rim: what is no lesion, lies within `RIM_MM` of a ventricle and
is brighter than this. On the five who have both, this guess has a Dice of 0.51 to 0.70."""
SAME_MM = 0.5
"""A mask's grid may be off its volume's by so much at the far corner."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One volume to learn from or to be measured on.

    Attributes:
        row: of the index.
        volume: as it was acquired.
        lesions: (x, y, z) bool, on the volume's grid.
        planes: what the network sees.
        labels: (slices, rows, cols) uint8 on the planes, `REST` to `UNKNOWN`.
        stripped: the planes where somebody has removed the skull: by the drawn brain, else by a
            rough mask of it.
        healed: the planes of the same scan with its lesions filled in.
        healed_stripped: both.
        inside: (slices, rows, cols) bool, a rough mask of the brain.
    """

    row: Row
    volume: RasVolume
    lesions: NDArray[np.bool_]
    planes: Planes
    labels: NDArray[np.uint8]
    stripped: Planes
    healed: Planes
    healed_stripped: Planes
    inside: NDArray[np.bool_]


def load(
    rows: Sequence[Row], progress: Callable[[int], None] = lambda _: None
) -> tuple[Labelled, ...]:
    """Read every volume of an index with its masks.

    Raises:
        ConfigError: volumes or masks cannot be used; names all of them, by line of the index.
    """
    found, problems = [], []
    for row in rows:
        try:
            found.append(_one(row))
        except (ConfigError, NotAnalysable) as error:
            problems.append(f"line {row.number}: {row.path.name}: {error}")
        progress(1)
    if problems:
        raise ConfigError("volumes cannot be used:\n  " + "\n  ".join(problems))
    return tuple(found)


def _one(row: Row) -> Labelled:
    """A volume with its masks."""
    if row.lesions is None:
        raise ConfigError("column lesions is empty; outlining is learned from lesion masks")
    volume = ras_nifti.load(row.path)
    lesions = mask(row.lesions, volume)
    seen = planes(volume)
    labels = _labels(row, volume, lesions, seen)
    rough = brain_mask(volume)
    brain = mask(row.brain, volume) if row.brain else rough
    healed = healed_volume(volume, lesions, brain)
    stripped, both = (planes(RasVolume(v.voxels * brain, v.affine)) for v in (volume, healed))
    inside = on_planes(rough, seen)
    return Labelled(row, volume, lesions, seen, labels, stripped, planes(healed), both, inside)


def healed_volume(
    volume: RasVolume, lesions: NDArray[np.bool_], brain: NDArray[np.bool_]
) -> RasVolume:
    """The volume with its lesions filled in, slice by slice."""
    rng, scale = np.random.default_rng(0), BRIGHTEST * brightness(volume)
    slices = [
        fill(image, places, where, places, rng)
        for image, places, where in zip(
            np.moveaxis(np.clip(volume.voxels / scale, 0, 1).astype(np.float32), 2, 0),
            np.moveaxis(lesions, 2, 0),
            np.moveaxis(brain, 2, 0),
            strict=True,
        )
    ]
    return RasVolume(np.stack(slices, axis=2), volume.affine)


def mask(path: Path, volume: RasVolume) -> NDArray[np.bool_]:
    """(x, y, z) bool of a mask that lies on a volume's grid.

    Raises:
        ConfigError: it lies on another grid.
    """
    found = ras_nifti.load(path)
    ends = np.array([[0, 0, 0, 1], [*volume.voxels.shape, 1]]).T
    apart = np.abs((found.affine - volume.affine) @ ends).max()
    if found.voxels.shape != volume.voxels.shape or apart > SAME_MM:
        raise ConfigError(f"{path.name} lies on another grid than its volume; resample it")
    return np.asarray(found.voxels > 0)


def _labels(
    row: Row, volume: RasVolume, lesions: NDArray[np.bool_], seen: Planes
) -> NDArray[np.uint8]:
    """Labels on the planes; what is not outlined is unknown where it could be a ventricle."""
    lesion = on_planes(lesions, seen)
    if row.ventricles is None:
        return np.where(lesion, LESION, UNKNOWN).astype(np.uint8)
    ventricle = on_planes(mask(row.ventricles, volume), seen)
    if row.normal_rim is not None:
        rim = on_planes(mask(row.normal_rim, volume), seen)
    else:
        far = np.stack([ndimage.distance_transform_edt(~v, seen.spacing_mm[1:]) for v in ventricle])
        has_some = np.asarray(ventricle.any(axis=(1, 2)), np.bool_)
        near = (far <= RIM_MM) & has_some[:, None, None]
        rim = near & (seen.pixels > RIM_BRIGHTNESS)
    return np.select([lesion, ventricle, rim], [LESION, VENTRICLE, RIM], REST).astype(np.uint8)


def on_planes(where: NDArray[np.bool_], seen: Planes) -> NDArray[np.bool_]:
    """(slices, rows, cols) bool of a mask on the volume's grid, by the nearest voxel."""
    rows, cols = seen.pixels.shape[1:]
    x = ((np.arange(rows) + 0.5) * where.shape[0] / rows).astype(int)
    y = ((np.arange(cols) + 0.5) * where.shape[1] / cols).astype(int)
    planes_first: NDArray[np.bool_] = where.transpose(2, 0, 1)
    return planes_first[:, x][:, :, y]
