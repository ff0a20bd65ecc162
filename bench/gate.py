"""Error rates of a bundle's input gate: brains refused, drawings and noise passed.

Drawings are bodies of a head's size on the sample's grid, filled with random structure from 1 to 30
mm across and of five strengths; noise has the brightness and the spread of the sample.

    python bench/gate.py [--bundle models/hybrid] [BRAIN.nii.gz …]
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from scipy import ndimage

from msnode import sample
from msnode.classify import load_bundle
from msnode.config import BUNDLE
from msnode.errors import NotAnalysable
from msnode.prepare import Volume, load_nifti
from msnode.prepare.head_check import admit
from msnode.records.images import HeadGate

SIZES_MM, STRENGTHS = (1, 2, 4, 6, 9, 12, 20, 30), (0.1, 0.2, 0.3, 0.5, 0.8)


def fault(volume: Volume, gate: HeadGate) -> str:
    """Why a volume is refused; empty where it passes."""
    try:
        admit(volume, gate)
    except NotAnalysable as refusal:
        return str(refusal)
    return ""


def drawings(grid: Volume) -> Iterator[tuple[str, Volume]]:
    """Textured bodies, and noise, with a name each."""
    rng = np.random.default_rng(5)
    shape, spacing = grid.voxels.shape, grid.spacing_mm
    z, y, x = np.meshgrid(
        *((np.arange(n) - n / 2) * mm for n, mm in zip(shape, spacing, strict=True)), indexing="ij"
    )
    bodies = {
        "ellipsoid": (x / 75) ** 2 + (y / 95) ** 2 + (z / 80) ** 2 < 1,
        "cylinder": (x / 75) ** 2 + (y / 95) ** 2 < 1,
        "box": (np.abs(x) < 75) & (np.abs(y) < 95),
    }
    for (name, body), size, strength in product(bodies.items(), SIZES_MM, STRENGTHS):
        texture = ndimage.gaussian_filter(rng.normal(size=shape), np.divide(size, spacing))
        bright = 300 * body * np.clip(1 + strength * texture / texture.std(), 0, None)
        noisy = np.hypot(bright + rng.normal(0, 10, shape), rng.normal(0, 10, shape))
        yield f"textured {name}", replace(grid, voxels=noisy.astype(np.float32))
    mean, spread = grid.voxels.mean(), grid.voxels.std()
    for _ in range(10):
        voxels = np.abs(rng.normal(mean, spread, shape)).astype(np.float32)
        yield "noise", replace(grid, voxels=voxels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("brains", type=Path, nargs="*", help="NIfTI volumes of brains")
    options = parser.parse_args()
    gate = load_bundle(options.bundle).contract.gate
    passed: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for path in options.brains:
        why = fault(load_nifti(path), gate)
        counted["brains"] += 1
        passed["brains"] += not why
        if why:
            print(f"{path.name}: {why}")
    for name, volume in drawings(load_nifti(sample.nifti())):
        counted[name] += 1
        passed[name] += not fault(volume, gate)
    print("| what | passed |\n|---|---|")
    for name, count in counted.items():
        print(f"| {name} | {passed[name]} of {count} |")


if __name__ == "__main__":
    main()
