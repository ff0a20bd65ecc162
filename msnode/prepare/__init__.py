"""Which series, which pixels, where in the patient: from files to a classifier's slices."""

from msnode.prepare.nifti import load_nifti
from msnode.prepare.slices import nifti_slices, volume_slices
from msnode.prepare.volume import Volume

__all__ = ["Volume", "load_nifti", "nifti_slices", "volume_slices"]
