"""Whose study it is and of which day, as a source is to be asked."""

from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

TAGS = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "StudyInstanceUID", "StudyDate")


@dataclass(frozen=True, slots=True)
class Patient:
    """The present study and its patient.

    Attributes:
        patient_id: "" where there is none that a source could be asked for.
        issuer: IssuerOfPatientID, "" where it is not known.
        birth_date: DA; "" likewise.
        study_date: DA; "" likewise.
    """

    patient_id: str
    issuer: str
    birth_date: str
    study_instance_uid: str
    study_date: str


def read_patient(path: Path) -> Patient:
    """What an image says of it; to be called in a process of its own.

    Raises:
        OSError: it cannot be read.
    """
    header = dcmread(path, stop_before_pixels=True, specific_tags=["SpecificCharacterSet", *TAGS])
    return Patient(*(text(header, name) for name in TAGS))


def text(dataset: Dataset, name: str) -> str:
    """A value as text; "" where it is absent, or there are several."""
    value = dataset.get(name)
    return str(value).strip(" \0") if isinstance(value, str) else ""
