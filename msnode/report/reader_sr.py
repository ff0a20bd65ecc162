"""What a reader says of a result, as an SR beside ours: TID 1500, observed by a person.

Its VerificationFlag is UNVERIFIED: who finishes reading here attests nothing (PS3.3 C.17.2: a
verifying observer is accountable for the content), and the report of the study is another one.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from highdicom import sr
from pydicom import dcmread
from pydicom.dataset import Dataset

from msnode.config import Describe, Form
from msnode.records.feedback import Feedback, Verdict
from msnode.records.lesions import Lesion
from msnode.report import codes, dicom_modules
from msnode.report.case import Case
from msnode.report.profiles import save, sync
from msnode.report.report_file import KeptReport
from msnode.report.sr_document import document, text
from msnode.report.sr_numbers import measured, point
from msnode.report.study_header import TYPE_2, TYPE_3, Header
from msnode.report.uids import uid
from msnode.report.validate import validate

KIND = "reader"
COPIED = ("SpecificCharacterSet", "StudyInstanceUID", *TYPE_2, *TYPE_3)
Group = sr.MeasurementsAndQualitativeEvaluations


def write_reader_sr(
    kept: KeptReport, verdict: Verdict, describe: Describe, form: Form, folder: Path
) -> Path:
    """Write what a reader said into a folder with result objects; again gives the same bytes.

    Args:
        kept: the result.
        verdict: on it.
        describe: language and equipment.
        form: of the objects there.
        folder: with our SR of the result, ``sr.dcm``.

    Raises:
        FileNotFoundError: there is none any more.
        InvalidResult: the document would not be valid.
    """
    ours = dcmread(folder / "sr.dcm")
    made = build(_case(kept, verdict, describe, form, ours), verdict, ours)
    validate(made, kept.report)
    path = save(made, folder / f"{KIND}-{verdict.number}.dcm")
    sync(folder)
    return path


def build(case: Case, verdict: Verdict, ours: Dataset) -> Dataset:
    """The document.

    Args:
        case: the result, dated as the verdict is.
        verdict: on it.
        ours: our SR of the result, which it refers to.
    """
    person = sr.PersonObserverIdentifyingAttributes(name=_name(verdict.given_by))
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_person_context=sr.ObserverContext(codes.PERSON, person)
        ),
        procedure_reported=codes.concept(case.report.words.procedure),
        imaging_measurements=[_study(case, verdict), *_lesions(case, verdict)],
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(
            codes.LANGUAGES[case.describe.language]
        ),
    )
    dataset = dicom_modules.new(case, KIND, str(ours.SOPClassUID), verdict.number)
    document(dataset, case, content[0], KIND)
    seen = deepcopy(ours.get("CurrentRequestedProcedureEvidenceSequence"))
    own = str(ours.SeriesInstanceUID), str(ours.SOPClassUID), str(ours.SOPInstanceUID)
    if seen:
        dataset.CurrentRequestedProcedureEvidenceSequence = seen
        dicom_modules.add_evidence(dataset, own)
    else:
        refers = dicom_modules.references(dataset.StudyInstanceUID, [own])
        dataset.CurrentRequestedProcedureEvidenceSequence = refers
    return dataset


def _case(
    kept: KeptReport, verdict: Verdict, describe: Describe, form: Form, ours: Dataset
) -> Case:
    """The result as of the verdict: another document replaces none, and needs no past."""
    study = Dataset()
    for keyword in COPIED:
        if keyword in ours:
            study[keyword] = ours[keyword]
    requests = tuple(ours.get("ReferencedRequestSequence", ()))
    report = replace(
        kept.report, created_at=verdict.given_at, predecessor=None, priors=(), timeline=None
    )
    return Case(report, describe, Header(study, requests), {}, form)


def _study(case: Case, verdict: Verdict) -> Group:
    """What was said of the whole result (TID 1501), notes as comments."""
    kinds = ["finished", *(one.kind for one in verdict.stood)]
    whole = [kind for kind in dict.fromkeys(kinds) if kind not in ("reject", "add", "note")]
    group = Group(
        tracking_identifier=_tracking(case, f"reader {verdict.number}", case.say("whole_study")),
        finding_sites=[sr.FindingSite(codes.concept(case.report.words.region))],
        qualitative_evaluations=[_judged(kind) for kind in whole],
    )
    notes = [one.note for one in verdict.stood if one.note]
    group[0].ContentSequence.extend(text(codes.COMMENT, note) for note in notes)
    return group


def _lesions(case: Case, verdict: Verdict) -> Iterator[Group]:
    """Outlines that were rejected, and lesions that were missed."""
    found = case.report.lesions
    known = {one.number: one for one in found.lesions} if found is not None else {}
    for one in verdict.stood:
        if one.kind == "reject" and one.lesion in known:
            yield _rejected(case, one, known[one.lesion])
        elif one.kind == "add" and one.place is not None and case.report.slices is not None:
            yield _missed(case, one)


def _rejected(case: Case, one: Feedback, lesion: Lesion) -> Group:
    """By the tracking UID that our SR gave the lesion."""
    identity = lesion.identity or f"{case.report.study_instance_uid}/{lesion.number}"
    evaluations = [_judged("reject")]
    if one.reason is not None:
        why = codes.REJECTIONS[one.reason]
        evaluations.append(sr.QualitativeEvaluation(codes.REJECTED_AS, why))
    return Group(
        tracking_identifier=sr.TrackingIdentifier(
            uid=uid("tracking", identity),
            identifier=case.say("lesion_number", number=lesion.number),
        ),
        finding_type=codes.HYPERINTENSITY,
        qualitative_evaluations=evaluations,
    )


def _missed(case: Case, one: Feedback) -> Group:
    """With its diameter, at its place on the source image."""
    assert one.place is not None  # noqa: S101 - the caller's contract
    place, frame = one.place, case.slices.frames[one.place.slice]
    at = point(frame, place.column + 0.5, place.row + 0.5)
    return Group(
        tracking_identifier=_tracking(case, f"added {one.number}", f"+{one.number}"),
        finding_type=codes.HYPERINTENSITY,
        finding_sites=[sr.FindingSite(codes.concept(case.report.words.region))],
        measurements=[measured(codes.LONG_AXIS, place.diameter_mm, codes.MILLIMETRE, at)],
        qualitative_evaluations=[_judged("add")],
    )


def _name(account: str) -> str:
    """An account as a PN with one component (PS3.5 6.2.1)."""
    return re.sub(r"[\\^=\x00-\x1f]", " ", account)[:62].strip() + "^"


def _judged(kind: str) -> sr.QualitativeEvaluation:
    return sr.QualitativeEvaluation(codes.JUDGEMENT, codes.JUDGEMENTS[kind])


def _tracking(case: Case, what: str, label: str) -> sr.TrackingIdentifier:
    return sr.TrackingIdentifier(uid=uid("tracking", case.uid(KIND), what), identifier=label)
