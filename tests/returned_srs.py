"""SRs as radiologists and PACS send them back, made of our own."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

CONCLUSION = ("121077", "DCM")
MS, NOT_MS = ("24700007", "SCT"), ("260385009", "SCT")


def code(value: tuple[str, str], meaning: str = "x") -> Dataset:
    """A code."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = value
    item.CodeMeaning = meaning
    return item


def answer(concept: tuple[str, str], value: tuple[str, str] | str) -> Dataset:
    """A content item: a code, or a text."""
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ConceptNameCodeSequence = [code(concept)]
    if isinstance(value, str):
        item.ValueType, item.TextValue = "TEXT", value
    else:
        item.ValueType, item.ConceptCodeSequence = "CODE", [code(value)]
    return item


def verified(document: Dataset, reader: str = "Lee^Eva", at: str = "20240116101500") -> Dataset:
    """Somebody is accountable for it now."""
    observer = Dataset()
    observer.VerifyingObserverName, observer.VerificationDateTime = reader, at
    observer.VerifyingOrganization = "HOSPITAL"
    observer.VerifyingObserverIdentificationCodeSequence = []
    document.VerificationFlag, document.VerifyingObserverSequence = "VERIFIED", [observer]
    return document


def report_on(ours: Dataset, *items: Dataset, sop_class: str | None = None) -> Dataset:
    """A radiologist's own report, which has ours among its evidence; not verified yet."""
    made = Dataset()
    for name in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "AccessionNumber"):
        if name in ours:
            made[name] = ours[name]
    made.SOPClassUID = sop_class or str(ours.SOPClassUID)
    made.SOPInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.Modality, made.ContentDate, made.ContentTime = "SR", "20240116", "101500"
    made.CompletionFlag, made.VerificationFlag = "COMPLETE", "UNVERIFIED"
    made.ValueType, made.ContinuityOfContent = "CONTAINER", "SEPARATE"
    made.ConceptNameCodeSequence = [code(("18748-4", "LN"))]
    made.ContentSequence = list(items)
    made.CurrentRequestedProcedureEvidenceSequence = [reference(ours)]
    return made


def reference(ours: Dataset) -> Dataset:
    """A study with one series and one object (PS3.3 C.17.2.1)."""
    instance, series, study = Dataset(), Dataset(), Dataset()
    instance.ReferencedSOPClassUID = ours.SOPClassUID
    instance.ReferencedSOPInstanceUID = ours.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedSOPSequence = ours.SeriesInstanceUID, [instance]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = ours.StudyInstanceUID, [series]
    return study


def signed_copy(ours: Dataset, **more: Any) -> Dataset:
    """Ours as a PACS keeps it when somebody signs it: another UID, and ours as predecessor."""
    made = deepcopy(ours)
    made.SOPInstanceUID = generate_uid()
    made.PredecessorDocumentsSequence = [reference(ours)]
    return verified(made, **more)


def items(dataset: Dataset) -> Iterator[Dataset]:
    """All content items."""
    yield dataset
    for one in dataset.get("ContentSequence", ()):
        yield from items(one)
