"""How well a comparison of two scans tells what changed, on real pairs and on copies of one scan.

Pairs: components of 50 mm3 and more of the experts' change masks (Lesjak et al., Neuroinformatics
2016) on the later scan's grid, whose place became clearly brighter or darker; and what was called
changed although no expert did. Copies: the same scan turned, noisy, brighter, and with slices of
1.33 times the distance, in which nothing changed. Put in: balls of 5 to 12 mm, with the scan itself
as the earlier one.

    python bench/lesion_changes.py FOLDER       # with patientNN_study1_FLAIR.nii.gz and so on
"""

import argparse
import time
from collections import Counter
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import ndimage
from scipy.spatial.transform import Rotation

from msnode import lesions
from msnode.lesions import Bundle, Visit
from msnode.lesions.brain import head
from msnode.lesions.changes import CLEARLY
from msnode.lesions.compare import _registered, _to_atlas
from msnode.lesions.find import to_ras
from msnode.lesions.grade import CONTRAST, _balls, _filled
from msnode.lesions.halfway import halfway
from msnode.lesions.resample import nearest
from msnode.records.images import Float32Array, Float64Array
from msnode.records.lesions import CHANGES, Change

LEAST_MM3 = 50.0
UP: tuple[Change, ...] = ("new", "enlarging")
DOWN: tuple[Change, ...] = ("gone", "shrinking")
CODES: dict[Change, int] = {
    kind: code for code, kind in enumerate(CHANGES, 1) if kind != "unchanged"
}
CONNECTED = np.ones((3, 3, 3), np.bool_)


def read(file: Path) -> tuple[Float32Array, Float64Array]:
    image = cast(SpatialImage, nibabel.load(file))
    return np.asarray(image.dataobj, np.float32), np.asarray(image.affine, np.float64)


def visit(voxels: Float32Array, affine: Float64Array, bundle: Bundle) -> Visit:
    return Visit(voxels, affine, lesions.find(voxels, affine, bundle))


def brightened(before: Visit, now: Visit, mask: NDArray[np.bool_]) -> dict[int, float]:
    """Mean change in standard deviations of each of the experts' larger components."""
    heads = head(to_ras(before.voxels, before.affine)), head(to_ras(now.voxels, now.affine))
    to_atlas = _to_atlas(before, heads[0].volume), _to_atlas(now, heads[1].volume)
    half = halfway(*heads, _registered(heads, to_atlas))
    labels, count = ndimage.label(mask, CONNECTED)
    there = nearest(labels, half.to_now, half.shape)
    mm3 = np.bincount(labels.ravel()) * heads[1].volume.voxel_mm3
    large = [n for n in range(1, count + 1) if mm3[n] >= LEAST_MM3]
    return {n: float(half.brighter[there == n].mean()) for n in large}


def pair(name: str, before: Visit, now: Visit, mask: NDArray[np.bool_]) -> tuple[str, ...]:
    """A row: of the experts' components, how many were found; what nobody else saw."""
    began = time.perf_counter()
    compared = lesions.compare(before, now)
    seconds = time.perf_counter() - began
    told, changes = compared.comparison, compared.changes
    if changes is None:
        return name, "not compared", str(told.reason), "", "", f"{seconds:.1f}"
    ras = to_ras(mask, now.affine).voxels
    changed = to_ras(changes, now.affine).voxels
    labels, _ = ndimage.label(ras, CONNECTED)
    wanted = found = 0
    for number, mean in brightened(before, now, ras).items():
        if abs(mean) < CLEARLY:
            continue
        wanted += 1
        near = ndimage.binary_dilation(labels == number, CONNECTED)
        kinds = UP if mean > 0 else DOWN
        found += bool(np.isin(changed[near], [CODES[kind] for kind in kinds]).any())
    near = ndimage.binary_dilation(ras, CONNECTED)
    ours, _ = ndimage.label(changed > 1, CONNECTED)
    false = len(set(np.unique(ours)) - {0} - set(np.unique(ours[near])))
    kinds_found = Counter(one.change for one in told.changes)
    counts = ", ".join(f"{kinds_found[kind]} {kind}" for kind in CODES if kinds_found[kind])
    return (
        name,
        f"{found} of {wanted}",
        str(false),
        counts,
        f"{told.likeness:.2f}",
        f"{seconds:.1f}",
    )


def turned(
    voxels: Float32Array, affine: Float64Array, rng: np.random.Generator, thicker: float
) -> tuple[Float32Array, Float64Array]:
    """A copy: turned by up to 4 degrees, moved by up to 4 mm, noisy, of another brightness."""
    mm = np.linalg.norm(affine[:3, :3], axis=0)
    step = mm * np.where(np.arange(3) == int(np.argmax(mm)), thicker, 1)
    turn = Rotation.from_euler("xyz", rng.uniform(-4, 4, 3), degrees=True).as_matrix()
    centre = (affine @ [*np.array(voxels.shape) / 2, 1])[:3]
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = turn, centre + rng.uniform(-4, 4, 3) - turn @ centre
    shape = tuple(np.ceil(voxels.shape * mm / step).astype(int).tolist())
    blur = np.sqrt(np.maximum(step**2 - mm**2, 0) / 12) / mm
    source = ndimage.gaussian_filter(voxels, blur)
    own = affine @ np.diag([*(step / mm), 1.0])
    matrix = np.linalg.inv(affine) @ move @ own
    copy = ndimage.affine_transform(source, matrix[:3, :3], matrix[:3, 3], shape, order=3)
    copy += rng.normal(0, 0.02 * np.median(voxels[voxels > voxels.mean()]), copy.shape)
    return (np.clip(copy, 0, None) * rng.uniform(0.7, 1.5)).astype(np.float32), own


def copies(before: Visit, bundle: Bundle) -> tuple[int, Counter[Change]]:
    """How many of two were compared; what was called changed although nothing had."""
    rng, found, compared = np.random.default_rng(5), Counter[Change](), 0
    for thicker in (1.0, 1.33):
        copy = visit(*turned(before.voxels, before.affine, rng, thicker), bundle)
        told = lesions.compare(before, copy).comparison
        compared += told.status == "compared"
        found.update(one.change for one in told.changes)
    return compared, found


def put_in(before: Visit, bundle: Bundle) -> tuple[int, int]:
    """How many balls of 5 mm and more were called new, and how many were put in."""
    marks = lesions.draw(before.voxels, before.affine, bundle)
    volume, balls = marks.scan.volume, _balls(marks)
    filled = [_filled(ball, volume) for ball in balls if ball.size > 0]
    changed = volume.voxels.astype(np.float32)
    for area, part in filled:
        changed[area] *= 1 + (CONTRAST - 1) * part
    whole = Visit(volume.voxels, volume.affine, lesions.find(volume.voxels, volume.affine, bundle))
    changes = lesions.compare(whole, visit(changed, volume.affine, bundle)).changes
    if changes is None:
        return 0, len(filled)
    hits = [
        (changes[area][part >= 0.5 * part.max()] == CODES["new"]).any() for area, part in filled
    ]
    return sum(map(bool, hits)), len(filled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    bundle = lesions.load(lesions.SHIPPED)
    table = Table("pair", "changed, found", "false", "called", "likeness", "s", title="pairs")
    same = Table("scan", "compared", "called changed", "put in, called new", title="one scan")
    for file in sorted(folder.glob("*_study2_FLAIR.nii.gz")):
        name = file.name.partition("_")[0]
        before = visit(*read(folder / f"{name}_study1_FLAIR.nii.gz"), bundle)
        mask = read(folder / f"{name}_changes_on_study2.nii.gz")[0] > 0
        table.add_row(*pair(name, before, visit(*read(file), bundle), mask))
        (compared, counts), (hits, put) = copies(before, bundle), put_in(before, bundle)
        called = ", ".join(f"{counts[kind]} {kind}" for kind in CODES if counts[kind]) or "none"
        same.add_row(name, f"{compared} of 2", called, f"{hits} of {put}")
    Console().print(table, same)


if __name__ == "__main__":
    main()
