"""A bound on what a request may bring and on how long it may take."""

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from msnode.pages.frame.problems import PageProblem

FORM_BYTES = 1 << 20
FORM_S = 30.0
UPLOADS = "/upload/"
"""What lies below has bounds of its own, but for forms: they are read before they are refused."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class TooSlow(PageProblem):
    """A form that takes too long to come."""

    status = HTTPStatus.REQUEST_TIMEOUT
    phrase = "too_slow"


class BoundedBodies:
    """Refuses large bodies by their Content-Length, and those that drip.

    Args:
        app: gets all others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or _has_own_bounds(scope):
            await self._app(scope, receive, send)
        elif (refusal := _refusal(Headers(scope=scope))) is not None:
            await PlainTextResponse(refusal.phrase, refusal)(scope, receive, send)
        else:
            await self._app(scope, _hurried(receive), send)


def _has_own_bounds(scope: Scope) -> bool:
    """Whether a request is an upload."""
    kind = Headers(scope=scope).get("content-type", "").lower()
    return scope["path"].startswith(UPLOADS) and not kind.startswith(FORMS)


def _refusal(headers: Headers) -> HTTPStatus | None:
    """What is wrong with the announced length."""
    if "transfer-encoding" in headers:
        return HTTPStatus.LENGTH_REQUIRED
    length = int(headers.get("content-length", "0"))  # h11 takes digits alone
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if length > FORM_BYTES else None


def _hurried(receive: Receive) -> Receive:
    """`receive` until the body is whole, with one deadline for all of it."""
    deadline = asyncio.get_running_loop().time() + FORM_S
    whole = False

    async def next_part() -> Message:
        nonlocal whole
        if whole:
            return await receive()  # tells when the client has gone
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as error:
            raise TooSlow from error
        whole = not message.get("more_body", False)
        return message

    return next_part
