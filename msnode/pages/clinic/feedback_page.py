"""What readers say of a result: each answer a row of its own, none is ever changed."""

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from msnode.manage.study_result import StudyResult
from msnode.pages.access.scope import may_see
from msnode.pages.access.visitor import Clinician
from msnode.pages.clinic.image_stack import ImageStack
from msnode.pages.clinic.result_page import found_result, page_values, stack_or_none
from msnode.pages.clinic.shown_patients import Generation, StudyKey, WithPatients, change
from msnode.pages.frame.header_values import plain
from msnode.pages.frame.problems import ImagesGone, PageProblem
from msnode.pages.frame.rendering import fragment
from msnode.pages.frame.site import AnySite, Site
from msnode.records.feedback import AddedPlace, Feedback, FeedbackKind, RejectReason, standing
from msnode.store import reader_feedback

router = APIRouter(prefix="/results", dependencies=[WithPatients])
FRAGMENT = "x-fragment"
Millimetres = Annotated[float | None, Form(gt=0, le=200)]
Pixel = Annotated[float | None, Form(ge=0, le=65_535)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a form says; None or "" where it says nothing.

    Attributes:
        slice_number: from 1, as people count.
    """

    kind: FeedbackKind
    lesion: int | None
    reason: RejectReason | None
    note: str
    takes_back: int | None
    slice_number: int | None
    column: float | None
    row: float | None
    diameter_mm: float | None


@router.post("/{study_key}/{generation}/feedback")
def give(
    request: Request,
    site: AnySite,
    visitor: Clinician,
    study_key: StudyKey,
    generation: Generation,
    kind: Annotated[FeedbackKind, Form()],
    lesion: Annotated[int | None, Form(ge=1, le=65_535)] = None,
    reason: Annotated[RejectReason | None, Form()] = None,
    note: Annotated[str, Form(max_length=2000)] = "",
    takes_back: Annotated[int | None, Form(ge=1, le=2**31 - 1)] = None,
    slice_number: Annotated[int | None, Form(ge=1, le=65_535)] = None,
    column: Pixel = None,
    row: Pixel = None,
    diameter_mm: Millimetres = None,
) -> Response:
    """Keep one answer."""
    may_see(visitor, study_key)
    found = found_result(site, study_key, generation)
    answer = Answer(
        kind, lesion, reason, plain(note), takes_back, slice_number, column,
        row, diameter_mm,
    )  # fmt: skip
    given = feedback_of(answer, found, stack_or_none(site, found), visitor.account)
    change(site, visitor, study_key, found.label.patient_id)
    if not is_said(given, found):
        with site.database.begin() as connection:
            reader_feedback.add(connection, given)
    return _after(request, site, study_key, generation)


@router.post("/{study_key}/{generation}/finish")
def finish(
    request: Request,
    site: AnySite,
    visitor: Clinician,
    study_key: StudyKey,
    generation: Generation,
) -> Response:
    """Reading is finished: what stands is kept as a verdict."""
    may_see(visitor, study_key)
    found = found_result(site, study_key, generation)
    change(site, visitor, study_key, found.label.patient_id)
    with site.database.begin() as connection:
        sends = site.pages.feedback == "send"
        reader_feedback.finish(connection, study_key, generation, visitor.account, sends=sends)
    return _after(request, site, study_key, generation)


def feedback_of(
    answer: Answer, found: StudyResult, stack: ImageStack | None, account: str
) -> Feedback:
    """What is kept of an answer.

    Raises:
        PageProblem: it is about nothing that is there.
    """
    fits = {
        "reject": answer.reason is not None and answer.lesion in {o.number for o in found.lesions},
        "note": bool(answer.note),
        "take_back": answer.takes_back in {one.number for one in standing(found.said)},
    }
    if not fits.get(answer.kind, True):
        raise PageProblem
    return Feedback(
        number=0,
        study_key=found.study_key,
        generation=found.generation,
        kind=answer.kind,
        given_at=time.time(),
        given_by=account,
        lesion=answer.lesion if answer.kind == "reject" else None,
        place=_place(answer, stack) if answer.kind == "add" else None,
        note=answer.note,
        reason=answer.reason if answer.kind == "reject" else None,
        takes_back=answer.takes_back if answer.kind == "take_back" else None,
    )


def is_said(given: Feedback, found: StudyResult) -> bool:
    """Whether this reader has said just this: a second click says nothing more."""
    if given.kind in ("note", "add", "take_back"):
        return False
    said = [(one.kind, one.lesion, one.reason, one.given_by) for one in standing(found.said_now)]
    return (given.kind, given.lesion, given.reason, given.given_by) in said


def _place(answer: Answer, stack: ImageStack | None) -> AddedPlace:
    """Where a missed lesion is.

    Raises:
        ImagesGone: since the page was opened.
        PageProblem: not in the images.
    """
    if stack is None:
        raise ImagesGone
    column, row, number = answer.column, answer.row, answer.slice_number
    if column is None or row is None or number is None or not answer.diameter_mm:
        raise PageProblem
    if not stack.holds(column, row, number - 1):
        raise PageProblem
    ras = stack.ras(column, row, number - 1)
    return AddedPlace(column, row, number - 1, answer.diameter_mm, ras)


def _after(request: Request, site: Site, study_key: str, generation: int) -> Response:
    """The part of the page that has changed, for the page's script; else the page again."""
    found = found_result(site, study_key, generation)
    if FRAGMENT in request.headers:
        values = page_values(request, site, found)
        return HTMLResponse(fragment(request, "clinic/reading.html", **values))
    newer = "" if found.newest == generation else f"?generation={generation}"
    return RedirectResponse(f"/results/{study_key}{newer}", HTTPStatus.SEE_OTHER)
