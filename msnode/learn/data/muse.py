"""Ventricles, brain and tissues from MUSE's region labels, which lie on a T1.

The numbers are those of MUSE's dictionary (Doshi et al., NeuroImage 2016).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.learn.data import ras_nifti
from msnode.learn.data.tissues import CSF, GREY, VENTRICLE, WHITE
from msnode.lesions.resample import nearest, sampled
from msnode.records.ras_volume import RasVolume

VENTRICLES = (4, 11, 49, 50, 51, 52)
"""Third, fourth, inferior lateral and lateral ventricles."""
FLUID = (1, 46)
"""Other fluid that has a label; most of it has none."""
WHITE_MATTER = (35, 40, 41, *range(81, 96))
"""Brainstem, cerebellar and cerebral white matter, fornix, internal capsule, corpus callosum."""
SULCI_MM = 4.0
"""The brain's mask is closed over so much: fluid in sulci has no label."""


def masks(flair: Path, regions: Path, folder: Path) -> tuple[Path, Path]:
    """Write the masks of ventricles and brain of a person; both scans share the patient's axes.

    Args:
        flair: the scan whose grid they get.
        regions: MUSE's labels, on the grid of the T1.
        folder: gets the masks.

    Returns:
        The files of the ventricles and of the brain.

    Raises:
        ConfigError: a file cannot be read as NIfTI.
    """
    scan, known = ras_nifti.load(flair), ras_nifti.load(regions)
    to_regions = np.linalg.inv(known.affine) @ scan.affine
    labels = np.rint(nearest(known.voxels, to_regions, scan.voxels.shape))
    folder.mkdir(parents=True, exist_ok=True)
    person = flair.name.partition("_")[0]
    parts = {"ventricles": np.isin(labels, VENTRICLES), "brain": _closed(labels > 0, scan)}
    files = {name: folder / f"{person}_{name}.nii.gz" for name in parts}
    for name, part in parts.items():
        ras_nifti.save(RasVolume(part, scan.affine), files[name])
    return files["ventricles"], files["brain"]


def tissues(regions: Path, out: Path) -> Path:
    """Write the tissues that the synthesizer paints: fluid, grey and white matter, ventricles.

    Args:
        regions: MUSE's labels.
        out: folder; gets ``STEM_tissues.nii.gz`` with voxels of 1 mm.

    Returns:
        The file.

    Raises:
        ConfigError: the file cannot be read as NIfTI.
    """
    known = ras_nifti.load(regions)
    found = _tissues(known)
    fine = known.affine @ np.diag([*(1 / known.spacing_mm), 1.0])
    shape = tuple(int(n) for n in np.floor(known.voxels.shape * known.spacing_mm))
    onto = np.linalg.inv(known.affine) @ fine
    # smooth borders: of each voxel, the tissue that has most of it
    parts = [sampled((found == n).astype(np.float32), onto, shape) for n in range(5)]
    labels = np.argmax(parts, axis=0).astype(np.uint8)
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{ras_nifti.name_of(regions)}_tissues.nii.gz"
    ras_nifti.save(RasVolume(labels, fine), file)
    return file


def _tissues(known: RasVolume) -> NDArray[np.uint8]:
    """The tissue of every voxel of a volume of MUSE's labels."""
    brain = known.voxels > 0
    found = np.where(brain, GREY, np.where(_closed(brain, known), CSF, 0)).astype(np.uint8)
    for values, tissue in ((FLUID, CSF), (WHITE_MATTER, WHITE), (VENTRICLES, VENTRICLE)):
        found[np.isin(known.voxels, values)] = tissue
    return found


def _closed(mask: NDArray[np.bool_], scan: RasVolume) -> NDArray[np.bool_]:
    """A mask without gaps up to `SULCI_MM` and without holes."""
    reach = np.ceil(SULCI_MM / scan.spacing_mm).astype(int)
    margin = int(reach.max())
    closed = ndimage.binary_closing(np.pad(mask, margin), np.ones(2 * reach + 1))
    inside = (slice(margin, -margin),) * 3
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(closed[inside])
    return filled
