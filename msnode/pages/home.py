"""Where somebody begins."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import PlainTextResponse, RedirectResponse

from msnode.pages.access.csrf import refuse_foreign
from msnode.pages.access.login import own_path
from msnode.pages.access.visitor import AnyVisitor
from msnode.pages.frame.page_words import COOKIE, LANGUAGES, Language
from msnode.pages.frame.site import AnySite

router = APIRouter()
YEAR_S = 365 * 24 * 3600


@router.get("/")
async def home(site: AnySite, visitor: AnyVisitor) -> Response:
    """The first page of whoever comes."""
    if visitor.study_key is not None:
        return _to(f"/results/{visitor.study_key}")
    if site.pages.patients and visitor.may("viewer"):
        return _to("/worklist")
    return _to("/node")


@router.get("/healthz")
async def healthz() -> Response:
    """That the pages are served."""
    return PlainTextResponse("ok\n")


@router.post("/language")
async def choose_language(
    request: Request, language: Annotated[Language, Form()], to: Annotated[str, Form()] = "/"
) -> Response:
    """Choose the language of the pages, for this browser."""
    refuse_foreign(request)
    response = _to(own_path(to))
    if language in LANGUAGES:
        response.set_cookie(COOKIE, language, YEAR_S, httponly=True, samesite="lax")
    return response


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)
