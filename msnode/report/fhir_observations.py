"""What a result measured, as Observations of FHIR R4."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from msnode.records.lesions import LesionFinding
from msnode.report import codes, course_wording, wording
from msnode.report.case import PROGRAM, VERSION, Case, has_outlines
from msnode.report.fhir_terms import UCUM, Entry, Resource, by_uid, concept, term
from msnode.report.uids import uid

UNKNOWN = "unknown"
NOT_PERFORMED = "not-performed"
"""Of http://terminology.hl7.org/CodeSystem/data-absent-reason."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all resources of a result share.

    Attributes:
        case: the result.
        subject: Reference to the Patient.
        study: the ImagingStudy.
        day: StudyDate, YYYY-MM-DD; "" where the study has none.
        issued: instant at which the result was made.
        classifier: the Device.
        outliner: the Device that outlined; None where none does.
    """

    case: Case
    subject: Resource
    study: Entry
    day: str
    issued: str
    classifier: Entry
    outliner: Entry | None

    @property
    def course(self) -> list[str]:
        """What else of the patient is on record."""
        return course_wording.lines(self.case)

    @property
    def when(self) -> Resource:
        """To what time it applies."""
        return {"effectiveDateTime": self.day} if self.day else {}


def observations(context: Context) -> Iterator[Entry]:
    """The Observations of a result.

    A revised result has all of them, those without a value with the reason: what the server has
    of the result before must not stand beside it.
    """
    is_revised = context.case.report.predecessor is not None
    for name, code, value, told in [*_of_classifier(context.case), *_of_outlines(context.case)]:
        if "dataAbsentReason" not in value or name == "finding" or is_revised:
            device = context.classifier
            if name in OUTLINED and context.outliner is not None:
                device = context.outliner
            yield _observation(context, name, code, value, told, device)


Measured = tuple[str, Resource, Resource, list[str]]
"""Name, code, value[x] or dataAbsentReason, and what has to be said beside it."""
OUTLINED = ("lesion-count", "lesion-volume", "new-lesions", "enlarging-lesions")


def _of_classifier(case: Case) -> Iterator[Measured]:
    report, words = case.report, case.report.words
    finding = report.finding
    why = _absent(NOT_PERFORMED, report.reason)
    decision = finding.decision if finding is not None else "undetermined"
    value = {"valueCodeableConcept": concept(codes.DECISIONS[decision], case.say(decision))}
    yield "finding", concept(words.finding), value if finding else why, wording.doubts(case)
    percent = round(100 * finding.probability, 2) if finding is not None else 0.0
    value = {"valueQuantity": _quantity(percent, "%", "%")}
    yield (
        "probability",
        concept(words.study_probability),
        value if finding else why,
        [wording.threshold(case)],
    )
    urgent = {"valueCodeableConcept": concept(codes.PRIORITIES[report.is_urgent])}
    suggested = report.priority
    reasons = [str(suggested.why)] if suggested is not None else []
    yield "reading-priority", concept(codes.READING_PRIORITY), urgent if finding else why, reasons


def _of_outlines(case: Case) -> Iterator[Measured]:
    found = case.report.lesions
    if found is None or not has_outlines(case.report):
        reason = case.report.reason if found is None or found.reason is None else found.reason
        why = _absent(NOT_PERFORMED, reason)
        yield from ((name, code, why, []) for name, code in _names())
        return
    (count, volume, new, enlarging) = _names()
    doubts = [str(doubt) for doubt in found.doubts]
    yield (*count, {"valueInteger": len(found.lesions)}, doubts)
    yield (*volume, {"valueQuantity": _quantity(round(found.ml, 3), "mL", "mL")}, doubts)
    yield (*new, _changed(found, "new"), doubts)
    yield (*enlarging, _changed(found, "enlarging"), doubts)


def _names() -> list[tuple[str, Resource]]:
    return [
        ("lesion-count", concept(codes.NUMBER_OF_LESIONS)),
        ("lesion-volume", concept(codes.VOLUME, "Volume of white matter hyperintensities")),
        ("new-lesions", concept(codes.COUNTED["new"])),
        ("enlarging-lesions", concept(codes.COUNTED["enlarging"])),
    ]


def _changed(found: LesionFinding, change: Any) -> Resource:
    """A count of a comparison, or why there was none."""
    past = found.comparison
    if past.status != "compared":
        return _absent(UNKNOWN, past.reason)
    return {"valueInteger": past.count(change)}


def _quantity(value: float, unit: str, code: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": code}


def _absent(code: str, why: str | None) -> Resource:
    """Why there is no value."""
    told = {"text": str(why)} if why else {}
    return {"dataAbsentReason": term("data-absent-reason", code) | told}


def _observation(
    context: Context, name: str, code: Resource, value: Resource, told: list[str], device: Entry
) -> Entry:
    case = context.case
    return Entry(
        {
            "resourceType": "Observation",
            "identifier": [by_uid(uid("fhir", name, case.report.study_instance_uid))],
            "status": "preliminary",
            "category": [term("observation-category", "imaging", "Imaging")],
            "code": code,
            "subject": context.subject,
            **context.when,
            "issued": context.issued,
            **value,
            "bodySite": concept(case.report.words.region),
            "note": [{"text": text} for text in [case.say("banner"), case.say("limits"), *told]],
            "method": {"text": f"{PROGRAM} {VERSION}"},
            "device": device.reference,
            "derivedFrom": [context.study.reference],
        }
    )
