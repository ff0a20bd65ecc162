"""The node's state on one screen, and the same live."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, StreamingResponse

from msnode.pages.access.sessions import lasts
from msnode.pages.access.visitor import Administrator
from msnode.pages.admin.admin_services import AdminServices, Services
from msnode.pages.admin.concerns import concerns_of, verdict
from msnode.pages.admin.live_streams import EVERY_S, LOOK_S
from msnode.pages.admin.peer_watch import Peer, PeerAnswer
from msnode.pages.admin.units import lasting, size
from msnode.pages.frame.rendering import fragment, render
from msnode.pages.frame.site import AnySite, Site

router = APIRouter()


@router.get("/node")
def node_page(
    request: Request,
    site: AnySite,
    services: AdminServices,
    _: Administrator,
    did: Literal["asked", ""] = "",
) -> Response:
    """Is all well?"""
    if services.node.last is None:
        services.node.look()
    return render(request, "admin/node.html", did=did, **_values(site, services))


@router.post("/node/ask")
def ask(services: AdminServices, _: Administrator) -> Response:
    """Ask all peers now; the answers come one by one."""
    services.peers.ask_soon()
    return RedirectResponse("/node?did=asked", HTTPStatus.SEE_OTHER)


@router.get("/node/live", include_in_schema=False)  # it does not end
async def live(
    request: Request, site: AnySite, services: AdminServices, visitor: Administrator
) -> Response:
    """The state as it changes, as server-sent events (HTML, 9.2)."""
    place = services.streams.take(visitor.csrf)
    events = _events(request, site, services)
    headers = {"X-Accel-Buffering": "no"}  # nginx passes each event on as it comes
    return StreamingResponse(
        place.giving_back(events), media_type="text/event-stream", headers=headers
    )


async def _events(request: Request, site: Site, services: Services) -> AsyncIterator[str]:
    """The fragment when it changes; a sign of life where it does not; the end with the session."""
    before, asked = "", 0.0
    ending: asyncio.Event = request.app.state.ending
    while not ending.is_set():
        try:
            now = asyncio.get_running_loop().time()
            if now - asked >= LOOK_S:
                asked = now
                if not await lasts(request):
                    yield "event: ended\ndata: \n\n"
                    return
            shown = await run_in_threadpool(_fragment, request, site, services)
        except SQLAlchemyError:  # it comes back
            shown = fragment(request, "admin/node_away.html")
        yield _event(shown) if shown != before else ": nothing new\n\n"
        before = shown
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), EVERY_S)


def _event(shown: str) -> str:
    lines = "".join(f"data: {line}\n" for line in shown.splitlines())
    return f"retry: {round(1000 * EVERY_S)}\n{lines}\n"


def _fragment(request: Request, site: Site, services: Services) -> str:
    return fragment(request, "admin/node_state.html", **_values(site, services))


def _values(site: Site, services: Services) -> dict[str, Any]:
    state, counts = services.state()
    watched = services.node.last
    found = concerns_of(site.config, state, counts, watched, services.peers)
    return {
        "state": state,
        "counts": counts,
        "node": watched.said if watched is not None else None,
        "concerns": found,
        "verdict": verdict(found),
        "peers": list(_answers(services)),
        "is_asking": services.peers.is_asking,
        "lasting": lasting,
        "size": size,
    }


def _answers(services: Services) -> Iterator[tuple[Peer, PeerAnswer | None]]:
    for peer in services.peers.peers:
        yield peer, services.peers.answers.get((peer.name, peer.kind))
