"""The pages of a node in a temporary folder, and visitors of every role."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from msnode import config
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
