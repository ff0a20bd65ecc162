"""Drafts of lesion masks for scans that have none: what stands out in the white matter of FLAIR.

A threshold on local contrast with hysteresis, as in classical lesion growing (Schmidt et al.,
NeuroImage 2012), from the FLAIR alone. A draft is a start for a rater, who deletes what is wrong
and adds what is missing. It is no reference to test against, but good enough to learn from.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from msnode.errors import ConfigError
from msnode.learn.data.index_csv import Row, write
from msnode.learn.data.ras_nifti import load, load_axial, name_of, save
from msnode.learn.synth.composition import BRAIN_PART
from msnode.learn.synth.lesion_filling import Mask, brain_mask
from msnode.records.images import Float32Array
from msnode.records.ras_volume import RasVolume

PIXEL_MM = 0.9
"""Slices are looked at with this pixel size."""
RIM = 7
"""Pixels below the brain's surface that belong to the cortex."""
SEED_PIXELS, MOST_PIXELS = 6, 1500
"""Fewest pixels above the threshold that a lesion must have; size that every lesion is below."""
VERTEX_MM = 20.0
"""Depth below the highest slice with brain in which the brain's outline is not reliable."""


def draft(
    rows: Sequence[Row],
    out: Path,
    threshold: float = 2.8,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Row]:
    """Draft a mask for every FLAIR volume that has none, and write ``index.csv`` with them.

    A draft that is there already is kept: somebody may have corrected it.

    Args:
        rows: of an index.
        out: folder that gets the masks.
        threshold: how far a lesion is above normal tissue, in robust standard deviations.
        progress: called with what is being done, rows done and in all.

    Raises:
        ConfigError: a row is no FLAIR, or a volume cannot be read as NIfTI with axial slices.
    """
    bare = [row for row in rows if row.lesions is None]
    other = [str(row.number) for row in bare if row.sequence.upper() not in ("", "FLAIR")]
    if other:
        raise ConfigError(f"lines {', '.join(other)}: sequence is not FLAIR; drafts need FLAIR")
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for number, row in enumerate(rows, 1):
        found.append(row if row.lesions else replace(row, lesions=_drafted(row, out, threshold)))
        progress("drafting masks", number, len(rows))
    write(out / "index.csv", found)
    return found


def empty(before: Sequence[Row], after: Sequence[Row]) -> list[Row]:
    """The rows whose draft marks nothing.

    Args:
        before: as ``draft`` got them.
        after: as it returned them.
    """
    drafted = [new for old, new in zip(before, after, strict=True) if old.lesions is None]
    return [row for row in drafted if row.lesions and not load(row.lesions).voxels.any()]


def _drafted(row: Row, out: Path, threshold: float) -> Path:
    """The draft of one row's volume as a file."""
    path = out / f"{name_of(row.path)}_lesions.nii.gz"
    if not path.exists():
        scan = load_axial(row.path)
        save(RasVolume(outline(scan, threshold), scan.affine), path)
    return path


def outline(scan: RasVolume, threshold: float = 2.8) -> Mask:
    """Outline what stands out.

    Args:
        scan: FLAIR in axial slices.
        threshold: in robust standard deviations of the normal tissue.

    Returns:
        (x, y, slices) bool.
    """
    mm = scan.spacing_mm
    axial = np.moveaxis(scan.voxels.astype(np.float32), 2, 0)
    slices = [_square(plane, mm[0] / PIXEL_MM, mm[1] / PIXEL_MM) for plane in axial]
    brains = [brain_mask(image) for image in slices]
    shown = np.flatnonzero([brain.mean() >= BRAIN_PART for brain in brains])
    mask = np.zeros(scan.voxels.shape, np.bool_)
    for z in shown[shown <= shown.max(initial=0) - VERTEX_MM / mm[2]]:
        found = _standing_out(slices[z], brains[z], threshold)
        factors = np.divide(mask.shape[:2], found.shape)
        mask[..., z] = ndimage.zoom(found.astype(np.float32), factors, order=1) > 0.5
    return mask


def _square(plane: Float32Array, *factors: float) -> Float32Array:
    """A slice with the usual pixels, in [0, 1]."""
    high = float(np.quantile(plane, 0.999)) or 1.0
    return np.asarray(ndimage.zoom(np.clip(plane / high, 0, 1), factors, order=1), np.float32)


def _standing_out(image: Float32Array, brain: Mask, threshold: float) -> Mask:
    """What is brighter than the normal tissue around it."""
    inner = ndimage.binary_erosion(brain, iterations=3)
    if not inner.any():
        return inner
    level = float(np.median(image[inner]))
    normal = inner & (image > 0.75 * level) & (image < 1.35 * level)
    weight = ndimage.gaussian_filter(normal.astype(np.float32), 12.0)
    around = ndimage.gaussian_filter(image * normal, 12.0) / np.maximum(weight, 1e-4)
    contrast = image / np.maximum(around, 1e-3)
    middle = float(np.median(contrast[normal]))
    spread = 1.4826 * float(np.median(np.abs(contrast[normal] - middle)))
    height = (ndimage.gaussian_filter(contrast, 0.7) - middle) / max(spread, 1e-6)
    deep = ndimage.binary_erosion(brain, iterations=RIM)
    kept = np.zeros_like(brain)
    for part in _parts(inner & (height > threshold - 1)):
        seeds, size = (part & (height > threshold)).sum(), part.sum()
        if seeds >= SEED_PIXELS and size < MOST_PIXELS and (part & deep).sum() >= 0.7 * size:
            kept |= part
    return kept


def _parts(mask: Mask) -> Iterator[Mask]:
    """The connected parts of a mask."""
    labels, count = ndimage.label(mask)
    for number in range(1, count + 1):
        yield labels == number
