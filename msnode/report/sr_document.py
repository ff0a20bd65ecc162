"""What the SR documents have in common: SR Document General and Content (PS3.3 C.17)."""

from pathlib import Path

from highdicom import sr
from pydicom import dcmread
from pydicom.dataset import Dataset

from msnode.records.images import SourceFrame
from msnode.records.results import DocumentReference
from msnode.report import codes, dicom_modules, wording
from msnode.report.case import Case

REFERENCE = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
"""In the order of `DocumentReference`."""


def document(dataset: Dataset, case: Case, root: Dataset, kind: str) -> None:
    """Complete a document around its root CONTAINER content item.

    It is a complete but preliminary and unverified document; a revised one names the document
    that it replaces.
    """
    separate(root)
    dataset.update(root)
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PreliminaryFlag = "PRELIMINARY"
    dataset.PerformedProcedureCodeSequence = []
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CodingSchemeIdentificationSequence = [codes.private_scheme()]
    if case.header.requests:
        dataset.ReferencedRequestSequence = list(case.header.requests)
    if found := dicom_modules.evidence(case):
        dataset.CurrentRequestedProcedureEvidenceSequence = found
    if priors := _priors(case):
        dataset.PertinentOtherEvidenceSequence = priors
    if earlier := _predecessors(dataset, case, kind):
        uid = case.report.study_instance_uid
        dataset.PredecessorDocumentsSequence = dicom_modules.references(uid, earlier)


def _priors(case: Case) -> list[Dataset]:
    """The reports of earlier studies, by study (PS3.3 C.17.2)."""
    by_study: dict[str, list[tuple[str, str, str]]] = {}
    for one in (document for prior in case.report.priors for document in prior.documents):
        uids = one.series_instance_uid, one.sop_class_uid, one.sop_instance_uid
        by_study.setdefault(one.study_instance_uid, []).append(uids)
    return [item for uid, uids in by_study.items() for item in dicom_modules.references(uid, uids)]


def document_reference(path: Path) -> DocumentReference:
    """How other documents refer to one that was written."""
    one = dcmread(path, specific_tags=[*REFERENCE])
    return DocumentReference(*(str(one[name].value) for name in REFERENCE))


def _predecessors(dataset: Dataset, case: Case, kind: str) -> list[tuple[str, str, str]]:
    """Series, class and instance UID of what a document replaces, as it was really sent."""
    before = case.report.predecessor
    if before is None:
        return []
    if before.folders is None:
        same = case.uid(kind, "series", before), dataset.SOPClassUID, case.uid(kind, of=before)
        return [same]
    paths = (folder / f"{kind}.dcm" for folder in before.folders)
    sent = (dcmread(path, stop_before_pixels=True) for path in paths if path.exists())
    uids = ((one.SeriesInstanceUID, one.SOPClassUID, one.SOPInstanceUID) for one in sent)
    return list(dict.fromkeys(uids))


def separate(item: Dataset) -> None:
    """Make every container SEPARATE: viewers run the items of CONTINUOUS ones together."""
    if "ContinuityOfContent" in item:
        item.ContinuityOfContent = "SEPARATE"
    for child in item.get("ContentSequence", ()):
        separate(child)


def text(name: sr.CodedConcept, value: str) -> sr.TextContentItem:
    """A TEXT content item contained in its parent."""
    return sr.TextContentItem(name, value, sr.RelationshipTypeValues.CONTAINS)


def remarks(case: Case) -> list[sr.TextContentItem]:
    """Why the study was not analysed, or what its result must not be taken for, and all the rest.

    Comments are what OHIF writes on the image: few and short.
    """
    say, report = case.say, case.report
    why = [text(codes.REASON, doubt) for doubt in wording.doubts(case)]
    if report.finding is None:
        comments = [say.label(case.outcome, report.reason or "–")]
    else:
        comments = [say("banner"), say("whole_study"), say("limits_short")]
    if report.priority is not None:
        why.append(text(codes.PRIORITY_REASON, report.priority.why))
    lines = [say("limits"), wording.performance(case), wording.notice(case)]
    lines += wording.method(case)
    return [
        *(text(codes.COMMENT, comment) for comment in [*comments, *wording.changes(case)]),
        *why,
        *(text(codes.QUALITY_ISSUE, issue) for issue in wording.issues(case)),
        *(text(codes.PROCEDURE_DESCRIPTION, line) for line in lines if line),
    ]


def image(name: sr.CodedConcept, frame: SourceFrame) -> sr.ImageContentItem:
    """An IMAGE content item that refers to a source frame."""
    return sr.ImageContentItem(
        name=name,
        referenced_sop_class_uid=frame.sop_class_uid,
        referenced_sop_instance_uid=frame.sop_instance_uid,
        referenced_frame_numbers=None if frame.frame is None else [frame.frame],
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )
