"""A result as the longitudinal record keeps it, and earlier ones as a report shows them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from functools import partial
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from msnode.flow.analysis import unexpected
from msnode.records.dicom_date import day_of
from msnode.records.images import Study
from msnode.records.lesions import REGIONS, LesionFinding
from msnode.records.results import Decision, DocumentReference, Predecessor, Prior, Report
from msnode.records.sentences import Sentence, to_json
from msnode.records.timeline import Timeline
from msnode.twin import Entry
from msnode.twin.expectations import Expectations

Made = TypeVar("Made")


def entry(
    made: Report,
    study: Study,
    outcome: str,
    study_date: str,
    folder: str,
    documents: Sequence[DocumentReference] = (),
) -> Entry:
    """The result as the longitudinal record keeps it."""
    finding = made.finding
    return Entry(
        study_key=study.key,
        generation=study.generation,
        outcome=outcome,
        probability=finding.probability if finding is not None else None,
        decision=finding.decision if finding is not None else None,
        reason=str(made.reason) if made.reason is not None else None,
        model_digest=made.model.digest,
        created_at=made.created_at,
        folder=folder,
        study_date=study_date or None,
        model=f"{made.model.name} {made.model.version}",
        threshold=made.model.threshold,
        documents=json.dumps([astuple(one) for one in documents]),
        urgent=made.priority.is_urgent if made.priority is not None else None,
        priority_why=json.dumps(to_json(made.priority.why)) if made.priority is not None else None,
        **_lesions(made.lesions),
    )


def _lesions(finding: LesionFinding | None) -> dict[str, Any]:
    """What the record keeps of the lesions; nothing where none were looked for."""
    if finding is None or finding.reason is not None:
        return {}
    told = finding.comparison
    return {
        "lesion_count": len(finding.lesions),
        "lesion_ml": finding.ml,
        "lesion_digest": finding.model.digest,
        "lesion_regions": json.dumps({one: round(finding.ml_in(one), 4) for one in REGIONS}),
        "comparison": told.status,
        "new_lesions": told.count("new") if told.status == "compared" else None,
        "enlarging_lesions": told.count("enlarging") if told.status == "compared" else None,
        "prior_date": f"{told.prior_date:%Y%m%d}"
        if told.status == "compared" and told.prior_date is not None
        else None,
    }


def predecessor(before: Entry | None) -> Predecessor | None:
    """The earlier result, as the revised one refers to it."""
    if before is None:
        return None
    decision = cast("Decision | None", before.decision)
    return Predecessor(before.generation, before.model_digest, decision, before.probability)


def prior(kept: Entry) -> Prior:
    """A patient's earlier study, as the trend shows it; only one with a date is asked for."""
    on = day_of(kept.study_date)
    assert on is not None  # noqa: S101 - as said
    return Prior(
        study_date=on,
        decision=cast("Decision | None", kept.decision),
        probability=kept.probability,
        threshold=kept.threshold,
        model=kept.model or "",
        digest=kept.model_digest,
        lesion_count=kept.lesion_count,
        lesion_ml=kept.lesion_ml,
        lesion_digest=kept.lesion_digest or "",
        lesion_regions=tuple(json.loads(kept.lesion_regions or "{}").items()),
        documents=tuple(DocumentReference(*one) for one in json.loads(kept.documents or "[]")),
    )


def awaited(made: Report) -> Report:
    """A result that was made while earlier studies were being looked for says so."""
    if made.slices is None or made.lesions is None:  # nothing would be compared
        return made
    warnings = (*made.slices.warnings, Sentence("priors_awaited"))
    return replace(made, slices=replace(made.slices, warnings=warnings))


def spared(doing: str, work: Callable[[], Made]) -> Made | None:
    """What the record adds to a result; None where that goes wrong unforeseen: it costs no result.

    Raises:
        OSError: the disk; or, of SQLAlchemy, the database: the step is tried again.
    """
    try:
        return work()
    except (OSError, sa.exc.SQLAlchemyError):
        raise
    except Exception as error:  # noqa: BLE001 - see above
        unexpected(error, doing)
    return None


def timeline(expectations: Expectations, now: Entry) -> Timeline | None:
    """The patient's course up to a result; whatever is wrong with it costs no result."""
    on = day_of(now.study_date)
    if on is None:
        return None
    return spared("drawing the course", partial(expectations.timeline, now, on))
