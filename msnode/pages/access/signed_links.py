"""Links by which PACS and RIS open one study: signed by a shared secret, for minutes, used once.

The signature is HMAC-SHA256 of ``study``, ``until`` and ``by``, a line each, in hex.
"""

import hashlib
import hmac
import time
from http import HTTPStatus
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from msnode.audit import AlertType, Node
from msnode.config import SignedLinks
from msnode.pages.access import sessions
from msnode.pages.access.proxy import address_of
from msnode.pages.frame.problems import NotFound, PageProblem
from msnode.pages.frame.site import AnySite, Site
from msnode.store.page_tables import used_links

router = APIRouter()

StudyKey = Annotated[str, Query(pattern="^[0-9a-f]{16}$")]
Signature = Annotated[str, Query(pattern="^[0-9a-f]{64}$")]


class LinkRefused(PageProblem):
    """A link that is not signed by us or has expired or was used before."""

    status = HTTPStatus.FORBIDDEN
    phrase = "link_refused"


def signature_of(secret: str, study: str, until: int, by: str) -> str:
    """The signature of a link.

    Args:
        secret: `SignedLinks.secret`.
        study: first 16 hex digits of the SHA-256 of the StudyInstanceUID.
        until: when it expires, unix s.
        by: account of the person in the PACS or RIS.
    """
    return hmac.new(secret.encode(), f"{study}\n{until}\n{by}".encode(), hashlib.sha256).hexdigest()


@router.get("/open")
async def open_study(
    request: Request,
    site: AnySite,
    study: StudyKey,
    until: Annotated[int, Query(ge=0, le=2**40)],
    by: Annotated[str, Query(min_length=1, max_length=48, pattern=r"^[\w.@ -]+$")],
    signature: Signature,
) -> Response:
    """Begin a session that sees one study, and show it."""
    links = site.pages.links
    if links is None:
        raise NotFound
    known = await sessions.current(request)
    if known is not None and _may_see(known, study):
        return _shown(study)  # opened a second time, or by somebody who is logged in
    _check(site, links, signature_of(links.secret, study, until, by), signature, until, request)
    if not await run_in_threadpool(_use, site.database, signature, until):
        raise LinkRefused
    roles = frozenset({links.role})
    account = f"{by} (link)"
    if known is not None and known.via == "link":  # its browser has this one from now on
        before = request.cookies.get(sessions.cookie_name(site), "")
        await run_in_threadpool(sessions.end, site, before)
    token = await run_in_threadpool(sessions.begin, site, account, roles, "link", study)
    site.trail.authenticated(account, address_of(request), succeeded=True)
    response = _shown(study)
    sessions.set_cookie(response, site, token)
    return response


def _may_see(known: sessions.Session, study: str) -> bool:
    """Whether somebody who is logged in needs no link."""
    if known.study_key is not None:
        return known.study_key == study
    return not known.roles.isdisjoint({"viewer", "clinician"})


def _check(
    site: Site, links: SignedLinks, right: str, given: str, until: int, request: Request
) -> None:
    """Refuse a link that is forged or has expired.

    Raises:
        LinkRefused: so it is.
    """
    if not hmac.compare_digest(right, given):
        caller = Node("", address_of(request))
        site.trail.alert(caller, AlertType.NODE_AUTHENTICATION, "forged link to a study")
        raise LinkRefused
    if not time.time() < until <= time.time() + links.longest_s:
        raise LinkRefused


def _use(database: sa.Engine, signature: str, until: int) -> bool:
    """Whether a link is used for the first time; then it is now."""
    try:
        with database.begin() as connection:
            connection.execute(used_links.delete().where(used_links.c.until < time.time()))
            connection.execute(used_links.insert(), {"signature": signature, "until": until})
    except sa.exc.IntegrityError:
        return False
    return True


def _shown(study: str) -> RedirectResponse:
    return RedirectResponse(f"/results/{study}", HTTPStatus.SEE_OTHER)
