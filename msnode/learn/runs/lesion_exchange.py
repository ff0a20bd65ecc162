"""The same heads with their lesions filled in, and with lesions of people with MS moved in.

So lesions, not heads, sites or scanners, tell what is the pattern of MS from what is not. The
masks that are moved in lie in MNI space; the atlas that is fitted to a head says where they go.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.errors import ConfigError
from msnode.learn.data.index_csv import Row, write
from msnode.learn.data.ras_nifti import load, name_of, save
from msnode.learn.train.label_maps import healed_volume, mask
from msnode.lesions import Bundle, Found, find
from msnode.lesions.brain import brain_mask
from msnode.lesions.outline import LESION, VENTRICLE
from msnode.records.images import Float32Array
from msnode.records.ras_volume import RasVolume

BRIGHTER = (0.35, 0.6)
"""So much brighter than their surroundings are lesions; the median of 319 was 0.38."""
DARK = 0.75
"""Of the brain's median: what is darker is fluid, where no lesion is put."""
FULL = 1.3
"""A voxel is wholly lesion where the blurred mask reaches one in so many."""


def exchange(
    rows: Sequence[Row],
    masks: Sequence[Path],
    bundle: Bundle,
    out: Path,
    positive: str,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Row]:
    """Write the twins of every scan, and ``index.csv`` of scans and twins.

    Each scan gets a twin without lesions (label ``healed``) and one with another person's lesions
    instead (label ``positive``); one that is not positive gets them beside its own as well.

    Args:
        rows: of an index of NIfTI volumes; a mask adds to what the network outlines.
        masks: of people with MS, in MNI space.
        bundle: the lesion network.
        out: folder that gets the volumes.
        positive: the label of people with MS.
        progress: called with what is being done, rows done and in all.

    Raises:
        ConfigError: a volume cannot be read, or the atlas does not fit it.
    """
    out.mkdir(parents=True, exist_ok=True)
    found: list[Row] = []
    for number, row in enumerate(rows, 1):
        donors = [masks[(7 * number + k) % len(masks)] for k in range(2)]
        found += [row, *_twins(row, donors, bundle, out, positive, number)]
        progress("exchanging lesions", number, len(rows))
    write(out / "index.csv", found)
    return found


def _twins(
    row: Row, donors: Sequence[Path], bundle: Bundle, out: Path, positive: str, seed: int
) -> Iterator[Row]:
    """Write one scan's twins."""
    volume = load(row.path)
    seen = find(volume.voxels.astype(np.float32), volume.affine, bundle)
    if seen.fit is None or not seen.fit.holds:
        raise ConfigError(f"{row.path}: the atlas does not fit; leave this scan out")
    brain, lesion = brain_mask(volume), seen.labels == LESION
    if row.lesions is not None:
        lesion = lesion | mask(row.lesions, volume)
    rng = np.random.default_rng(seed)
    healed = healed_volume(volume, lesion, brain)
    made = {"healed": healed, "moved": moved(healed, seen, brain, donors[0], rng)}
    if row.label != positive:
        made["added"] = moved(volume, seen, brain, donors[1], rng)
    for kind, twin in made.items():
        path = out / f"{name_of(row.path)}_{kind}.nii.gz"
        save(RasVolume(twin.voxels.astype(np.float32), twin.affine), path)
        label = "healed" if kind == "healed" else positive
        yield replace(row, path=path, label=label, lesions=None, role="train")


def moved(
    volume: RasVolume,
    seen: Found,
    brain: NDArray[np.bool_],
    donor: Path,
    rng: np.random.Generator,
) -> RasVolume:
    """A volume with a donor's lesions.

    Args:
        volume: (x, y, z) that gets them.
        seen: what was outlined in the head: says how the atlas lies, and where ventricles are.
        brain: (x, y, z) rough mask of the brain.
        donor: mask in MNI space.
        rng: draws how bright they are.
    """
    voxels = volume.voxels.astype(np.float32)
    dark = DARK * np.median(voxels[brain])
    tissue = brain & (voxels > dark) & (seen.labels != VENTRICLE)
    tissue &= ndimage.binary_erosion(
        ndimage.binary_fill_holes(tissue), np.ones((3, 3, 1), np.bool_)
    )
    bright = _around(voxels, tissue) * (1 + rng.uniform(*BRIGHTER))
    amount = np.clip(FULL * _shape(volume, seen, donor), 0, 1) * tissue
    return RasVolume(voxels + amount * np.maximum(bright - voxels, 0), volume.affine)


def _shape(volume: RasVolume, seen: Found, donor: Path) -> Float32Array:
    """(x, y, z) how much of each voxel is a donor's lesion, in [0, 1]."""
    assert seen.fit is not None  # noqa: S101 - the caller's contract
    given = load(donor)
    matrix = np.linalg.inv(given.affine) @ seen.fit.matrix @ volume.affine
    steps = np.linalg.norm(matrix[:3, :3], axis=0)
    blurred = ndimage.gaussian_filter((given.voxels > 0).astype(np.float32), steps / 2.8)
    shape: Float32Array = ndimage.affine_transform(
        blurred, matrix[:3, :3], matrix[:3, 3], volume.voxels.shape, order=1
    )
    return shape


def _around(voxels: Float32Array, tissue: NDArray[np.bool_]) -> Float32Array:
    """(x, y, z) how bright the tissue around each voxel is."""
    wide = (3.0, 3.0, 0.5)
    sums = ndimage.gaussian_filter(np.where(tissue, voxels, 0).astype(np.float32), wide)
    weights = ndimage.gaussian_filter(tissue.astype(np.float32), wide)
    return np.asarray(sums / np.maximum(weights, 1e-3), np.float32)
