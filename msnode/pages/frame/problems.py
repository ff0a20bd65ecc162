"""What keeps a page from being shown, and the page that says so."""

import logging
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from msnode.errors import MsnodeError, origin
from msnode.pages.frame.rendering import render

log = logging.getLogger(__name__)


class PageProblem(MsnodeError):
    """A page that cannot be shown; the code of a phrase says why.

    Attributes:
        status: of the answer.
        phrase: in the section ``frame``.
    """

    status = HTTPStatus.BAD_REQUEST
    phrase = "bad_request"


class LoginNeeded(PageProblem):
    """Nobody is logged in, or the session has ended."""

    status = HTTPStatus.UNAUTHORIZED
    phrase = "login_needed"


class Forbidden(PageProblem):
    """Whoever is logged in may not."""

    status = HTTPStatus.FORBIDDEN
    phrase = "forbidden"


class Forged(PageProblem):
    """A change that no form of ours asked for."""

    status = HTTPStatus.FORBIDDEN
    phrase = "forged"


class NotFound(PageProblem):
    """There is no such thing, or it may not be seen: which of the two is not told."""

    status = HTTPStatus.NOT_FOUND
    phrase = "not_found"


class ImagesGone(PageProblem):
    """What was said is about images that are not kept any more."""

    status = HTTPStatus.CONFLICT
    phrase = "images_gone"


class TooMany(PageProblem):
    """Too many attempts; the error's argument is after how many seconds the next may come."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    phrase = "too_many"


def install(app: FastAPI) -> None:
    """Let the application answer errors with pages."""
    app.add_exception_handler(LoginNeeded, _login)
    app.add_exception_handler(PageProblem, _problem)
    app.add_exception_handler(MsnodeError, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SQLAlchemyError, _database)
    app.add_exception_handler(Exception, _unforeseen)


def wants_page(request: Request) -> bool:
    """Whether a person looks at the answer, not a script."""
    return "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers


async def _login(request: Request, error: Exception) -> Response:
    """Ask for a login, and come back to what was asked for."""
    if request.method == "GET" and wants_page(request):
        return RedirectResponse(f"/login?to={quote(request.url.path)}", HTTPStatus.SEE_OTHER)
    return await _problem(request, error)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, PageProblem)  # noqa: S101 - so it was installed
    response = _page(request, error.status, error.phrase)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.args[0])
    return response


async def _refusal(request: Request, error: Exception) -> Response:
    """What the program says itself, as on the command line."""
    return _page(request, HTTPStatus.CONFLICT, "refused", str(error))


async def _invalid(request: Request, _: Exception) -> Response:
    return _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, "bad_request")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - so it was installed
    phrases = {404: "not_found", 405: "not_found"}
    response = _page(
        request, HTTPStatus(error.status_code), phrases.get(error.status_code, "bad_request")
    )
    response.headers.update(error.headers or {})
    return response


async def _database(request: Request, error: Exception) -> Response:
    log.error("page failed route=%s error=%s", _route(request), type(error).__name__)
    return _page(request, HTTPStatus.SERVICE_UNAVAILABLE, "database_away")


async def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("page failed route=%s error=%s at=%s", _route(request), *origin(error))
    return _page(request, HTTPStatus.INTERNAL_SERVER_ERROR, "unforeseen")


def _route(request: Request) -> str:
    """The route's pattern: a path may name a study."""
    return getattr(request.scope.get("route"), "path", "none")


def _page(request: Request, status: HTTPStatus, phrase: str, detail: str = "") -> Response:
    return render(request, "problem.html", status=status, phrase=phrase, detail=detail)
