"""What two scans of one head without any change between them differ by, and what motion does.

Repeats: each scan against a copy of itself, turned, moved, noisy and of another brightness: by how
much the volume of its lesions differs, beside the error that a comparison states. Motion: each
slice put together from six parts of the k-space of the head in six places (shifts and turns of up
to so many mm and degrees), against the still scan: how sharp it is beside it, and what is called
changed.

    python -m bench.lesion_repeats FOLDER...       # with *_FLAIR.nii.gz
"""

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from bench.lesion_changes import read, turned, visit
from msnode import lesions
from msnode.lesions import Bundle, Visit
from msnode.lesions.brain import head
from msnode.lesions.find import to_ras
from msnode.lesions.sharpness import AS_SHARP, _sharpness
from msnode.records.images import Float32Array, Float64Array

PARTS = 6
MM = 2.0


@dataclass(frozen=True)
class Repeat:
    """What a scan and its copy differ by."""

    ml: float
    copy_ml: float
    error_ml: float
    changed: Counter[str]


def moved(voxels: Float32Array, affine: Float64Array, mm: float) -> Float32Array:
    """A scan during which the head moved: see above."""
    rng = np.random.default_rng(3)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    across = int(np.argmax(spacing))
    slices = np.moveaxis(voxels, across, 0)
    return np.moveaxis(
        np.stack([_moved(one, np.delete(spacing, across), mm, rng) for one in slices]), 0, across
    ).astype(np.float32)


def _moved(
    image: Float32Array, spacing: Float64Array, mm: float, rng: np.random.Generator
) -> Float64Array:
    whole = np.zeros(image.shape, np.complex128)
    for columns in np.array_split(np.arange(image.shape[1]), PARTS):
        angle = np.deg2rad(rng.uniform(-mm, mm))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.array(image.shape) / 2
        shift = centre - turn @ centre + rng.uniform(-mm, mm, 2) / spacing
        place = ndimage.affine_transform(image, turn, shift, order=1)
        whole[:, columns] = np.fft.fftshift(np.fft.fft2(place))[:, columns]
    return np.abs(np.fft.ifft2(np.fft.ifftshift(whole)))


def repeat(still: Visit, copy: Visit) -> Repeat | None:
    told = lesions.compare(still, copy).comparison
    if told.ml_before is None or told.ml_now is None or told.ml_error is None:
        return None
    changed = Counter(str(one.change) for one in told.changes if one.change != "unchanged")
    return Repeat(told.ml_before, told.ml_now, told.ml_error, changed)


def ratio(still: Visit, other: Visit) -> float:
    """How sharp the other is beside the still one."""
    then, now = (head(to_ras(one.voxels, one.affine)) for one in (still, other))
    mm = np.maximum(then.volume.spacing_mm, now.volume.spacing_mm)
    return _sharpness(now, mm) / _sharpness(then, mm)


def row(file: Path, bundle: Bundle, seed: int) -> tuple[tuple[str, ...], Repeat | None, float]:
    voxels, affine = read(file)
    still = visit(voxels, affine, bundle)
    copied = turned(voxels, affine, np.random.default_rng(seed), 1.0)
    same = repeat(still, visit(*copied, bundle))
    motion = visit(moved(voxels, affine, MM), affine, bundle)
    sharp, shaken = ratio(still, motion), repeat(still, motion)
    volumes = [f"{same.ml:.2f}", f"{same.copy_ml:.2f}", f"{same.error_ml:.2f}"] if same else []
    return (
        (
            file.name.removesuffix("_FLAIR.nii.gz"), *(volumes or ["not compared", "", ""]),
            _told(same), f"{sharp:.2f}", _told(shaken),
        ),
        same, sharp,
    )  # fmt: skip


def _told(one: Repeat | None) -> str:
    if one is None:
        return "not compared"
    return ", ".join(f"{n} {kind}" for kind, n in sorted(one.changed.items())) or "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    files = [f for one in parser.parse_args().folders for f in sorted(one.glob("*_FLAIR.nii.gz"))]
    bundle = lesions.load(lesions.SHIPPED)
    table = Table(
        "scan", "ml", "copy", "error", "called changed", f"{MM:g} mm: sharp", "called changed"
    )
    repeats, sharps = [], []
    for seed, file in enumerate(files):
        cells, same, sharp = row(file, bundle, seed)
        table.add_row(*cells)
        repeats += [same] if same else []
        sharps.append(sharp)
        print(*cells, sep=" | ", flush=True)
    within = sum(abs(one.copy_ml - one.ml) <= one.error_ml for one in repeats)
    named = sum(one < AS_SHARP for one in sharps)
    console = Console()
    console.print(table)
    console.print(f"volume within the stated error: {within} of {len(repeats)} copies")
    console.print(f"less sharp than {AS_SHARP:g}: {named} of {len(sharps)} moved scans")


if __name__ == "__main__":
    main()
