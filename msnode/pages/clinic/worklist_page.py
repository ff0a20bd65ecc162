"""The worklist: what waits to be read, what is urgent first."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.responses import JSONResponse

from msnode.audit.messages import Access
from msnode.manage.reading_list import ReadingPage, Shown, newest_at, reading_page
from msnode.pages.access.visitor import Viewer, Visitor
from msnode.pages.clinic.shown_patients import WithPatients
from msnode.pages.frame.header_values import plain
from msnode.pages.frame.problems import NotFound
from msnode.pages.frame.rendering import render
from msnode.pages.frame.site import AnySite, Site

router = APIRouter(dependencies=[WithPatients])
Number = Annotated[int, Query(ge=1, le=1_000_000)]


@router.get("/worklist")
def worklist(
    request: Request, site: AnySite, visitor: Viewer, show: Shown = "unread", page: Number = 1
) -> Response:
    """A page of the worklist."""
    return _page(request, site, visitor, show, page, "")


@router.get("/worklist/newest")
def newest(site: AnySite, visitor: Viewer) -> Response:
    """When the newest result came: for a list that is open for long."""
    if visitor.study_key is not None:
        raise NotFound
    with site.reading.connect() as connection:
        return JSONResponse({"created_at": newest_at(connection)})


@router.post("/worklist")
def search(
    request: Request,
    site: AnySite,
    visitor: Viewer,
    show: Annotated[Shown, Form()] = "all",
    page: Annotated[int, Form(ge=1, le=1_000_000)] = 1,
    wanted: Annotated[str, Form(max_length=256)] = "",
) -> Response:
    """The same of a patient or an order, whose names belong in no address."""
    return _page(request, site, visitor, show, page, plain(wanted))


def _page(
    request: Request, site: Site, visitor: Visitor, show: Shown, page: int, wanted: str
) -> Response:
    if visitor.study_key is not None:
        raise NotFound
    with site.reading.connect() as connection:
        latest = newest_at(connection)  # first: what comes meanwhile is told rather than missed
        found = reading_page(connection, show, page, wanted)
    _audit(site, visitor, found)
    return render(
        request, "clinic/worklist.html", found=found, show=show, wanted=wanted, newest=latest
    )


def _audit(site: Site, visitor: Visitor, found: ReadingPage) -> None:
    """Each patient whose result is listed was seen."""
    for patient in dict.fromkeys(one.patient_id or one.study_key for one in found.items):
        site.trail.patient_record(visitor.account, Access.READ, patient)
