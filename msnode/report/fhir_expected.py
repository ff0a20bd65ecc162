"""What is expected of a patient, as a RiskAssessment of FHIR R4."""

from msnode.records.timeline import Ahead, Timeline
from msnode.report.fhir_observations import Context
from msnode.report.fhir_terms import Entry, Resource, by_uid
from msnode.report.uids import uid

WITHIN = 80.0
"""Per cent: an interval is one in which so many of 100 such patients are found (R4 has per cent
here, RiskAssessment.prediction.probability)."""


def expected(context: Context, basis: list[Entry]) -> Entry | None:
    """The intervals of the twin with their probability; None where it expects nothing.

    Where the result before may have told of some, the one that is there is cancelled.

    Args:
        context: of the result.
        basis: what it rests on, besides the study.
    """
    told = context.case.report.timeline
    predictions = _predictions(context, told) if told is not None else []
    if not predictions and context.case.report.predecessor is None:
        return None
    study = context.case.report.study_instance_uid
    say = context.case.say
    resource: Resource = {
        "resourceType": "RiskAssessment",
        "identifier": [by_uid(uid("fhir", "risk", study))],
        "status": "preliminary" if predictions else "cancelled",
        "subject": context.subject,
        **({"occurrenceDateTime": context.day} if context.day else {}),
    }
    if predictions:
        resource |= {
            "method": {"text": say("course_band")},
            "performer": (context.outliner or context.classifier).reference,
            "basis": [context.study.reference, *(one.reference for one in basis)],
            "prediction": predictions,
            "note": [{"text": say("banner")}, *_rests_on(context)],
        }
    return Entry(resource)


def _predictions(context: Context, told: Timeline) -> list[Resource]:
    ahead = {
        "course_new": told.new_ahead,
        "course_load": told.load_ahead[-1] if told.load_ahead else None,
        "course_edss": told.edss_ahead[-1] if told.edss_ahead else None,
    }
    return [
        _prediction(context, label, told, one) for label, one in ahead.items() if one is not None
    ]


def _prediction(context: Context, label: str, told: Timeline, one: Ahead) -> Resource:
    say = context.case.say
    digits = 0 if label == "course_new" else 1
    low, high = say.number(one.low, digits), say.number(one.high, digits)
    return {
        "outcome": {"text": say.label(label, say("course_ahead", low=low, high=high))},
        "probabilityDecimal": WITHIN,
        "whenPeriod": {"start": told.on.isoformat(), "end": one.day.isoformat()},
    }


def _rests_on(context: Context) -> list[Resource]:
    """What of the patient's course is on record."""
    lines = context.course
    return [{"text": " · ".join(lines)}] if lines else []
