"""The scans of an index, each as other scanners, protocols and positions would have made it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from msnode.learn.data.index_csv import Row, write
from msnode.learn.data.ras_nifti import load, name_of, save
from msnode.learn.synth.looks import CHANGES
from msnode.records.ras_volume import RasVolume


def vary(
    rows: Sequence[Row],
    out: Path,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Row]:
    """Write the changed copies of every scan, and ``index.csv`` of scans and copies.

    A copy has its scan's label, no lesion mask, and the role ``train``: it is learned from, and
    never measured.

    Args:
        rows: of an index of NIfTI volumes.
        out: folder that gets the volumes.
        progress: called with what is being done, rows done and in all.

    Raises:
        ConfigError: a volume cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    found: list[Row] = []
    for number, row in enumerate(rows, 1):
        found += [row, *_copies(row, out)]
        progress("varying", number, len(rows))
    write(out / "index.csv", found)
    return found


def _copies(row: Row, out: Path) -> Iterator[Row]:
    """Write one scan's copies."""
    volume = load(row.path)
    scan = volume.voxels.astype(np.float32), volume.affine
    for name, change in CHANGES.items():
        voxels, affine = change(scan)
        path = out / f"{name_of(row.path)}_{''.join(filter(str.isalnum, name))}.nii.gz"
        save(RasVolume(voxels.astype(np.float32), affine), path)
        yield replace(row, path=path, lesions=None, role="train")
