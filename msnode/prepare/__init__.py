"""Which series, which pixels, where in the patient: from files to a classifier's slices."""

from msnode.prepare.cache import (
    Outcome,
    has_volume,
    is_saved,
    load,
    load_series,
    load_volume,
    prepare_into,
    save,
    save_series,
)
from msnode.prepare.nifti import load_nifti
from msnode.prepare.series_choice import has_wanted, load_dicom
from msnode.prepare.slices import nifti_slices, volume_slices
from msnode.prepare.smear_headers import KIND as SMEAR
from msnode.prepare.smear_headers import MICROSCOPIC, MR, PICTURES, has_smear
from msnode.prepare.smears import explain_smear, prepare_smear, smear_into
from msnode.prepare.source_grid import SourceGrid, save_source
from msnode.prepare.study import explain, group_studies, prepare
from msnode.prepare.volume import Volume

__all__ = [
    "MICROSCOPIC",
    "MR",
    "PICTURES",
    "SMEAR",
    "Outcome",
    "SourceGrid",
    "Volume",
    "explain",
    "explain_smear",
    "group_studies",
    "has_smear",
    "has_volume",
    "has_wanted",
    "is_saved",
    "load",
    "load_dicom",
    "load_nifti",
    "load_series",
    "load_volume",
    "nifti_slices",
    "prepare",
    "prepare_into",
    "prepare_smear",
    "save",
    "save_series",
    "save_source",
    "smear_into",
    "volume_slices",
]
