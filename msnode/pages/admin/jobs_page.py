"""Jobs: what is open, what waits for somebody, why, and what can be done about it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from msnode.engine.jobs import OPEN, Jobs
from msnode.errors import MsnodeError
from msnode.manage.job_reasons import reasons
from msnode.manage.work_list import SENT, UNDONE, retry, told
from msnode.pages.access.visitor import Administrator, Visitor
from msnode.pages.admin.audited import changed
from msnode.pages.admin.confirming import ask_first
from msnode.pages.admin.services import AdminServices, Services
from msnode.pages.frame.rendering import render
from msnode.pages.frame.site import AnySite, Site

router = APIRouter()

State = Literal["", "open", "waiting", "sent", "dead", "cancelled", "done"]
STATES: dict[State, tuple[str, ...]] = {
    "": UNDONE, "open": (*OPEN, SENT), "waiting": ("waiting",), "sent": (SENT,), "dead": ("dead",),
    "cancelled": ("cancelled",), "done": ("done",),
}  # fmt: skip
MOST = 300
"""Jobs on a page, the newest."""
AT_ONCE = 300
JobId = Annotated[str, Form(min_length=1, max_length=256, pattern=r"^[\w.@: -]+$")]
Ids = Annotated[list[JobId], Form(default_factory=list, max_length=AT_ONCE)]
Back = Annotated[str, Form(pattern=r"^/(jobs|studies/[0-9a-f]{16})$")]


@router.get("/jobs")
def jobs_page(
    request: Request,
    site: AnySite,
    services: AdminServices,
    _: Administrator,
    state: State = "",
    did: Literal["retry", "cancel", "nothing", ""] = "",
) -> Response:
    """The jobs in a state; without one all that are not done."""
    jobs = services.jobs()
    found = told(jobs, site.database, STATES[state], MOST) if jobs is not None else []
    found.reverse()
    return render(
        request, "admin/jobs.html",
        jobs=found, why=reasons(site.database, found), states=list(STATES), chosen=state, did=did,
        counts=services.state()[1], most=MOST,
    )  # fmt: skip


@router.post("/jobs/retry")
def retry_jobs(
    request: Request,
    site: AnySite,
    services: AdminServices,
    visitor: Administrator,
    job: Ids,
    back: Back = "/jobs",
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Do dead or cancelled jobs again, or waiting ones now."""
    if not job:
        return RedirectResponse(f"{back}?did=nothing", HTTPStatus.SEE_OTHER)
    if not confirmed:
        return _ask(request, "confirm_retry", job, back)
    jobs = _known(services)
    _each(site, visitor, jobs, job, lambda one: retry(jobs, site.database, one))
    return RedirectResponse(f"{back}?did=retry", HTTPStatus.SEE_OTHER)


@router.post("/jobs/cancel")
def cancel_jobs(
    request: Request,
    site: AnySite,
    services: AdminServices,
    visitor: Administrator,
    job: Ids,
    back: Back = "/jobs",
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Stop jobs before their next step."""
    if not job:
        return RedirectResponse(f"{back}?did=nothing", HTTPStatus.SEE_OTHER)
    if not confirmed:
        return _ask(request, "confirm_cancel", job, back)
    jobs = _known(services)
    _each(site, visitor, jobs, job, jobs.cancel)
    return RedirectResponse(f"{back}?did=cancel", HTTPStatus.SEE_OTHER)


def _ask(request: Request, phrase: str, job: list[str], back: str) -> Response:
    fields = [*(("job", one) for one in job), ("back", back)]
    return ask_first(request, phrase, {"number": len(job)}, back, fields)


def _known(services: Services) -> Jobs:
    jobs = services.jobs()
    if jobs is None:
        raise MsnodeError("no node has run on this database yet: there are no jobs")
    return jobs


def _each(
    site: Site, visitor: Visitor, jobs: Jobs, ids: list[str], act: Callable[[str], None]
) -> None:
    """Do it to all of them.

    Raises:
        MsnodeError: what could not be done; the rest is done.
    """
    problems = []
    for one in dict.fromkeys(ids):
        try:
            study = jobs.get(one).study
            act(one)
        except MsnodeError as error:
            problems.append(str(error))
        else:
            changed(site, visitor, study)
    if problems:
        raise MsnodeError("\n".join(problems))
