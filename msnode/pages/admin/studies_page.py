"""Studies: found by what people know of them, and the way of each through the node."""

from datetime import date
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Path, Request, Response
from pydicom.uid import UID
from starlette.responses import RedirectResponse

from msnode.engine.jobs import Jobs
from msnode.errors import MsnodeError
from msnode.manage.job_reasons import reasons
from msnode.manage.repeats import redo, resend
from msnode.manage.study_search import PAGE, FoundPage, Sought, search
from msnode.manage.study_way import StudyWay, way_of, why_no_redo, why_no_resend
from msnode.pages.access.scope import may_see
from msnode.pages.access.visitor import Administrator, Visitor
from msnode.pages.admin.admin_audit import changed, saw
from msnode.pages.admin.admin_services import AdminServices, Services
from msnode.pages.admin.confirming import ask_first
from msnode.pages.admin.units import lasting
from msnode.pages.frame.problems import NotFound
from msnode.pages.frame.rendering import render
from msnode.pages.frame.site import AnySite, Site
from msnode.store.database import StudyState

router = APIRouter()

Key = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
Did = Literal["redo", "resend", "retry", "cancel", "nothing", ""]
COMPLETIONS = ("evidence", "idle", "interrupted", "fewer", "cap", "redo", "priors")
"""Why a study was taken as complete, of which the pages have words."""
LAST = 1_000_000
"""Studies that can be passed over; typing a word is quicker."""


@router.get("/studies")
def newest(request: Request, site: AnySite, visitor: Administrator) -> Response:
    """The newest studies."""
    return _list(request, site, visitor, Sought())


@router.post("/studies")
def find(
    request: Request,
    site: AnySite,
    visitor: Administrator,
    words: Annotated[str, Form(max_length=128)] = "",
    day: Annotated[date | Literal[""], Form()] = "",
    state: Annotated[StudyState | Literal[""], Form()] = "",
    offset: Annotated[int, Form(ge=0, le=LAST)] = 0,
) -> Response:
    """Studies that somebody looks for: what he types is in no URL."""
    when = day.strftime("%Y%m%d") if isinstance(day, date) else ""
    typed = "".join(one for one in words if one.isprintable()).strip()  # PostgreSQL takes no NUL
    sought = Sought(typed, when, StudyState(state) if state else None, offset)
    return _list(request, site, visitor, sought)


def _list(request: Request, site: Site, visitor: Visitor, sought: Sought) -> Response:
    patients = site.pages.patients
    page: FoundPage = search(site.database, sought, patients=patients)
    saw(site, visitor, (one.label["patient_id"] for one in page.studies if one.label))
    return render(
        request, "admin/studies.html",
        page=page, sought=sought, states=list(StudyState), step=PAGE, patients=patients,
    )  # fmt: skip


@router.get("/studies/{key}")
def study(
    request: Request,
    site: AnySite,
    services: AdminServices,
    visitor: Administrator,
    key: Key,
    did: Did = "",
) -> Response:
    """The way of a study."""
    way = _way(site, services, visitor, key)
    if way.label is not None:
        saw(site, visitor, [way.label["patient_id"]])
    data = site.config.data
    return render(
        request, "admin/study.html",
        way=way, key=key, did=did, no_redo=why_no_redo(way), lasting=lasting, class_name=_name,
        completions=COMPLETIONS,
        why=reasons(site.database, way.jobs),
        no_resend={
            one.name: why_no_resend(way, data, one) for one in site.config.destinations
        },
    )  # fmt: skip


@router.post("/studies/{key}/redo")
def do_again(
    request: Request,
    site: AnySite,
    services: AdminServices,
    visitor: Administrator,
    key: Key,
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Analyse it again."""
    _way(site, services, visitor, key)
    if not confirmed:
        return ask_first(request, "confirm_redo", {"key": key}, f"/studies/{key}")
    redo(site.database, key)
    changed(site, visitor, key)
    return _back(key, "redo")


@router.post("/studies/{key}/resend")
def send_again(
    request: Request,
    site: AnySite,
    services: AdminServices,
    visitor: Administrator,
    key: Key,
    destination: Annotated[str, Form(max_length=64)],
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Send its newest result to a destination again."""
    _way(site, services, visitor, key)
    if not confirmed:
        values = {"key": key, "destination": destination}
        fields = [("destination", destination)]
        return ask_first(request, "confirm_resend", values, f"/studies/{key}", fields)
    resend(site.config, site.database, key, destination, _jobs(services))
    changed(site, visitor, key)
    return _back(key, "resend")


def _way(site: Site, services: Services, visitor: Visitor, key: str) -> StudyWay:
    may_see(visitor, key)
    patients = site.pages.patients
    way = way_of(site.database, site.config.data, services.jobs(), key, patients=patients)
    if way is None:
        raise NotFound
    return way


def _jobs(services: Services) -> Jobs:
    jobs = services.jobs()
    if jobs is None:
        raise MsnodeError("no node has run on this database yet: there are no jobs")
    return jobs


def _name(uid: str) -> str:
    """Of a SOP class."""
    return UID(uid).name


def _back(key: str, did: Did) -> Response:
    return RedirectResponse(f"/studies/{key}?did={did}", HTTPStatus.SEE_OTHER)
