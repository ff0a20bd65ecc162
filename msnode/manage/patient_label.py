"""What a study's images say of patient and study, as pages show it; empty where nothing does."""

from dataclasses import dataclass, fields
from pathlib import Path

import sqlalchemy as sa

from msnode.manage.header_words import first_header
from msnode.store.page_tables import study_labels

TAGS = {
    "patient_id": "PatientID", "issuer": "IssuerOfPatientID", "patient_name": "PatientName",
    "birth_date": "PatientBirthDate", "sex": "PatientSex", "accession_number": "AccessionNumber",
    "study_date": "StudyDate", "description": "StudyDescription",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Label:
    """Patient and study; "" where nothing says so. Dates are DA (PS3.5 6.2)."""

    patient_id: str = ""
    issuer: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    accession_number: str = ""
    study_date: str = ""
    description: str = ""


def label_of(connection: sa.Connection, study_key: str, results: Path) -> Label:
    """A study's label, from the table or, before it is there, from a result object.

    Args:
        connection: in a transaction.
        study_key: of the study.
        results: folder of a result's objects.
    """
    query = sa.select(study_labels).where(study_labels.c.study_key == study_key)
    row = connection.execute(query).mappings().one_or_none()
    if row is not None:
        return Label(**{field.name: row[field.name] for field in fields(Label)})
    said = first_header(sorted(results.glob("*/sr*.dcm"))[:1])  # copied from the study
    return Label(**{name: said.get(tag, "") for name, tag in TAGS.items()})
