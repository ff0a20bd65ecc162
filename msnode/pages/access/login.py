"""Logging in and out."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from msnode.pages.access import sessions
from msnode.pages.access.csrf import refuse_foreign
from msnode.pages.access.local_accounts import LocalAccounts
from msnode.pages.access.visitor import AnyVisitor
from msnode.pages.frame.problems import Forbidden
from msnode.pages.frame.rendering import render
from msnode.pages.frame.site import AnySite

router = APIRouter()


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
    to: Annotated[str, Form(max_length=512)] = "/",
) -> Response:
    """Begin a session with a local account."""
    refuse_foreign(request)
    if not site.pages.passwords:
        raise Forbidden
    known = LocalAccounts(site.database, "pages")
    found = await run_in_threadpool(known.having, account.strip().lower(), password)
    if found is None:
        values = {"to": own_path(to), "refused": True}
        return render(request, "login.html", status=HTTPStatus.FORBIDDEN, **values)
    token = sessions.begin(site, found.name, found.roles, "password")
    response = RedirectResponse(own_path(to), HTTPStatus.SEE_OTHER)
    sessions.set_cookie(response, site, token)
    return response


@router.post("/logout")
async def log_out(request: Request, site: AnySite, _: AnyVisitor) -> Response:
    """End the session."""
    sessions.end(site, request.cookies.get(sessions.cookie_name(site), ""))
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    sessions.set_cookie(response, site, "")
    return response
