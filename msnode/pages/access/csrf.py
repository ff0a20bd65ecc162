"""Changes are asked for by our own pages alone."""

import hmac

from fastapi import Request
from starlette.datastructures import FormData

from msnode.pages.frame.bodies import FORMS
from msnode.pages.frame.problems import Forged

SAFE = {"GET", "HEAD", "OPTIONS"}
HEADER, FIELD = "x-csrf-token", "csrf"


async def refuse_forged(request: Request, token: str) -> None:
    """Refuse a change that does not carry the session's token in a header or a form's field.

    Raises:
        Forged: so it is.
    """
    if request.method in SAFE:
        return
    refuse_foreign(request)
    given = request.headers.get(HEADER)
    if given is None and request.headers.get("content-type", "").startswith(FORMS):
        form: FormData = await request.form()
        given = str(form.get(FIELD, ""))
    if not hmac.compare_digest((given or "").encode(), token.encode()):
        raise Forged


def refuse_foreign(request: Request) -> None:
    """Refuse what a browser says another site's page asked for (Fetch Metadata; RFC 6454).

    Raises:
        Forged: so it is.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise Forged
    origin = request.headers.get("origin")
    if site is None and origin is not None and origin.partition("://")[2] != request.url.netloc:
        raise Forged
