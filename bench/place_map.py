"""Makes `msnode/lesions/places.nii.gz`: where people with MS have lesions, against where others do.

Masks of people with MS lie in MNI space; those of people without MS on the grid of their FLAIR,
to which the atlas is fitted as the node does it. Both are smoothed, counted, and divided.

    python -m bench.place_map --ms MASK... --others INDEX.csv --out places.nii.gz [--each FOLDER]

FOLDER gets a map for each person of INDEX, made without that person's mask: to measure on them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from scipy import ndimage

from msnode import lesions
from msnode.learn.data import ras_nifti
from msnode.learn.data.index_csv import read
from msnode.learn.train.label_maps import mask
from msnode.lesions.atlas import regions
from msnode.lesions.brain import brain_mask
from msnode.lesions.objects import fitted
from msnode.lesions.outline import outline
from msnode.records.ras_volume import RasVolume

SMOOTH_VOXELS = 2.0
"""4 mm: as exact as a fit without bending."""
FLOOR = 0.005
"""Added to both shares: places where hardly anybody has lesions say nothing."""


def in_atlas(
    where: NDArray[np.bool_], affine: NDArray[np.float64], to_atlas: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(x, y, z) of the atlas: how much of each voxel is in a mask, smoothed by 1 mm before."""
    grid = regions()
    matrix = np.linalg.inv(affine) @ np.linalg.inv(to_atlas) @ grid.affine
    moved: NDArray[np.float32] = ndimage.affine_transform(
        ndimage.gaussian_filter(where.astype(np.float32), 0.5),
        matrix[:3, :3],
        matrix[:3, 3],
        grid.voxels.shape,
        order=1,
    )
    return moved


def of_ms(files: Sequence[Path]) -> list[NDArray[np.float32]]:
    """Masks in MNI space."""
    images = [cast(SpatialImage, nibabel.load(file)) for file in files]
    return [in_atlas(np.asarray(i.dataobj) > 0, i.affine, np.eye(4)) for i in images]


def of_others(index: Path) -> dict[str, NDArray[np.float32]]:
    """Masks on the grid of their FLAIR, by person."""
    bundle, found = lesions.load(lesions.SHIPPED), {}
    for row in read(index):
        volume = ras_nifti.load(row.path)
        outlines = outline(volume, bundle.model, bundle.manifest.threshold)
        fit = fitted(volume, outlines.labels, brain_mask(volume))
        assert row.lesions is not None
        found[row.person] = in_atlas(mask(row.lesions, volume), volume.affine, fit.matrix)
    return found


def ratios(ms: Sequence[NDArray[np.float32]], others: Sequence[NDArray[np.float32]]) -> RasVolume:
    """Natural logarithms of how much more often one group has a lesion at a place."""
    one, other = (
        ndimage.gaussian_filter(np.mean(group, axis=0), SMOOTH_VOXELS) for group in (ms, others)
    )
    ratio = np.log((one + FLOOR) / (other + FLOOR))
    # nobody is right- or left-brained here: both sides say the same, with twice the people
    return RasVolume((ratio + ratio[::-1]) / 2, regions().affine)


def main() -> None:
    """Make the map."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ms", type=Path, nargs="+", required=True)
    parser.add_argument("--others", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--each", type=Path)
    arguments = parser.parse_args()
    ms, others = of_ms(arguments.ms), of_others(arguments.others)
    save(ratios(ms, list(others.values())), arguments.out)
    for person in others if arguments.each is not None else ():
        rest = [one for name, one in others.items() if name != person]
        save(ratios(ms, rest), arguments.each / f"{person}.nii.gz")


def save(made: RasVolume, file: Path) -> None:
    """Write a map."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(made.voxels.astype(np.float32), made.affine)
    image.set_data_dtype(np.int8)  # scaled by nibabel; a hundred steps are more than enough
    image.to_filename(file)
    print(f"{file}: {made.voxels.min():.2f} to {made.voxels.max():.2f}")


if __name__ == "__main__":
    main()
