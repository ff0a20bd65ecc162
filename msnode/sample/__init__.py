"""Real FLAIR studies with open licences (see CREDITS.md), and any NIfTI as a DICOM series."""

from collections.abc import Sequence
from pathlib import Path

from msnode.sample.dicom_series import FLAIR, T1, T2, Acquisition, Identity, write_series
from msnode.sample.known_studies import LJUBLJANA, TABRIZ, KnownStudy

__all__ = [
    "FLAIR", "LJUBLJANA", "T1", "T2", "TABRIZ", "Acquisition", "Identity", "KnownStudy", "nifti",
    "write_series", "write_study",
]  # fmt: skip


def nifti() -> Path:
    """The sample FLAIR as it lies in the package."""
    return LJUBLJANA.nifti


def write_study(
    folder: Path,
    *,
    patient_name: str = Identity.patient_name,
    patient_id: str = Identity.patient_id,
    study_uid: str = Identity.study_uid,
    series_uid: str | None = None,
) -> Sequence[Path]:
    """Write the sample as a study of one classic MR series (PS3.3 A.4).

    By default the UIDs are always the same, so that sending it twice is sending it twice; for
    another study give ``study_uid=pydicom.uid.generate_uid()``.

    Args:
        folder: is made if need be.
        patient_name: PatientName.
        patient_id: PatientID.
        study_uid: StudyInstanceUID; the other UIDs and the AccessionNumber follow from it.
        series_uid: SeriesInstanceUID, if it is to be another one of the same study.

    Returns:
        The 36 files, from the feet to the head.
    """
    identity = Identity(patient_name, patient_id, study_uid, series_uid)
    return write_series(nifti(), folder, FLAIR, identity)
