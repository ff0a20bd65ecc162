"""Who saw and did what, for the audit trail."""

from collections.abc import Iterable

import sqlalchemy as sa

from msnode.audit import Access
from msnode.manage.header_words import first_header
from msnode.pages.access.visitor import Visitor
from msnode.pages.frame.site import Site
from msnode.store.database import instances
from msnode.store.for_reading import for_reading
from msnode.store.page_tables import study_labels


def saw(site: Site, visitor: Visitor, patient_ids: Iterable[str]) -> None:
    """Somebody saw who these patients are."""
    for patient_id in dict.fromkeys(patient_ids):
        site.trail.patient_record(visitor.account, Access.READ, patient_id)


def changed(site: Site, visitor: Visitor, study_key: str) -> None:
    """Somebody does something about a study: by its patient, or by its key where none is known."""
    whose = patient_of(site, study_key) or f"study {study_key}"
    site.trail.patient_record(visitor.account, Access.UPDATED, whose)


def patient_of(site: Site, study_key: str) -> str:
    """PatientID by the study's label, else by an image; "" where neither tells."""
    label = sa.select(study_labels.c.patient_id).where(study_labels.c.study_key == study_key)
    image = sa.select(instances.c.path).where(instances.c.study_key == study_key).limit(1)
    with for_reading(site.database).connect() as connection:
        known = connection.scalar(label)
        paths = [] if known else connection.scalars(image).all()
    if known:
        return str(known)
    return first_header(site.config.data / path for path in paths).get("PatientID", "")
