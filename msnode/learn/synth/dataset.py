"""A data set of synthetic scans as files: NIfTI volumes, lesion masks and their index."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from msnode.errors import ConfigError, NotAnalysable
from msnode.learn.data.index_csv import Row, write
from msnode.learn.data.ras_nifti import load, save
from msnode.learn.data.tissues import CSF, GREY, VENTRICLE, WHITE
from msnode.learn.synth import generator
from msnode.prepare import load_nifti
from msnode.prepare.head_check import admit
from msnode.records.images import HeadGate
from msnode.records.ras_volume import RasVolume

SITE = "synthetic"
LEVELS = 1000
"""Stored value of intensity 1."""
TRIES = 5
"""Times that a pair is drawn before its sources count as unusable."""
BRAIN_MM = 90
"""Least height of a whole brain."""


def synthesize(
    tissues: Sequence[Path],
    lesions: Sequence[Path],
    out: Path,
    count: int,
    seed: int = 0,
    flair: float = 0.75,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Row]:
    """Write pairs of scans, one with and one without lesions, and ``index.csv``.

    Its rows have the role ``train``, so that no model is tested on a synthetic head.

    Args:
        tissues: label volumes of people without MS (1 CSF, 2 grey, 3 white matter, and 4 the
            ventricles where they are told from other fluid), 1 mm NIfTI.
        lesions: lesion masks in MNI space, NIfTI.
        out: folder to write into.
        count: pairs.
        seed: everything random follows from it.
        flair: part of the pairs with the contrast of FLAIR; the others have random contrasts.
        progress: called with what is being done, pairs done and in all.

    Raises:
        ConfigError: a file cannot be read as NIfTI, or does not hold what it should.
    """
    rows = []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        source = tissues[int(rng.integers(len(tissues)))]
        chosen = rng.integers(len(lesions), size=int(rng.integers(1, 3)))
        masks = [_mask(lesions[int(k)]) for k in chosen]
        folder = out / f"pair-{number + 1:04}"
        folder.mkdir(parents=True, exist_ok=True)
        person = f"synthetic-{source.name.partition('.')[0]}"
        rows += _drawn(_labels(source), masks, rng, flair, folder, person)
        progress("drawing pairs", number + 1, count)
    write(out / "index.csv", rows)
    return rows


def _drawn(
    tissues: RasVolume,
    masks: Sequence[RasVolume],
    rng: np.random.Generator,
    flair: float,
    folder: Path,
    person: str,
) -> list[Row]:
    """A pair with lesions in one of the two, both of which pass the input gate.

    Raises:
        ConfigError: no pair did in ``TRIES`` attempts.
    """
    for _ in range(TRIES):
        pair = generator.pair(tissues, masks, int(rng.integers(2**31)), flair)
        both = zip(("ms", "control"), pair, strict=True)
        rows = [_written(folder, name, scan, person) for name, scan in both]
        if pair[0].masks["lesions"].any() and all(_is_head(row.path) for row in rows):
            return rows
    raise ConfigError(
        f"{person}: no pair with lesions that looks like a head came out; masks must be in MNI"
        " space, and labels those of a whole brain"
    )


def _is_head(path: Path) -> bool:
    """Whether a scan passes the input gate; no other scan would reach a model."""
    try:
        admit(load_nifti(path), HeadGate())
    except NotAnalysable:
        return False
    return True


def _written(folder: Path, label: str, scan: generator.Scan, person: str) -> Row:
    """One scan and its masks as files, and its row."""
    image = folder / f"{label}.nii.gz"
    stored = np.clip(np.rint(scan.voxels * LEVELS), 0, 32767).astype(np.int16)
    save(RasVolume(stored, scan.affine), image)
    masks: dict[str, Any] = {name: folder / f"{label}_{name}.nii.gz" for name in scan.masks}
    for name, mask in scan.masks.items():
        save(RasVolume(mask, scan.affine), masks[name])
    return Row(image, person, label, SITE, sequence="FLAIR", role="train", **masks)


def _labels(path: Path) -> RasVolume:
    """Tissue labels on a grid of 1 mm."""
    labels = load(path)
    spacing = labels.spacing_mm
    if not np.allclose(spacing, 1, atol=0.1):
        raise ConfigError(f"{path}: voxels are {spacing.round(2)} mm; resample the labels to 1 mm")
    if set(np.unique(labels.voxels).tolist()) - {VENTRICLE} != {0, CSF, GREY, WHITE}:
        raise ConfigError(
            f"{path}: labels must be 0, 1 CSF, 2 grey matter, 3 white matter and, at will, 4"
            " ventricles"
        )
    height = int(labels.voxels.any((0, 1)).sum())
    if height < BRAIN_MM:
        raise ConfigError(f"{path}: shows {height} mm of the brain; the whole of it is needed")
    return RasVolume(labels.voxels.astype(np.uint8), labels.affine)


def _mask(path: Path) -> RasVolume:
    """A lesion mask that has lesions."""
    mask = load(path)
    if not mask.voxels.any():
        raise ConfigError(f"{path}: the lesion mask is empty; leave it out")
    return RasVolume((mask.voxels > 0).astype(np.uint8), mask.affine)
