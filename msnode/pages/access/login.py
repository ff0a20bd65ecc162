"""Logging in and out."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from msnode.pages.access import sessions
from msnode.pages.access.attempts import Attempts
from msnode.pages.access.csrf import refuse_foreign
from msnode.pages.access.local_accounts import Account, LocalAccounts
from msnode.pages.access.proxy import address_of
from msnode.pages.access.second_factor import SecondFactor, page_key
from msnode.pages.access.visitor import AnyVisitor
from msnode.pages.frame.problems import Forbidden
from msnode.pages.frame.rendering import render
from msnode.pages.frame.site import AnySite, Site

router = APIRouter()
CHECKED_AT_ONCE = 2
"""Passwords; each takes 64 MiB and a processor, and anybody may have one checked."""


def check_slots() -> CapacityLimiter:
    """Of an application: who comes meanwhile waits, and keeps no thread of others waiting."""
    return CapacityLimiter(CHECKED_AT_ONCE)


def own_path(path: str) -> str:
    """A path of ours to go on to; anything else leads home."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours and "\\" not in path else "/"


@router.get("/login")
async def login_page(request: Request, to: str = "/") -> Response:
    """Ask who somebody is."""
    return render(request, "login.html", to=own_path(to), refused=False)


@router.post("/login")
async def log_in(
    request: Request,
    site: AnySite,
    account: Annotated[str, Form(max_length=64)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    code: Annotated[str, Form(max_length=16)] = "",
    to: Annotated[str, Form(max_length=512)] = "/",
) -> Response:
    """Begin a session with a local account."""
    refuse_foreign(request)
    if not site.pages.passwords:
        raise Forbidden
    name, address = account.strip().lower(), address_of(request)
    attempts: Attempts = request.app.state.attempts
    attempts.check(name, address)
    check = partial(_known, site, name, password, code)
    found = await run_sync(check, limiter=request.app.state.check_slots)
    site.trail.authenticated(name, address, succeeded=found is not None)
    if found is None:
        attempts.failed(name, address)
        values = {"to": own_path(to), "refused": True}
        return render(request, "login.html", status=HTTPStatus.FORBIDDEN, **values)
    attempts.succeeded(name, address)
    token = await run_in_threadpool(sessions.begin, site, found.name, found.roles, "password")
    response = RedirectResponse(own_path(to), HTTPStatus.SEE_OTHER)
    sessions.set_cookie(response, site, token)
    return response


def _known(site: Site, name: str, password: str, code: str) -> Account | None:
    """The account, if password and, where one is asked for, code are right."""
    known = LocalAccounts(site.database, "pages")
    found = known.having(name, password)
    if found is None or not found.has_totp:
        return found
    factor = SecondFactor(known, page_key(site.config.data))
    return found if factor.takes(site.database, name, code) else None


@router.post("/logout")
async def log_out(request: Request, site: AnySite, visitor: AnyVisitor) -> Response:
    """End the session."""
    token = request.cookies.get(sessions.cookie_name(site), "")
    await run_in_threadpool(sessions.end, site, token)
    site.trail.authenticated(visitor.account, address_of(request), leaves=True)
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    sessions.set_cookie(response, site, "")
    return response
