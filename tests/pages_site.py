"""The pages of a node in a temporary folder, and visitors of every role."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi.testclient import TestClient

from msnode import config, server_socket
from msnode.config import Role
from msnode.pages import server
from msnode.pages.access import sessions
from msnode.pages.access.sessions import Via
from msnode.pages.app import create_app
from msnode.pages.frame.site import Site

URL = "http://127.0.0.1:9180"


@contextmanager
def site_in(
    folder: Path, pages: Mapping[str, Any] | None = None, **settings: Any
) -> Iterator[Site]:
    """A site with patients; more settings by their keys."""
    raw = {"data": str(folder / "data"), "pages": {"patients": True} | dict(pages or {})}
    read = config.parse(raw | settings, folder)
    with server.opened(read, folder / "msnode.yaml") as site:
        yield site


@contextmanager
def visiting(site: Site) -> Iterator[TestClient]:
    """Somebody who has not logged in; redirects are not followed."""
    url = URL.replace("http", "https") if site.pages.is_https else URL
    with TestClient(create_app(site), url, follow_redirects=False) as client:
        client.headers["Accept"] = "text/html"
        yield client


@contextmanager
def as_visitor(
    site: Site,
    *roles: Role,
    account: str = "somebody",
    via: Via = "oidc",
    study_key: str | None = None,
) -> Iterator[TestClient]:
    """Somebody who has logged in; its changes carry the session's token."""
    token = sessions.begin(site, account, frozenset(roles), via, study_key)
    with visiting(site) as client:
        client.cookies.set(sessions.cookie_name(site), token)
        client.headers["X-CSRF-Token"] = sessions.csrf_of(token)
        yield client


@contextmanager
def served(site: Site) -> Iterator[str]:
    """The pages at a port of their own, as `msnode pages` serves them; yields their URL."""
    config = uvicorn.Config(
        create_app(site), http=server.Impatient, ws="none", log_config=None, access_log=False
    )
    running = uvicorn.Server(config)
    sock = server_socket.listen("pages", "127.0.0.1", 0)
    thread = threading.Thread(target=running.run, args=([sock],), name="pages")
    thread.start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join()
