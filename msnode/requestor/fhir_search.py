"""Searches at a FHIR R4 server (R4, 3.1.1), page by page."""

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from msnode.config import HttpServer
from msnode.errors import Refused, TryLater
from msnode.requestor.http_answer import refused
from msnode.requestor.http_request import Request, ask
from msnode.requestor.operation_outcome import JSON, content_of

MOST_PAGES = 200
"""Of one search; no patient has more of what is asked for."""
ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
"""Of a resource (R4, Resource.id)."""

Resource = dict[str, Any]


def search(
    server: HttpServer, name: str, kind: str, query: Sequence[tuple[str, str]]
) -> Iterator[Resource]:
    """The resources of a type that a server finds.

    The query goes in the request's body (R4, 3.1.1.2), as URLs stand in logs.

    Args:
        server: its address is the base URL.
        name: ours for it.
        kind: the resources' type.
        query: names and values of the search.

    Raises:
        TryLater: no answer, or none that makes sense.
        Refused: the server will never answer this.
        ConfigError: its TLS files or key cannot be used.
    """
    base = server.address.rstrip("/")
    url: str | None = f"{base}/{kind}/_search"
    headers = {"Accept": JSON, "Content-Type": "application/x-www-form-urlencoded"}
    request = Request("POST", str(url), headers, urlencode(query).encode())
    seen: set[str] = set()
    while url is not None:
        if url in seen or len(seen) == MOST_PAGES:
            raise TryLater(f"{name} answers a search with pages without end")
        seen.add(url)
        page = _resource(server, name, request, "Bundle")
        entries = page.get("entry", [])
        if page.get("type") != "searchset" or not isinstance(entries, list):
            raise TryLater(f"{name} answers a search with no searchset")
        for entry in entries:
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if isinstance(resource, dict) and resource.get("resourceType") == kind:
                yield resource
        url = _next(page, url, base, name)
        request = Request("GET", str(url), {"Accept": JSON})


def read(server: HttpServer, name: str, kind: str, identity: str) -> Resource | None:
    """A resource by its id; None where the server has none of it.

    Raises:
        TryLater, Refused, ConfigError: as `search`.
    """
    url = f"{server.address.rstrip('/')}/{kind}/{identity}"
    request = Request("GET", url, {"Accept": JSON})
    found: Resource | None = _resource(server, name, request, kind, is_needed=False)
    return found


def _resource(
    server: HttpServer, name: str, request: Request, kind: str, *, is_needed: bool = True
) -> Any:
    answer = ask(server, request)
    if not is_needed and answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return None
    if not answer.is_success:
        raise refused(name, answer)
    said = content_of(answer.body)
    if said is None or said.get("resourceType") != kind:
        raise TryLater(f"{name} does not answer with a {kind} in JSON")
    return said


def _next(page: Resource, url: str, base: str, name: str) -> str | None:
    """The next page's URL, at the same server: our token is for nobody else.

    Raises:
        TryLater: it is elsewhere.
    """
    links = page.get("link", [])
    found = [
        one.get("url")
        for one in (links if isinstance(links, list) else [])
        if isinstance(one, dict) and one.get("relation") == "next"
    ]
    if not found:
        return None
    try:
        there = urljoin(url, str(found[0]))
        is_here = _origin(there) == _origin(base)
    except ValueError:
        is_here = False
    if not is_here or re.search(r"[^!-~]", there):
        raise TryLater(f"{name} names a next page that is not its own")
    return there.partition("#")[0]


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def try_out(server: HttpServer, name: str) -> None:
    """Read a server's CapabilityStatement: it is reached, and speaks R4.

    Raises:
        TryLater, Refused: it is not, does not.
        ConfigError: its TLS files or key cannot be used.
    """
    url = f"{server.address.rstrip('/')}/metadata"
    answer = ask(server, Request("GET", url, {"Accept": JSON}))
    if not answer.is_success:
        raise refused(name, answer)
    said = content_of(answer.body) or {}
    is_r4 = str(said.get("fhirVersion")).startswith("4.0")
    if said.get("resourceType") != "CapabilityStatement" or not is_r4:
        raise Refused(
            f"{name} is no FHIR R4 server: its metadata has no fhirVersion 4.0; correct fhir"
        )
