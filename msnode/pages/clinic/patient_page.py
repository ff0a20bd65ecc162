"""A patient: course, what is expected, rules, who is like him, and events that are entered here."""

import io
from datetime import date
from http import HTTPStatus
from threading import Lock
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from msnode.manage.event_entry import enter
from msnode.manage.patient_view import PatientView, view_of
from msnode.manage.similar_patients import similar_to
from msnode.manage.study_result import StudyResult
from msnode.pages.access.scope import may_see
from msnode.pages.access.visitor import Clinician, Viewer, Visitor
from msnode.pages.clinic.result_page import VIEWS, found_result
from msnode.pages.clinic.shown_patients import StudyKey, WithPatients, change, see
from msnode.pages.frame.header_values import typed_day, typed_number
from msnode.pages.frame.page_words import language_of
from msnode.pages.frame.problems import NotFound, PageProblem, TooMany
from msnode.pages.frame.rendering import fragment, render
from msnode.pages.frame.site import AnySite, Site
from msnode.report.course_picture import picture
from msnode.report.localised import Words
from msnode.store.patients import keys_of
from msnode.twin.clinical.event_csv import COLUMNS, Flaw
from msnode.twin.clinical.event_kinds import KINDS

router = APIRouter(prefix="/patients", dependencies=[WithPatients])
SIMILAR_S = 4.0
"""So long the node's record is looked through; it is a sample of it then."""
WAIT_S = 0.5
"""So long somebody who asks meanwhile is kept waiting; then his page asks again."""
ONE_AT_A_TIME = Lock()
"""Looking through the record takes a whole core."""
Cell = Annotated[str, Form(max_length=2000)]
TYPED = {
    "edss": typed_number, "t25fw": typed_number, "nine_hole_peg": typed_number,
    "kflc_index": typed_number, "relapse_review": typed_day,
}  # fmt: skip
"""How values of a kind are typed, where that is not how they are written."""


@router.get("/{study_key}")
def patient(request: Request, site: AnySite, visitor: Viewer, study_key: StudyKey) -> Response:
    """The patient of a study."""
    found, view = _seen(site, visitor, study_key)
    return _page(request, found, view, {}, ())


@router.get("/{study_key}/course.png")
def course(request: Request, site: AnySite, visitor: Viewer, study_key: StudyKey) -> Response:
    """The course, drawn."""
    found = _part_of(site, visitor, study_key)
    view = _view(site, found)
    drawn = io.BytesIO()
    language = language_of(request, site.config.report.language)
    picture(view.timeline, Words(language)).save(drawn, "PNG")
    return Response(drawn.getvalue(), media_type="image/png")


@router.get("/{study_key}/similar")
def similar(request: Request, site: AnySite, visitor: Viewer, study_key: StudyKey) -> Response:
    """Who once was as the patient is, as a part of the page.

    Raises:
        TooMany: somebody else is asking just now.
    """
    found = _part_of(site, visitor, study_key)
    if not ONE_AT_A_TIME.acquire(timeout=WAIT_S):
        raise TooMany(round(SIMILAR_S))
    try:
        reading = site.reading
        with reading.connect() as connection:
            keys = keys_of(connection, found.patient_key)
        course_ = _view(site, found).state.course
        told = similar_to(reading, keys, course_, SIMILAR_S)
    finally:
        ONE_AT_A_TIME.release()
    return HTMLResponse(fragment(request, "clinic/similar.html", told=told))


@router.post("/{study_key}/events")
def enter_event(
    request: Request,
    site: AnySite,
    visitor: Clinician,
    study_key: StudyKey,
    kind: Cell,
    date: Cell = "",
    value: Cell = "",
    detail: Cell = "",
    note: Cell = "",
    replaces: Annotated[str, Form(pattern="^([0-9a-f]{32})?$")] = "",
) -> Response:
    """Enter an event, correct one, or withdraw one: always as another row."""
    may_see(visitor, study_key)
    found = _with_patient(site, study_key)
    if kind not in KINDS:
        raise PageProblem
    _check_replaced(site, found, replaces, kind)
    cells = {
        "kind": kind, "date": typed_day(date), "value": TYPED.get(kind, str)(value),
        "detail": detail, "note": note,
        "replaces": replaces,
    }  # fmt: skip
    change(site, visitor, study_key, found.label.patient_id)
    flaws = enter(site.database, found.patient_key, cells, visitor.account)
    if flaws:
        return _page(request, found, _view(site, found), cells, flaws)
    return RedirectResponse(f"/patients/{study_key}#events", HTTPStatus.SEE_OTHER)


def _check_replaced(site: Site, found: StudyResult, replaces: str, kind: str) -> None:
    """Refuse what corrects or withdraws no event that holds.

    Raises:
        PageProblem: so it does.
    """
    if not replaces and kind != "withdrawn":
        return
    valid = {one.identity: one.kind for one in _view(site, found).state.events}
    if valid.get(replaces) is None or kind not in (valid[replaces], "withdrawn"):
        raise PageProblem


def _with_patient(site: Site, study_key: str) -> StudyResult:
    """A study whose patient has an ID.

    Raises:
        NotFound: there is no such study, or of nobody.
    """
    found = found_result(site, study_key)
    if not found.patient_key:
        raise NotFound
    return found


def _seen(site: Site, visitor: Visitor, study_key: str) -> tuple[StudyResult, PatientView]:
    may_see(visitor, study_key)
    found = _with_patient(site, study_key)
    see(site, visitor, study_key, found.label.patient_id)
    return found, _view(site, found)


def _part_of(site: Site, visitor: Visitor, study_key: str) -> StudyResult:
    """As `_seen`, for what pages fetch beside: asked for alone it is a view of its own."""
    may_see(visitor, study_key)
    found = _with_patient(site, study_key)
    if VIEWS.is_new(visitor.account, study_key):
        see(site, visitor, study_key, found.label.patient_id)
    return found


def _view(site: Site, found: StudyResult) -> PatientView:
    return view_of(site.reading, site.config, found.patient_key, date.today())


def _page(
    request: Request,
    found: StudyResult,
    view: PatientView,
    cells: dict[str, str],
    flaws: tuple[Flaw, ...],
) -> Response:
    """The page; with what is wrong beside what was entered."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY if flaws else HTTPStatus.OK
    entered = [name for name in KINDS if name != "withdrawn"]
    blank = dict.fromkeys(COLUMNS, "")
    return render(
        request, "clinic/patient.html", status=status, found=found, view=view, kinds=KINDS,
        entered=entered, cells=blank | cells, blank=blank, flaws=flaws,
        has_course=_has_course(view),
    )  # fmt: skip


def _has_course(view: PatientView) -> bool:
    """Whether there is anything to draw."""
    return bool(view.timeline.scans or view.timeline.has_course)
